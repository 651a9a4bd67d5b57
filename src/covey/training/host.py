"""The same loop for worlds that are Python programs: collected in Python, learned from compiled.

The worlds themselves are in no checkpoint: a run that is resumed gives up the episodes under way, as
if a time limit had cut them, and begins new ones. Its bits then differ from an unbroken run's.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from time import perf_counter
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Bool, Int, PRNGKeyArray, PyTree, UInt8, UInt32

from ..core import (
    AbstractHostEnvironment,
    Metrics,
    Observation,
    Trajectory,
)
from ..ops import named
from .acting import Acting
from .copies import REST, STEP, LocalCopies, Recording
from .host_report import HostReport
from .loop import Trainer, TrainState, bit_sums, collecting_metrics
from .rollout import Actors, Rollout, first_episodes, rollout
from .stand_in import StandIn, outcome_layout
from .workers import WorkerCopies, Workers

AnyCopies = LocalCopies | WorkerCopies


class Played(NamedTuple):
    """A rollout as it was collected: rows of bytes, everybody's carries after it, where the time went."""

    outcomes: UInt8[np.ndarray, "moments n width"]
    choices: UInt8[np.ndarray, "steps n choice_width"]
    lost: Bool[np.ndarray, "steps n"]  # steps that a worker lost: its copies were reset instead
    carry: tuple[PyTree[Array], ...]
    seconds: dict[str, float]


