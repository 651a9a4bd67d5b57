"""The first update and tensor at which two runs diverge: both are run again and compared.

Whole reports are repeated as they were trained, by the same compiled program. Within the report at which the
runs diverge, each iteration is cut up into its collection and its single updates, and everything is compared
after each.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PyTree, Shaped

from ...core import Trajectory
from ...runs import checkpoint
from ...runs.folder import RunFolder
from ...runs.metrics import fingerprint
from ...runs.records import Row
from ...runs.session import Training
from ...training.learners import UpdateContext
from ...training.loop import TrainState
from .bits import BitComparison, ReportKey
from .differences import tensor_shapes

_NamedArrays = list[tuple[str, Shaped[np.ndarray, "..."]]]
_Gaps = dict[str, float | None]  # by tensor, the largest difference; None where the shapes differ
_CAUSAL_ORDER = ("obs", "action", "reward", "team_reward", "terminated", "valid", "extras", "others")


@dataclass(frozen=True)
class Divergence:
    """The place at which two runs diverge."""

    # "start": they begin with other weights; "collecting": actions differ before any weight does;
    # "update": an update gives other weights; "count": only one of them makes the update;
    # "nowhere": run again, they do not diverge
    kind: Literal["start", "collecting", "update", "count", "nowhere"]
    step: int = 0  # of the seed, before the iteration
    iteration: int = 0  # counted from 1
    update: int = 0  # counted from 1
    slot: str = ""  # the learner slot
    tensors: _Gaps = field(default_factory=dict)  # all that differ there, in the tree's order
    of: int = 0  # tensors in all
    as_recorded: tuple[bool, ...] = ()  # whether each run gave its recorded bits again, if that was checked

    @property
    def tensor(self) -> str | None:
        """The first tensor that differs."""
        return next(iter(self.tensors), None)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "step": self.step,
            "iteration": self.iteration,
            "update": self.update,
            "side": self.slot,
            "tensors": self.tensors,
            "of": self.of,
            "as_recorded": self.as_recorded,
            "tensor": self.tensor,
        }


@dataclass(frozen=True)
class NoSearch:
    """The reason why nobody looked for the first update that differs."""

    why: str

    def to_json(self) -> dict[str, Any]:
        return {"why": self.why}


class Rerun:
    """The lane of a run that holds a seed, run again from its beginning."""

    def __init__(self, folder: RunFolder, training: Training, seed: int, rows: Mapping[ReportKey, Row]):
        training.start()
        self.folder = folder
        self.engine = training.engine
        self.rows = rows
        self.seed = seed
        lanes = self.engine.layout.lanes
        local = seed - training.config.seed
        lane = next(i for i, lane in enumerate(lanes) if local in lane)
        self.lane = lane
        self.place = lanes[lane].index(local)
        self.state: TrainState = training.states[lane]
        training.states = []  # the other lanes' memory is free again
        self.as_recorded = True
        self.programs: dict[str, Any] = {}

    def repeat_report(self, clock: int) -> None:
        """Repeat a report as it was trained, and note whether it gives the recorded bits."""
        end = clock + self.engine.iterations
        clocks = jnp.arange(clock, end)
        self.state, metrics, prints = jax.block_until_ready(self.engine.chunk(self.lane, self.state, clocks))
        recorded = self.rows.get((end, self.seed))
        prints, metrics = jax.tree.map(np.asarray, (prints, metrics))
        repeated = fingerprint(prints, metrics, self.place)
        if recorded is not None:
            self.as_recorded &= all(recorded[name] == value for name, value in repeated.items())

    def program(self, name: str, f: Callable, *args: Any, shared: int) -> Any:
        """Call `f(trainer, *args)` for the lane; it is compiled at its first call."""
        if name not in self.programs:
            self.programs[name] = self.engine.program(f, *args, shared=shared)
        return self.programs[name](self.lane, *args)

    def collect(self, clock: int) -> Trajectory:
        """Run an iteration up to where learning begins."""

        def gather(trainer, state: TrainState, clock: Int[Array, ""]) -> tuple[TrainState, Trajectory]:
            state, rollouts, _ = trainer.collect(state, clock)
            return trainer.remember(state, rollouts, clock), rollouts

        self.state, rollouts = self.program("collect", gather, self.state, jnp.array(clock), shared=1)
        return rollouts

    def updates(self, i: int, clock: int) -> int:
        """Return how many updates the learner of slot i makes in this iteration."""
        trainer = self.engine.trainer
        slot = trainer.slots[i]
        return slot.updates(trainer.shape) * (clock >= slot.warmup(trainer.shape))

    def update(
        self, i: int, learner: PyTree[Array], rollouts: Trajectory, clock: int, number: int
    ) -> PyTree[Array]:
        """Return the learner of slot i after one update."""

        def once(trainer, learner, state, rollouts, clock, number):
            slot = trainer.slots[i]
            now = UpdateContext(state.key, clock, state.steps)
            own = slot.own_rollouts(rollouts)
            return slot.update(learner, state.buffers[i], own, now, number, trainer.spec)[0]

        args = (learner, self.state, rollouts, jnp.array(clock), jnp.array(number))
        return self.program(f"update {i}", once, *args, shared=2)

    def set_learner(self, i: int, learner: PyTree[Array]) -> None:
        """Replace the learner of slot i."""
        learners = self.state.learners
        self.state = replace(self.state, learners=(*learners[:i], learner, *learners[i + 1 :]))

    @property
    def step(self) -> int:
        """Environment steps of the seed so far."""
        return int(np.asarray(self.state.steps)[self.place])

    @property
    def learners(self) -> _NamedArrays:
        """The tensors of all learners, by the names that `tensor_shapes` gives them."""
        tensors = [x for _, x in self.arrays(self.state.learners)]
        return list(zip(tensor_shapes(self.engine), tensors, strict=True))

    def collected(self, rollouts: Trajectory) -> _NamedArrays:
        """Return the arrays of rollouts, causes before effects."""
        return [pair for name in _CAUSAL_ORDER for pair in self.arrays({name: getattr(rollouts, name)})]

    def arrays(self, tree: PyTree) -> _NamedArrays:
        """Return the seed's own arrays, by their names in the tree."""
        own = lambda x: np.asarray(np.asarray(checkpoint.plain(x))[self.place])
        return [(name, own(leaf)) for name, leaf in checkpoint.named_leaves(tree)]


