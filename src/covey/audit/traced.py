"""A learner, or an environment, as programs: traced at the run's own shapes, never run.

Settings that are numbers may be inputs of these programs, behind all others.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import PyTree

from ..core import Observation, Spec, Trajectory
from ..ops.watching import watching_losses
from ..training.learners import LearnerSlot, RolloutShape, observe_as, view_as
from .lifting import Inputs, asked_for, put_all
from .losses import loss_program
from .programs import Program
from .settings_read import attempt

_Shape = jax.ShapeDtypeStruct
Stage = tuple[str, Callable[[], Any]]  # a name, and a function that computes the facts of this stage


def _key_shape() -> _Shape:
    return jax.eval_shape(lambda: jr.key(0))


def _clock_shape() -> _Shape:
    return _Shape((), jnp.arange(0).dtype)


def _observation_shapes(spec: Spec, *first_axes: int) -> Observation:
    """Return the shapes of a joint observation of all agents."""
    number = lambda *rest: _Shape((*first_axes, *rest), jnp.float32)
    flag = lambda *rest: _Shape((*first_axes, *rest), jnp.bool_)
    agents = number(spec.agents, spec.features)
    others = number(0, spec.features)
    legal = flag(spec.agents, spec.actions)
    alive = flag(spec.agents)
    return jax.eval_shape(Observation, agents, number(spec.state), legal, alive, flag(), others)


def _rollout_shapes(spec: Spec, copies: int, length: int, extras: PyTree) -> Trajectory:
    """Return the shapes of one iteration's rollout; `extras` is one copy's at one step."""
    shape = lambda kind, *rest: _Shape((copies, length, *rest), kind)
    return jax.eval_shape(
        Trajectory,
        obs=_observation_shapes(spec, copies, length + 1),
        action=shape(spec.action_type, *spec.action_shape),
        reward=shape(jnp.float32, spec.agents),
        team_reward=shape(jnp.float32, len(spec.teams)),
        terminated=shape(jnp.bool_),
        valid=shape(jnp.bool_),
        extras=jax.tree.map(lambda x: shape(x.dtype, *x.shape), extras),
    )


@dataclass
class TracedLearner:
    """A learner of a run; `length` is the steps that the loop collects of each copy in an iteration."""

    slot: LearnerSlot
    world: Spec
    copies: int
    length: int
    like: "TracedLearner | None" = None  # its batch program serves here too, where batches are the same
    numbers: Inputs = field(default_factory=dict)  # settings that are inputs
    losses: list[Any] = field(default_factory=list, init=False)  # of the update; text for one not traced

    @property
    def algorithm(self) -> Any:
        return self.slot.algorithm

    def _trace(self, f: Callable[..., Any], *args: PyTree) -> Program:
        """Trace a function of the algorithm and these arguments, with the numbers as inputs."""
        given = lambda *args: f(put_all(self.algorithm, args[-1]), *args[:-1])
        return Program.trace(given, *args, dict(self.numbers))

    def settled(self) -> "TracedLearner":
        """Return the learner with those numbers as inputs whose values nobody asks for."""
        learner = self
        while True:
            try:
                _ = learner.act, learner.greedy, learner.update
                return learner
            except Exception as error:
                if not learner.numbers:
                    raise
                asked = asked_for(error, learner.numbers)
                numbers = {path: x for path, x in learner.numbers.items() if path not in asked}
                learner = replace(learner, numbers=numbers)

    @property
    def spec(self) -> Spec:
        return self.slot.spec(self.world)

    @cached_property
    def initialisation(self) -> Program:
        """The learner, and the carry at the start of an episode."""

        def initialise(algorithm, key):
            learner = algorithm.init(self.spec, key)
            return learner, algorithm.init_carry(self.spec, learner)

        return self._trace(initialise, _key_shape())

    @property
    def learner(self) -> PyTree:
        """The shapes of the learner."""
        return self.initialisation.outputs[0]

    def _trace_act(self, explore: bool) -> Program:
        learner, carry = self.initialisation.outputs
        act = lambda algorithm, learner, carry, obs, key, step: algorithm.act(
            learner, carry, observe_as(self.slot, obs), key, step, explore
        )
        return self._trace(act, learner, carry, _observation_shapes(self.world), _key_shape(), _clock_shape())

    @cached_property
    def act(self) -> Program:
        """Acting with exploration."""
        return self._trace_act(True)

    @cached_property
    def greedy(self) -> Program:
        """Acting without exploration."""
        return self._trace_act(False)

    @cached_property
    def init_carry(self) -> Program:
        return self._trace(lambda algorithm, learner: algorithm.init_carry(self.spec, learner), self.learner)

    @property
    def rollout(self) -> Trajectory:
        """The shapes of one iteration's rollout."""
        return _rollout_shapes(self.world, self.copies, self.length, self.act.outputs[2])

    @cached_property
    def buffer(self) -> PyTree:
        """The shapes of what the experience stores."""
        init = self.algorithm.experience.init
        return eqx.filter_eval_shape(lambda rollout: init(self.world, rollout), self.rollout)

    @cached_property
    def batch(self) -> Program:
        """The batch that the experience makes of rollouts."""
        experience = self.algorithm.experience
        if self.like is not None and self._batch_equals(self.like):
            return self.like.batch

        def batch(buffer, rollout, clock, key):
            buffer = experience.add(buffer, rollout, clock)
            joint = experience.batch(self.world, buffer, rollout, clock, key)
            return view_as(self.slot, self.world, joint)

        return Program.trace(batch, self.buffer, self.rollout, _clock_shape(), _key_shape())

    def _batch_equals(self, other: "TracedLearner") -> bool:
        """Say whether both make the same batches, so that one trace serves both."""
        facts = lambda learner: (
            learner.algorithm.experience,
            learner.world,
            learner.copies,
            learner.length,
        )
        return facts(self) == facts(other) and self.act.outputs[2] == other.act.outputs[2]

    @cached_property
    def update(self) -> Program:
        update = lambda algorithm, *args: algorithm.update(*args)
        args = (self.learner, self.batch.outputs, _key_shape(), _clock_shape())
        if self.like is not None:
            return self._trace(update, *args)
        watch = lambda *loss: self.losses.append(attempt(lambda: loss_program(*loss)))
        with watching_losses(watch):
            return self._trace(update, *args)

    @property
    def learner_outputs(self) -> list[bool]:
        """Which outputs of an update belong to the learner; the others are metrics."""
        learner, metrics = self.update.outputs
        return [True] * len(jax.tree.leaves(learner)) + [False] * len(jax.tree.leaves(metrics))

    def _pace(self) -> tuple[int, ...]:
        """Return the steps it collects, its updates in an iteration, and its warm-up."""
        shape = RolloutShape(self.world, self.copies, self.length)
        collected = self.algorithm.experience.rollout_length(self.world, self.copies)
        return collected, self.slot.updates(shape), self.slot.warmup(shape)

    def _insight(self) -> Any:
        """Return the digest of `insight`, whose outputs only pictures show."""
        if not hasattr(self.algorithm, "insight"):
            return None
        one_copy = lambda x: _Shape(x.shape[1:], x.dtype)
        episode = jax.tree.map(one_copy, view_as(self.slot, self.world, self.rollout))
        insight = lambda algorithm, *args: algorithm.insight(*args)
        return self._trace(insight, self.learner, episode).digest()

    @cached_property
    def _first_reads(self) -> list[int]:
        return self.initialisation.dependencies()

    @cached_property
    def _reads(self) -> list[list[int]]:
        """What the outputs of acting, and the learner after an update, depend on."""
        acting = [program.dependencies() for program in (self.init_carry, self.act, self.greedy)]
        update = self.update.dependencies()[: sum(self.learner_outputs)] if self.slot.learns else []
        return [*acting, update]

    def depends_on(self, path: str) -> bool:
        """Say whether acting or learning depends on a number, or on first arrays that it makes."""
        place = sorted(self.numbers).index(path)
        bit = lambda program: 1 << len(program.closed.jaxpr.invars) - len(self.numbers) + place
        first = self._first_reads
        size = len(jax.tree.leaves(self.learner))
        made = {i for i, reads in enumerate(first[:size]) if reads & bit(self.initialisation)}
        if any(reads & bit(self.initialisation) for reads in first[size:]):
            return True
        of_made = sum(1 << i for i in made)
        programs = (self.init_carry, self.act, self.greedy)
        for program, outputs in zip(programs, self._reads, strict=False):
            if any(reads & (of_made | bit(program)) for reads in outputs):
                return True
        if not self.slot.learns:
            return bool(made)
        others = [reads for i, reads in enumerate(self._reads[-1]) if i not in made]
        return any(reads & bit(self.update) for reads in self._reads[-1]) or any(x & of_made for x in others)

    def stages(self) -> Iterator[Stage]:
        """Yield all that the learner does, the cheapest to trace first."""
        yield "init", lambda: self.initialisation.digest()
        yield "pace", self._pace
        yield "act", lambda: self.act.digest()
        yield "greedy", lambda: self.greedy.digest()
        if self.slot.learns:
            yield "batch", lambda: self.batch.digest()
            yield "update", lambda: self.update.digest(self.learner_outputs)
        yield "insight", self._insight