class Host:
    """`Trainer`'s init, chunk, evaluate and episodes for worlds that `make` makes, one for each copy.

    Acting, and all that follows a rollout, is compiled, once for all seeds. The worlds of each seed are found
    by its key. `trainer.env` is the worlds' `StandIn`. The copies live here or in processes of `workers`.

    With `ahead`, the next rollout is collected while the last one is learned from. It is then played with the
    weights, and the exploration, of one update before; the first of a chunk with the newest.
    """

    def __init__(
        self,
        trainer: Trainer,
        make: Callable[[], AbstractHostEnvironment],
        workers: Workers | None = None,
        ahead: bool = False,
    ):
        self.trainer = trainer
        self.make = make
        self.copies: dict[bytes, AnyCopies] = {}  # to train on, by seed
        self.evaluation_copies: AnyCopies | None = None
        self.happened = HostReport()
        self.workers = workers
        self.ahead = ahead
        assert isinstance(trainer.env, StandIn)
        self.outcomes = outcome_layout(trainer.env)
        self._acting: dict[bool, Acting] = {}  # by whether it explores
        self._init = jax.jit(lambda key: trainer.init(key))
        self._begin = jax.jit(lambda learners, key: trainer.begin(learners, key, trainer.copies))
        self._seeds = jax.jit(lambda key: jr.randint(key, (trainer.copies,), 0, np.iinfo(np.int32).max))
        self._tick_seeds = jax.jit(self._seeds_of_ticks, static_argnums=1)
        self._assembled = jax.jit(self._assemble, static_argnums=5)
        self._learn_compiled = jax.jit(self._learn, donate_argnums=0)  # the old state is used nowhere else
        self._copy = jax.jit(lambda tree: jax.tree.map(jnp.copy, tree))
        self._first_episodes = jax.jit(first_episodes)
        self._fingerprints = jax.jit(lambda learners: tuple(bit_sums(learner) for learner in learners))

    def init(self, key: PRNGKeyArray) -> TrainState:
        state = self._init(key)
        copies = self._new_copies()
        self.copies[identity(key)] = copies
        first = self._reset(copies, named(key, "begin"))
        return replace(state, actors=replace(state.actors, obs=jax.tree.map(jnp.asarray, first)))

    def chunk(
        self, state: TrainState, clocks: Int[Array | np.ndarray, " chunk"]
    ) -> tuple[TrainState, Metrics, tuple[UInt32[Array, " leaves"], ...]]:
        """Run a chunk as `Trainer.chunk` does. A resumed state has no worlds: its episodes are given up."""
        copies = self.copies.get(identity(state.key))
        if copies is None:
            copies = self._new_copies()
            self.copies[identity(state.key)] = copies
            state = replace(state, actors=replace(state.actors, over=jnp.ones(self.trainer.copies, bool)))
        keys = [named(state.key, "collect", clock) for clock in jnp.asarray(clocks)]
        actors = state.actors
        player = (state.learners, state.steps)
        updates: list[Future[tuple[TrainState, Metrics]]] = []
        with ThreadPoolExecutor(1) as thread:  # it learns
            for clock, key in zip(jnp.asarray(clocks), keys, strict=True):
                played = self._play(copies, player[0], actors, key, player[1], self.trainer.length)
                began = perf_counter()
                result = self._assemble_played(actors, played, True)
                self.happened.add_seconds(played.seconds | {"learning": perf_counter() - began})
                self.happened.ticks += self.trainer.length
                state = updates[-1].result()[0] if updates else state
                player = self._copy((state.learners, state.steps)) if self.ahead else player
                actors = result.actors
                updates.append(thread.submit(self._learn_from, state, result, clock))
                if not self.ahead:
                    state = updates[-1].result()[0]
                    player = (state.learners, state.steps)
        state = updates[-1].result()[0]
        stacked = jax.tree.map(lambda *xs: jnp.stack(xs), *(update.result()[1] for update in updates))
        return state, stacked, self._fingerprints(state.learners)

    def _learn_from(
        self, state: TrainState, collected: Rollout, clock: Int[Array, ""]
    ) -> tuple[TrainState, Metrics]:
        """Return the state that has learned from a rollout, whose actors others may read meanwhile."""
        began = perf_counter()
        state = eqx.tree_at(lambda state: state.actors, state, None)
        parts = (collected.actors, collected.trajectory, collected.ended)
        learned = self._learn_compiled(state, *parts, clock)
        jax.block_until_ready(learned[1])
        self.happened.add_seconds({"learning": perf_counter() - began})
        return learned

    def report(self) -> HostReport:
        """Return what happened since the last call."""
        happened = self.happened
        self.happened = HostReport()
        if self.workers:
            happened.workers = len(self.workers.shares)
            happened.news = self.workers.news
            happened.faults = {"restarts": self.workers.restarts, "given_up": self.workers.given_up}
            self.workers.news = []
            self.workers.restarts = 0
            self.workers.given_up = 0
        return happened

    def evaluate(
        self, learners: tuple, key: PRNGKeyArray, steps: Int[Array, ""], episodes: int
    ) -> dict[str, PyTree[Array]]:
        """Evaluate as `Trainer.evaluate` does, with as many episodes at a time as there are copies."""
        rounds = []
        for i in range(-(-episodes // self.trainer.copies)):
            played = self.episodes(learners, named(key, "round", i), steps)
            rounds.append(self._first_episodes(played.trajectory))
        return jax.tree.map(lambda *xs: jnp.concatenate(xs)[:episodes], *rounds)

    def episodes(
        self,
        learners: tuple,
        key: PRNGKeyArray,
        steps: Int[Array, ""],
        look: Callable[[list], None] | None = None,
    ) -> Rollout:
        """Play greedily in every copy from its beginning to the end of its episode.

        The rollout is as long as the longest episode may be. Nothing happens in it after an episode's end.
        `look` is shown the worlds at every moment until then.
        """
        self.evaluation_copies = self.evaluation_copies or self._new_copies()
        first = self._reset(self.evaluation_copies, named(key, "begin"))
        actors = replace(self._begin(learners, key), obs=first)
        length = self.trainer.spec.horizon
        played = self._play(self.evaluation_copies, learners, actors, key, steps, length, False, look)
        if played.lost.any():  # the same episodes again
            return self.episodes(learners, key, steps)
        return self._assemble_played(actors, played, False)

    def _play(
        self,
        copies: AnyCopies,
        learners: tuple,
        actors: Actors,
        key: PRNGKeyArray,
        steps: Int[Array, ""],
        length: int,
        training: bool = True,
        look: Callable[[list], None] | None = None,
    ) -> Played:
        """Take `length` steps in every copy; a copy whose episode is over is reset instead.

        In an evaluation it rests instead, and nobody explores.
        """
        n = self.trainer.copies
        recording = Recording(self.outcomes, length + 1, n)
        recording.begin(actors.obs)
        acting = self._acting_of(learners, actors.carry, explore=training)
        choices = np.zeros((length, n, acting.choices.size), np.uint8)
        action = acting.choices.views(choices)[0]
        fixed = acting.fixed(learners, key, steps)
        moving = acting.moving(actors.carry)
        over = np.array(actors.over)
        lost = np.zeros((length, n), bool)
        seeds = cache(lambda: np.asarray(self._tick_seeds(key, length)))
        world = 0.0
        shown = [copy.world for copy in copies.each] if look and isinstance(copies, LocalCopies) else []
        began = perf_counter()
        for t in range(length):
            if look:
                look(shown)
            moving, choices[t] = acting.act(fixed, moving, recording.bytes[t])
            orders = np.full(n, STEP)
            if over.any():
                orders[over] = seeds()[t][over] if training else REST
            before = perf_counter()
            lost[t] = copies.play(recording, t + 1, orders, action[t], lambda t=t: seeds()[t])
            world += perf_counter() - before
            over = recording.over(t + 1) & ~over if training else recording.over(t + 1) | over
            if over.all() and not training:
                recording.rows.obs.first[t + 2 :] = True
                break
        if look:
            look(shown)
        seconds = {"world": world, "acting": perf_counter() - began - world}
        return Played(recording.bytes, choices, lost, acting.carry(moving), seconds)

    def _acting_of(self, learners: tuple, carry: tuple, explore: bool) -> Acting:
        if explore not in self._acting:
            self._acting[explore] = Acting(self.trainer, self.outcomes, learners, carry, explore)
        return self._acting[explore]

    def _assemble_played(self, actors: Actors, played: Played, explore: bool) -> Rollout:
        arrays = (played.outcomes, played.choices, played.lost)
        return self._assembled(actors, played.carry, *arrays, explore)

    def _assemble(
        self,
        actors: Actors,
        carry: tuple,
        outcomes: UInt8[Array, "moments n width"],
        choices: UInt8[Array, "steps n choice_width"],
        lost: Bool[Array, "steps n"],
        explore: bool,
    ) -> Rollout:
        """Return what was played as the rollout that `Trainer.rollout` would return."""
        taken = (self.outcomes.unpack(outcomes[1:]), *self._acting[explore].choices.unpack(choices))

        def tick(actors: Actors, t: Int[Array, ""]) -> tuple[Actors, Trajectory, Metrics]:
            step, action, extras = jax.tree.map(lambda x: x[t], taken)
            actors = replace(actors, over=actors.over | lost[t])
            after, ended = self.trainer.absorb(actors, step)
            return replace(after, obs=step.obs), self.trainer.taken(actors, action, step, extras), ended

        result = rollout(tick, actors, len(choices))
        return result._replace(actors=replace(result.actors, carry=carry))

    def _learn(
        self, state: TrainState, actors: Actors, joint: Trajectory, ended: Metrics, clock: Int[Array, ""]
    ) -> tuple[TrainState, Metrics]:
        state = eqx.tree_at(lambda state: state.actors, state, actors, is_leaf=lambda x: x is None)
        state = replace(state, steps=state.steps + jnp.sum(joint.valid))
        state = self.trainer.remember(state, joint, clock)
        state, metrics = self.trainer.learn(state, joint, clock)
        return state, metrics | collecting_metrics(state, joint, ended)

    def _seeds_of_ticks(self, key: PRNGKeyArray, length: int) -> Int[Array, "length n"]:
        """Return the seeds with which copies are reset, if they are, at each tick of a rollout."""
        return jax.vmap(lambda t: self._seeds(named(key, t, "reset")))(jnp.arange(length))

    def _new_copies(self) -> AnyCopies:
        return self.workers.copies() if self.workers else LocalCopies(self.make, self.trainer.copies)

    def _reset(self, copies: AnyCopies, key: PRNGKeyArray) -> Observation:
        """Begin an episode in every copy."""
        n = self.trainer.copies
        recording = Recording(self.outcomes, 1, n)
        seeds = np.asarray(self._seeds(key)).astype(int)
        action = np.zeros((n, *self.trainer.spec.action_shape), self.trainer.spec.action_type)
        copies.play(recording, 0, seeds, action, lambda: seeds)
        return jax.tree.map(lambda x: x[0], recording.rows.obs)


def identity(key: PRNGKeyArray) -> bytes:
    """Return a seed's key as something that a dictionary can hold."""
    return np.asarray(jr.key_data(key)).tobytes()


def in_turn(f: Callable, shared: int = 0) -> Callable:
    """`Layout.spread` for what runs in Python: call f on one seed of a lane after another."""
    pick = jax.jit(lambda tree, i: jax.tree.map(lambda x: x[i], tree))
    stack = jax.jit(lambda trees: jax.tree.map(lambda *xs: jnp.stack(xs), *trees))

    def mapped(*args):
        per_seed = args[: len(args) - shared]
        common = args[len(args) - shared :]
        seeds = len(jax.tree.leaves(per_seed)[0])
        return stack([f(*pick(per_seed, i), *common) for i in range(seeds)])

    return mapped
