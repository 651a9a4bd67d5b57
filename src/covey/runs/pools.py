"""Pools of opponents between the reports of a run: who joins them, and how often each member is drawn."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Int, PyTree

from ..algorithms.opponent_pool import EMPTY, START_RATING, OpponentPool, acting_part
from ..audit.traced import TracedLearner
from ..config.config import read_trained_run
from ..config.making import POOL_PREFIX
from ..config.opponents import SELF, player_of
from ..config.paths import split_checkpoint
from ..config.settings import dump
from ..core import Spec
from ..errors import SettingError, UserError
from ..statistics import summarise_scores
from ..training.learners import LearnerSlot
from . import checkpoint, kept
from .engine import Engine, States
from .folder import RunFolder
from .frozen_opponents import read_player, read_steps
from .metrics import Numbers


class Member(NamedTuple):
    """A checkpoint in a pool, or one that joins it."""

    run: int  # the place of its run in the pool's `runs`
    step: int
    weights: Path | None = None  # None: it is in the pool, or joins from this run


class PoolRun(NamedTuple):
    """A run that a pool takes members from."""

    folder: RunFolder
    at: str | None  # the one checkpoint that is wanted; None: all that are kept
    place: int  # of the learner slot
    seeds: int


def thin_out(members: Sequence[Member], capacity: int) -> list[Member]:
    """Return as many members as there is room for, spread over the steps of their runs.

    Again and again the one goes whose neighbours in its run are closest. The first and the newest of a run
    stay for as long as others can go, and the newest always.
    """
    left = sorted(members, key=lambda member: member[:2])
    while len(left) > capacity:
        triples = list(zip(left, left[1:], left[2:], strict=False))
        inner = [(c.step - a.step, b) for a, b, c in triples if a.run == c.run]
        older = [(a.step, a) for a, b in pairwise(left) if a.run == b.run]
        candidates = inner or older
        if not candidates:
            break
        left.remove(min(candidates, key=lambda pair: pair[0])[1])
    return left


class PoolKeeper:
    """The pools of a run. All that changes of them lies in the run's state, so a checkpoint holds it."""

    def __init__(self, engine: Engine):
        self.engine = engine
        slots = enumerate(engine.trainer.slots)
        self.pools = {i: slot.algorithm for i, slot in slots if isinstance(slot.algorithm, OpponentPool)}
        self.sources: dict[int, dict[int, PoolRun]] = {}  # by slot, and by the run's place in `runs`

    def open(self, new: bool) -> list[str]:
        """Find the runs of all pools; return a note on each that has gone since this run began."""
        notes: list[str] = []
        for i, pool in self.pools.items():
            self.sources[i] = {}
            for j, name in enumerate(pool.runs):
                try:
                    if name != SELF:
                        self.sources[i][j] = self._source(i, name)
                except UserError as error:
                    if new:
                        raise
                    notes.append(f"nobody joins from {POOL_PREFIX}{name} any more: {error}")
            if new:
                self._check_start(i)
        return notes

    def _source(self, i: int, name: str) -> PoolRun:
        """Return a run of a pool; refuse one whose learner has another shape, or acts in another way."""
        slot = self.engine.trainer.slots[i]
        pool = self.pools[i]
        run = read_trained_run(name)
        called = f"{POOL_PREFIX}{name}"
        player = player_of(called, run, slot.name, self.engine.trainer.spec)
        place = [other.name for other in run.slots].index(player["slot"])
        known = {"player": dump(pool.player), "world": dump(pool.world)}
        if any(player[part] != of_pool for part, of_pool in known.items()):
            own = LearnerSlot(pool.slot, pool.player, tuple(range(pool.world.agents)))
            other = LearnerSlot(pool.slot, run.slots[place].algorithm, own.members)
            if not acts_alike((own, pool.world), (other, run.slots[place].spec(run.spec))):
                raise UserError(
                    f"{slot.name}={called} acts in another way than the pool's first run, {pool.runs[0]}: "
                    "one pool holds learners of one algorithm and one network; leave it out"
                )
        if pool.seed is not None and pool.seed >= run.seeds:
            raise UserError(f"{slot.name}.seed={pool.seed} is not in {name}: it trained {run.seeds} seeds")
        folder, at = split_checkpoint(name)
        return PoolRun(RunFolder.existing(folder), at, place, run.seeds)

    def _check_start(self, i: int) -> None:
        """Refuse runs without a checkpoint or with a damaged one, and more runs than members."""
        pool = self.pools[i]
        if len(pool.runs) > pool.capacity:
            team = self.engine.trainer.slots[i].name
            problem = f"is too few for {len(pool.runs)} runs"
            remedy = f"set `{team}.capacity={len(pool.runs)}` or more"
            raise SettingError(f"{team}.capacity", problem, remedy, value=pool.capacity)
        found = self._found(i, [])
        for member in found:
            checkpoint.read_facts(Path(member.weights or ""))
        present = {member.run for member in found}
        for j, name in enumerate(pool.runs):
            if j not in present and name != SELF:
                raise UserError(
                    f"{POOL_PREFIX}{name} has no checkpoint yet: let it train until its first, "
                    "or name another run"
                )

    def _found(self, i: int, present: Sequence[Member]) -> list[Member]:
        """Return the checkpoints of a pool's runs that were kept after those in it."""
        found = []
        for j, source in self.sources[i].items():
            newest = max((member.step for member in present if member.run == j), default=-1)
            kept_there = source.folder.kept
            if source.at is None and kept_there:
                found += [Member(j, step, path) for step, path in kept_there.items() if step > newest]
            elif newest < 0:  # of a run that keeps none its last
                path = kept.checkpoint_at(source.folder, source.at, f"{POOL_PREFIX}RUN@STEP")
                if path.exists():
                    found.append(Member(j, int(read_steps(path, source.seeds).min()), path))
        return found

    def begin(self, states: States) -> States:
        """Return new states with the first members."""
        for i, pool in self.pools.items():
            self._check_start(i)
            own = [Member(j, 0) for j, name in enumerate(pool.runs) if name == SELF]
            states = self._admit(states, i, [*own, *self._found(i, [])])
        return states

    def after_report(self, states: States, keeps: bool) -> States:
        """Return states with new members, and with every member as likely as it should be.

        Where this run is in a pool, its learner joins if the report `keeps` a checkpoint; not one at the end
        of a run that may go on.
        """
        for i, pool in self.pools.items():
            present = self._members(states, i)
            joining = self._found(i, list(present.values()))
            if keeps and SELF in pool.runs:
                joining.append(Member(pool.runs.index(SELF), self._steps(states)))
            if joining:
                states = self._admit(states, i, joining)
            elif pool.sample == "hard":
                states = self._reweigh(states, i)
        return states

    def _steps(self, states: States) -> int:
        return int(self.engine.join([state.steps for state in states]).min())

    def _members(self, states: States, i: int) -> dict[int, Member]:
        """Return the members of a pool by their places."""
        runs, steps = self.engine.join([(s.learners[i].runs, s.learners[i].steps) for s in states])
        pairs = enumerate(zip(runs[0].tolist(), steps[0].tolist(), strict=True))
        return {place: Member(run, step) for place, (run, step) in pairs if run != EMPTY}

    def _admit(self, states: States, i: int, joining: Sequence[Member]) -> States:
        """Return states with new members, in free places or in those of members that give way.

        An episode under way in such a place goes on with the new member.
        """
        pool = self.pools[i]
        present = self._members(states, i)
        stay = thin_out([*present.values(), *joining], pool.capacity)
        free = [place for place in range(pool.capacity) if present.get(place) not in stay]
        learner, games = self.engine.join([(s.learners[i], s.buffers[i]) for s in states])
        for member in stay:
            if member not in joining:
                continue
            place = free.pop(0)
            same_run = learner.runs[0] == member.run
            newest = int(np.argmax(np.where(same_run, learner.steps[0], -1)))
            rating = games.ratings[:, newest] if same_run.any() else np.float32(START_RATING)
            weights, steps = self._weights(states, i, member, learner.members)
            for x, new in zip(jax.tree.leaves(learner.members), jax.tree.leaves(weights), strict=True):
                x[:, place] = new
            learner.steps[:, place] = steps
            learner.runs[:, place] = member.run
            games.ratings[:, place] = games.rating if pool.runs[member.run] == SELF else rating
            for counted in (games.points, games.games, games.played):
                counted[:, place] = 0
        learner.weights[:] = pool.draw_weights(learner.runs, games.scores())
        lanes = self.engine.lanes((learner, games))
        parts = lambda state: (state.learners[i], state.buffers[i])
        return [eqx.tree_at(parts, state, lane) for state, lane in zip(states, lanes, strict=True)]

    def _reweigh(self, states: States, i: int) -> States:
        runs, games = self.engine.join([(s.learners[i].runs, s.buffers[i]) for s in states])
        weights = self.pools[i].draw_weights(runs, games.scores()).astype(np.float32)
        of_pool = lambda state: state.learners[i].weights
        lanes = self.engine.lanes(weights)
        return [eqx.tree_at(of_pool, state, lane) for state, lane in zip(states, lanes, strict=True)]

    def _weights(
        self, states: States, i: int, member: Member, members: PyTree
    ) -> tuple[PyTree, Int[np.ndarray, " seeds"]]:
        """Return what a member learned, and the steps it had trained, for each of this run's seeds."""
        pool = self.pools[i]
        if pool.runs[member.run] == SELF:
            place = [slot.name for slot in self.engine.trainer.slots].index(pool.slot)
            return self.engine.join([(acting_part(s.learners[place]), s.steps) for s in states])
        source = self.sources[i][member.run]
        like = jax.tree.map(lambda x: jax.ShapeDtypeStruct((source.seeds, *x.shape[2:]), x.dtype), members)
        assert member.weights is not None
        loaded = read_player(member.weights, source.place, source.seeds, like)
        own = np.arange(self.engine.config.seeds) % source.seeds
        rows = own if pool.seed is None else np.full_like(own, pool.seed)
        return jax.tree.map(lambda x: x[rows], loaded)

    def metrics(self, states: States) -> Numbers:
        """Return the learner's rating and the number of members, for each seed's row of the report."""
        found: Numbers = {}
        for i in self.pools:
            name = self.engine.trainer.slots[i].name
            rating, runs = self.engine.join([(s.buffers[i].rating, s.learners[i].runs) for s in states])
            found[f"{name}/elo"] = rating[:, None]
            found[f"{name}/members"] = 1.0 * (runs != EMPTY).sum(axis=1, keepdims=True)
        return found

    def summary(self, states: States) -> dict[str, Any]:
        """Return the ratings of the learner and of all members, by the team that the pool plays."""
        content = {}
        for i, pool in self.pools.items():
            games = self.engine.join([state.buffers[i] for state in states])
            mean = lambda x: float(np.mean(x, dtype=np.float64))
            scores = games.scores()
            members = [
                {
                    "run": pool.runs[run],
                    "step": step,
                    "elo": mean(games.ratings[:, place]),
                    "score": mean(scores[:, place]),
                    "games": int(games.played[:, place].sum()),
                }
                for place, (run, step, *_) in self._members(states, i).items()
            ]
            members = sorted(members, key=lambda x: (pool.runs.index(x["run"]), x["step"]))
            rating = summarise_scores(games.rating.astype(float))
            team = self.engine.trainer.slots[i].name
            content[team] = {"sample": pool.sample, "learner_elo": rating, "members": members}
        return content


def acts_alike(one: tuple[LearnerSlot, Spec], other: tuple[LearnerSlot, Spec]) -> bool:
    """Return whether two learners act by the same program, other weights aside."""
    digests = []
    for slot, spec in (one, other):
        traced = TracedLearner(slot, spec, copies=1, length=1)
        digests.append((traced.act.digest(), traced.greedy.digest()))
    return digests[0] == digests[1]
