"""The first update and tensor at which two runs part: both are run again, side by side, and compared.

Whole reports are repeated as they were trained, by the same compiled program; within the report at which they
part an iteration is cut up, into what is collected and each single update, and all is compared after each.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PyTree, Shaped

from ...core import Trajectory
from ...runs import checkpoint
from ...runs.folder import RunFolder
from ...runs.metrics import fingerprint
from ...runs.run import Training
from ...training.loop import TrainState
from .bits import Row, Sameness
from .differences import tensors

Arrays = list[tuple[str, Shaped[np.ndarray, "..."]]]
COLLECTED = ("obs", "action", "reward", "team_reward", "terminated", "valid", "memo", "others")


class Parting(NamedTuple):
    """Where two runs part. `tensors` are all that differ there, in the tree's order, with how far at most."""

    kind: str  # "start", "collecting", "update"; "count": only one of them learns; "nowhere"
    step: int = 0  # of the seed, before the iteration
    iteration: int = 0  # counted from 1
    update: int = 0  # likewise
    side: str = ""
    tensors: Mapping[str, float | None] = MappingProxyType({})
    of: int = 0
    as_recorded: tuple[bool, ...] = ()  # whether each run gave its recorded bits again, where that was seen


class Rerun:
    """One run's lane that holds a seed, from its beginning again."""

    def __init__(self, folder: RunFolder, training: Training, seed: int, rows: dict[tuple[int, int], Row]):
        training.start()
        self.folder, self.engine, self.rows = folder, training.engine, rows
        local = seed - training.config.seed
        lane = next(i for i, lane in enumerate(self.engine.layout.lanes) if local in lane)
        self.seed, self.place = seed, self.engine.layout.lanes[lane].index(local)
        self.state: TrainState = training.states[lane]
        training.states = []
        self.as_recorded, self.programs = True, {}

    def whole(self, clock: int) -> None:
        """A report as it was trained; whether it gave the recorded bits is kept."""
        clocks = jnp.arange(clock, clock + self.engine.iterations)
        self.state, metrics, prints = jax.block_until_ready(self.engine.chunk(self.state, clocks))
        row = self.rows.get((clock + self.engine.iterations, self.seed))
        again = fingerprint(jax.tree.map(np.asarray, prints), jax.tree.map(np.asarray, metrics), self.place)
        self.as_recorded &= row is None or all(row[name] == value for name, value in again.items())

    def program(self, name: str, f: Callable, *args: Any, shared: int) -> Any:
        """Compiled once, then called."""
        if name not in self.programs:
            self.programs[name] = self.engine.program(f, *args, shared=shared)
        return self.programs[name](*args)

    def collect(self, clock: int) -> Trajectory:
        """An iteration up to where learning begins."""
        trainer = self.engine.trainer

        def gather(state: TrainState, clock: Int[Array, ""]) -> tuple[TrainState, Trajectory]:
            state, rollouts, _ = trainer.collect(state, clock)
            return trainer.remember(state, rollouts, clock), rollouts

        self.state, rollouts = self.program("collect", gather, self.state, jnp.array(clock), shared=1)
        return rollouts

    def updates(self, i: int, clock: int) -> int:
        """How many side i makes in this iteration."""
        trainer = self.engine.trainer
        return trainer.rounds(i) * (clock >= trainer.warmup(i))

    def update(
        self, i: int, learner: PyTree[Array], rollouts: Trajectory, clock: int, number: int
    ) -> PyTree[Array]:
        trainer = self.engine.trainer

        def once(learner, state, rollouts, clock, number):
            return trainer.update(i, learner, state, trainer.kept(i, rollouts), clock, number)[0]

        args = (learner, self.state, rollouts, jnp.array(clock), jnp.array(number))
        return self.program(f"update {i}", once, *args, shared=2)

    def learnt(self, i: int, learner: PyTree[Array]) -> None:
        learners = self.state.learners
        self.state = replace(self.state, learners=(*learners[:i], learner, *learners[i + 1 :]))

    @property
    def step(self) -> int:
        return int(np.asarray(self.state.steps)[self.place])

    @property
    def learners(self) -> Arrays:
        found = [x for _, x in self.arrays(self.state.learners)]
        return list(zip(tensors(self.engine), found, strict=True))

    def collected(self, rollouts: Trajectory) -> Arrays:
        """In the order in which one thing leads to another."""
        return [pair for name in COLLECTED for pair in self.arrays({name: getattr(rollouts, name)})]

    def arrays(self, tree: PyTree) -> Arrays:
        """The seed's own, by their names in the tree."""
        own = lambda x: np.asarray(np.asarray(checkpoint.plain(x))[self.place])
        return [(name, own(leaf)) for name, leaf in checkpoint.named_leaves(tree)]


