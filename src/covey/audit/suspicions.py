"""Signs before training that something is wrong, though it may be meant: they are told, and stop no run."""

from collections.abc import Callable, Iterator
from functools import cached_property, reduce
from operator import or_
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import tree_flatten_with_path

from ..core import OptState
from ..networks.monotone import is_monotonic
from ..ops.random import is_key
from ..parts import Factory, find_setting
from .flow import Reader, Value
from .lineage import origins_by_sums
from .losses import LossProgram, loss_notes
from .modules import LearnerModule, LearnerStructure, dotted_path, is_float
from .programs import Program
from .settings_read import attempt
from .traced_world import TracedEnvironment

_REWARD = ("reward", "team_reward")


class Suspicions:
    """What the traced programs of a learner make one suspect."""

    def __init__(self, structure: LearnerStructure, env: TracedEnvironment):
        self.structure = structure
        self.traced = structure.traced
        self.env = env
        self.draws: list[int] = []  # what the keys of an update's draws depend on

    def notes(self) -> list[str]:
        """Return a sentence for each."""
        checks: tuple[Callable[[], Iterator[str]], ...] = (
            self._losses, self._fields, self._idle_learners, self._moments, self._targets,
            self._swaps, self._mixer, self._draws,
        )  # fmt: skip
        return list(dict.fromkeys(note for check in checks for note in check()))

    @cached_property
    def _inputs(self) -> dict[str, int]:
        """The bits of an update's inputs behind the learner, by name: `reward`, `obs.legal`, `key`."""
        begin = len(jax.tree.leaves(self.traced.learner))
        batch, *_ = self.traced.update.inputs[1:]
        names = [dotted_path(path) for path, _ in tree_flatten_with_path(batch)[0]]
        return {name: 1 << begin + i for i, name in enumerate([*names, "key", "step"])}

    @cached_property
    def _last(self) -> int:
        """The bit of what only the last observation of a trajectory tells."""
        return 1 << len(self.traced.update.closed.jaxpr.invars)

    @cached_property
    def _reads(self) -> list[int]:
        """What each array of the learner depends on after an update."""
        program = self.traced.update
        leaves = jax.tree.leaves(program.inputs)
        observed = reduce(or_, (bit for name, bit in self._inputs.items() if name.startswith("obs.")))
        values = []
        for i, leaf in enumerate(leaves[: len(leaves) - len(self.traced.numbers)]):
            moments = leaf.shape[1] if 1 << i & observed else 0
            values.append(Value((1 << i) | (self._last if moments else 0), moments=moments))
        values += [Value()] * len(self.traced.numbers)
        reader = Reader(_collect_draws(self.draws), _without_norms, self._last)
        return [value.reads for value in reader.read(program.closed, values)]

    @cached_property
    def _acting(self) -> int:
        """The learner's arrays that acting depends on, now or after more updates."""
        size = len(jax.tree.leaves(self.traced.learner))
        acting = self.structure.acting_reads & (1 << size) - 1
        while True:
            more = acting | self._behind(acting) & (1 << size) - 1
            if more == acting:
                return acting
            acting = more

    def _behind(self, arrays: int) -> int:
        """Return what these arrays of the learner depend on after an update."""
        return reduce(or_, (reads for i, reads in enumerate(self._reads) if arrays >> i & 1), 0)

    @cached_property
    def unlearned(self) -> LearnerModule | None:
        """A network that acts and has an optimiser, and that no batch changes."""
        anatomy = self.structure.anatomy
        size = len(jax.tree.leaves(self.traced.learner))
        batch = sum(bit for name, bit in self._inputs.items() if name not in ("key", "step"))

        def is_unlearned(module: LearnerModule) -> bool:
            acts = any(self.structure.acting_reads >> i & 1 for i in module.leaves)
            learns = any(self._reads[i] & batch for i in module.leaves)
            has_optimiser = all(i in anatomy.moments for i in module.leaves)
            return acts and has_optimiser and not learns and max(module.leaves) < size

        return next(iter(anatomy.largest({m.name: is_unlearned(m) for m in anatomy.modules})), None)

    def _losses(self) -> Iterator[str]:
        for program in self.traced.losses:
            if isinstance(program, LossProgram):
                yield from loss_notes(program)

    def _fields(self) -> Iterator[str]:
        """Tell of fields of a batch from which nothing is learned."""
        known = self._behind(self._acting)
        reads = lambda *names: any(known & self._inputs.get(name, 0) for name in names)
        if not any(known & bit for name, bit in self._inputs.items() if name not in ("key", "step")):
            yield "nothing that acts is learned: no array that acting depends on is updated from a batch"
            return
        if not reads(*_REWARD):
            yield (
                "nothing that acts is learned from the reward: it is not read, multiplied by 0, clipped "
                "away, or teaches only networks that do not act"
            )
        if known & self._last and not reads("terminated"):
            yield (
                "nothing is learned from `terminated`, though the observations after the last step are read: "
                "values bootstrap past true ends; multiply what follows a step by ~terminated"
            )
        if not reads("valid"):
            yield (
                "nothing is learned from `valid`: resets and padding count like steps; take means by "
                "ops.mean(x, batch.valid)"
            )
        extras = (name for name in self._inputs if name.startswith("extras"))
        if not reads("action", *extras):
            yield "nothing is learned from the actions, neither `action` nor extras that `act` stored"
        if not reads("obs.legal") and self.env.has_illegal_actions:
            yield (
                "nothing is learned from `legal`, though this world has illegal actions: they may be chosen "
                "in targets; choose by ops.masked(values, obs.legal)"
            )

    def _idle_learners(self) -> Iterator[str]:
        """Tell of networks that learn and do not act."""
        anatomy = self.structure.anatomy

        def is_idle(module: LearnerModule) -> bool:
            still = module.role is not None or self.structure.is_returned_unchanged(module)
            return not still and not any(self._acting >> i & 1 for i in module.leaves)

        for module in anatomy.largest({m.name: is_idle(m) for m in anatomy.modules}):
            yield (
                f"{module.name} learns, but does not act: nothing that acts depends on it, however many "
                "updates follow"
            )

    def _moments(self) -> Iterator[str]:
        """Tell of optimisers that forget."""
        is_state = lambda x: isinstance(x, OptState)
        begin = 0
        for path, tree in tree_flatten_with_path(self.traced.learner, is_leaf=is_state)[0]:
            leaves = jax.tree.leaves(tree)
            own = range(begin, begin + len(leaves))
            begin += len(leaves)
            floats = [i for i, x in zip(own, leaves, strict=True) if jnp.issubdtype(x.dtype, jnp.inexact)]
            if not isinstance(tree, OptState) or not floats:
                continue
            before = sum(1 << i for i in own)
            if all(self.structure.is_kept(i) for i in floats):
                yield (
                    f"{dotted_path(path)} stays as it began: update returns it as it was; return the state "
                    "that ops.descend gave"
                )
            elif not any(self._reads[i] & before for i in floats):
                yield (
                    f"{dotted_path(path)} is begun anew at each update: what its optimiser remembers is "
                    "lost; return the state that ops.descend gave"
                )

    def _targets(self) -> Iterator[str]:
        """Tell of targets that follow nothing but themselves."""
        anatomy = self.structure.anatomy
        floats = sum(1 << i for i, x in enumerate(jax.tree.leaves(self.traced.learner)) if is_float(x))
        follows = lambda m: any(self._reads[i] & floats & ~sum(1 << j for j in m.leaves) for i in m.leaves)
        alone = {m.name: m.is_target and not follows(m) for m in anatomy.modules}
        for module in anatomy.largest(alone):
            if not self.structure.is_returned_unchanged(module):
                yield (
                    f"{module.name} follows nothing but itself: no network that learns is copied to it; "
                    "return self.target(online, target, updates)"
                )

    def _swaps(self) -> Iterator[str]:
        """Tell of networks that an update returns in each other's place."""
        size = len(jax.tree.leaves(self.traced.learner))
        sources = origins_by_sums(self.traced.update.closed.jaxpr, size)
        anatomy = self.structure.anatomy
        modules = [m for m in anatomy.modules if m.role is None]
        comes_from = lambda a, b: all(j in sources[i] for i, j in zip(a.leaves, b.leaves, strict=True))
        for k, a in enumerate(modules):
            for b in modules[k + 1 :]:
                apart = len(a.leaves) == len(b.leaves) and not set(a.leaves) & set(b.leaves)
                if not apart or comes_from(a, a) or comes_from(b, b):
                    continue
                if comes_from(a, b) and comes_from(b, a):
                    yield f"update returns {a.name} in the place of {b.name}, and the other way round"
                    return

    def _mixer(self) -> Iterator[str]:
        """Tell of a user's mixer under which agents' own best actions need not be the team's."""
        mixer = find_setting(self.traced.algorithm, "mixer")
        own = isinstance(mixer, Factory) and not mixer.target.__module__.startswith("covey.")
        if own and attempt(lambda: is_monotonic(mixer)) is False:
            yield (
                f"mixer={mixer.target.__name__} is not monotonic: at random points the team's value falls as "
                "an agent's rises, so the agents' own best actions need not be the team's"
            )

    def _draws(self) -> Iterator[str]:
        """Tell of random numbers that are always the same."""
        _ = self._reads
        if any(reads == 0 for reads in self.draws):
            yield (
                "update draws the same random numbers every time: their key is made of nothing that changes; "
                "make it from `key`, by ops.named(key, 'purpose')"
            )
        yield from self._acting_draws()
        reads = _draws_of(self.traced.initialisation)
        if 0 in reads:
            yield (
                "init draws weights from a key of its own, so that all seeds begin alike; make it from "
                "`key`, by ops.named(key, 'purpose')"
            )

    def _acting_draws(self) -> Iterator[str]:
        sizes = [len(jax.tree.leaves(tree)) for tree in self.traced.act.inputs]
        learner = (1 << sizes[0]) - 1
        step = 1 << sum(sizes[:4])
        for reads in _draws_of(self.traced.act):
            if reads and not reads & ~(learner | step):
                keys = [is_key(x) for x in jax.tree.leaves(self.traced.learner)]
                if reads == step or any(keys[i] for i in range(sizes[0]) if reads >> i & 1):
                    yield _ACT_DRAWS.format("the same random numbers in every copy")
            elif not reads:
                yield _ACT_DRAWS.format("the same random numbers in every copy and at every step")


_ACT_DRAWS = "act draws {}: their key is not made from `key`; make it so, by ops.named(key, 'purpose')"


def _without_norms(eqn: Any, values: list[Value], out: Value) -> Value:
    """Forget what a norm depends on: clipping by it makes every gradient depend on every other."""
    norm = eqn.primitive.name == "sqrt" and not eqn.outvars[0].aval.shape
    return out._replace(reads=0) if norm else out


def _collect_draws(draws: list[int]) -> Callable[[Any, list[Value]], None]:
    """Return a visitor that adds what the key of every draw depends on."""

    def visit(eqn: Any, values: list[Value]) -> None:
        if eqn.primitive.name == "random_bits":
            draws.append(values[0].reads)

    return visit


def _draws_of(program: Program) -> list[int]:
    """Return what the keys of a program's draws depend on, a bit for each input."""
    draws: list[int] = []
    inputs = [Value(1 << i) for i in range(len(program.closed.jaxpr.invars))]
    Reader(_collect_draws(draws)).read(program.closed, inputs)
    return draws