def _gaps(a: Iterable[tuple[str, np.ndarray]], b: _NamedArrays) -> _Gaps:
    """Return the arrays that differ in a bit, and by how much at most; None where shapes differ."""
    others = dict(b)
    gaps: _Gaps = {}
    for name, x in a:
        y = others.get(name)
        if y is None or x.shape != y.shape:
            gaps[name] = None
        elif x.tobytes() != y.tobytes():
            gap = np.abs(x.astype(np.float64) - y.astype(np.float64))
            gaps[name] = float(np.max(gap, initial=0.0))
    return gaps


def find_divergence(a: Rerun, b: Rerun, bits: BitComparison, say: Callable[[str], None]) -> Divergence:
    """Run both again, up to the end of the report at which their records differ."""
    assert bits.first_difference is not None
    beginning = a.learners
    gaps = _gaps(beginning, b.learners)
    if gaps:
        return Divergence("start", tensors=gaps, of=len(beginning))
    common = bits.last_match.clock if bits.last_match else 0
    for run in (a, b):
        for clock in range(0, common, run.engine.iterations):
            say(f"re-running {run.folder.path}: iteration {clock + 1:,} of {common:,}")
            run.repeat_report(clock)
    as_recorded = (a.as_recorded, b.as_recorded) if common else ()
    end = bits.first_difference.clock
    for clock in range(common, end):
        say(f"both, one update at a time: iteration {clock + 1:,} of {end:,}")
        divergence = _compare_iteration(a, b, clock)
        if divergence is not None:
            return replace(divergence, as_recorded=as_recorded)
    return Divergence("nowhere", as_recorded=as_recorded)


def _compare_iteration(a: Rerun, b: Rerun, clock: int) -> Divergence | None:
    """Collect, then learn update by update, in both runs, until something differs."""
    runs = (a, b)
    before = Divergence("collecting", a.step, clock + 1)
    rollouts = [run.collect(clock) for run in runs]
    collected = [run.collected(rollout) for run, rollout in zip(runs, rollouts, strict=True)]
    gaps = _earliest_gaps(*collected)
    if gaps:
        return replace(before, tensors=gaps, of=len(collected[0]))
    for i, slot in enumerate(a.engine.trainer.slots):
        due = [run.updates(i, clock) for run in runs]
        learners = [run.state.learners[i] for run in runs]
        for number in range(max(due)):
            here = replace(before, slot=slot.name, update=a.engine.updates(clock) + number + 1)
            if number >= min(due):
                return replace(here, kind="count")
            pairs = zip(runs, learners, rollouts, strict=True)
            learners = [run.update(i, learner, rollout, clock, number) for run, learner, rollout in pairs]
            tensors = [run.arrays(learner) for run, learner in zip(runs, learners, strict=True)]
            gaps = _gaps(*tensors)
            if gaps:
                return replace(here, kind="update", tensors=gaps, of=len(tensors[0]))
        for run, learner in zip(runs, learners, strict=True):
            run.set_learner(i, learner)
    return None


def _earliest_gaps(a: _NamedArrays, b: _NamedArrays) -> _Gaps:
    """Return the arrays of rollouts that differ first in time: all else follows from these."""
    gaps = _gaps(a, b)
    others = dict(b)
    times = {}
    for name, x in a:
        if gaps.get(name) is not None:
            differs = (x != others[name]).any(axis=tuple(j for j in range(x.ndim) if j != 1))
            times[name] = int(np.argmax(differs))
    first = min(times.values(), default=0)
    return {name: gap for name, gap in gaps.items() if times.get(name, first) == first}