def apart(a: Arrays, b: Arrays) -> dict[str, float | None]:
    """What differs in a bit, and how far at most; None where it has another shape."""
    theirs, found = dict(b), {}
    for name, x in a:
        y = theirs.get(name)
        if y is None or x.shape != y.shape:
            found[name] = None
        elif x.tobytes() != y.tobytes():
            gap = np.abs(x.astype(np.float64) - y.astype(np.float64))
            found[name] = float(np.max(gap, initial=0.0))
    return found


def first_parting(a: Rerun, b: Rerun, same: Sameness, say: Callable[[str], None]) -> Parting:
    """Goes through both runs up to the end of the report at which their records part."""
    assert same.parts is not None
    mine, theirs = a.learners, b.learners
    if found := apart(mine, theirs):
        return Parting("start", tensors=found, of=len(mine))
    common = same.before.clock if same.before else 0
    for run in (a, b):
        for clock in range(0, common, run.engine.iterations):
            say(f"re-running {run.folder.path}: iteration {clock + 1:,} of {common:,}")
            run.whole(clock)
    told = (a.as_recorded, b.as_recorded) if common else ()
    for clock in range(common, same.parts.clock):
        say(f"both, one update at a time: iteration {clock + 1:,} of {same.parts.clock:,}")
        if found := iteration(a, b, clock):
            return found._replace(as_recorded=told)
    return Parting("nowhere", as_recorded=told)


def iteration(a: Rerun, b: Rerun, clock: int) -> Parting | None:
    """Collects, then learns, update by update, in both."""
    here = Parting("collecting", a.step, clock + 1)
    seen = [run.collect(clock) for run in (a, b)]
    gathered = [run.collected(got) for run, got in zip((a, b), seen, strict=True)]
    if found := earliest(*gathered):
        return here._replace(tensors=found, of=len(gathered[0]))
    for i, side in enumerate(a.engine.trainer.slots):
        due = [run.updates(i, clock) for run in (a, b)]
        learners = [run.state.learners[i] for run in (a, b)]
        for number in range(max(due)):
            here = here._replace(side=side.name, update=a.engine.updates(clock) + number + 1)
            if number >= min(due):
                return here._replace(kind="count")
            pairs = zip((a, b), learners, seen, strict=True)
            learners = [run.update(i, learner, got, clock, number) for run, learner, got in pairs]
            mine, theirs = (run.arrays(x) for run, x in zip((a, b), learners, strict=True))
            if found := apart(mine, theirs):
                return here._replace(kind="update", tensors=found, of=len(mine))
        for run, learner in zip((a, b), learners, strict=True):
            run.learnt(i, learner)
    return None


def earliest(a: Arrays, b: Arrays) -> dict[str, float | None]:
    """Of rollouts, what parts first in time: everything follows from that."""
    found = apart(a, b)
    theirs, when = dict(b), {}
    for name, x in a:
        if found.get(name) is not None:
            y = theirs[name]
            when[name] = int(np.argmax((x != y).any(axis=tuple(j for j in range(x.ndim) if j != 1))))
    soonest = min(when.values(), default=0)
    return {name: gap for name, gap in found.items() if when.get(name, soonest) == soonest}
