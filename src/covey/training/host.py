"""The same loop for worlds that are Python programs: collected in Python, learned from compiled.

The worlds themselves are in no checkpoint: a run that is resumed gives up the episodes under way, as
if a time limit had cut them, and begins new ones. Its bits then differ from an unbroken run's.
"""

from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray, PyTree, UInt8, UInt32

from ..core import (
    AbstractEnvironment,
    AbstractHostEnvironment,
    Action,
    Metrics,
    Observation,
    Spec,
    Step,
    Trajectory,
)
from ..ops import named
from .acting import Acting, one_copy
from .copies import REST, STEP, LocalCopies, Recording
from .loop import Trainer, TrainState, bit_sums, collecting_metrics
from .rollout import Actors, Rollout, first_episodes, rollout
from .rows import RowLayout


class StandIn(AbstractEnvironment[None]):
    """The shapes of a host world, from which the trainer plans. Its observations are zeros."""

    spec: Spec
    counts: tuple[str, ...] = eqx.field(static=True, default=())

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[None, Observation]:
        agents = (n, self.spec.agents)
        return None, Observation(
            agents=jnp.zeros((*agents, self.spec.features), self.spec.feature_type),
            state=jnp.zeros((n, self.spec.state)),
            legal=jnp.ones((*agents, self.spec.actions), bool),
            alive=jnp.ones(agents, bool),
            first=jnp.ones(n, bool),
        )

    def step(self, state: None, action: Action, key: PRNGKeyArray) -> tuple[None, Step]:
        n = action.shape[0]
        reward = jnp.zeros((n, self.spec.agents))
        over = jnp.zeros(n, bool)
        counts = {name: jnp.zeros(n) for name in self.counts}
        return None, Step(self.reset(key, n)[1], reward, self.spec.team_mean(reward), over, over, counts)


class Played(NamedTuple):
    """A rollout as it was collected: rows of bytes, everybody's carries after it, where the time went."""

    outcomes: UInt8[np.ndarray, "moments n width"]
    choices: UInt8[np.ndarray, "steps n choice_width"]
    carry: tuple[PyTree[Array], ...]
    seconds: dict[str, float]


class Host:
    """`Trainer`'s init, chunk, evaluate and episodes for worlds that `make` makes, one for each copy.

    Acting, and all that follows a rollout, is compiled, once for all seeds. The worlds of each seed are found
    by its key. `trainer.env` is the worlds' `StandIn`. `seconds` says where the time of training went.
    """

    def __init__(self, trainer: Trainer, make: Callable[[], AbstractHostEnvironment]):
        self.trainer = trainer
        self.make = make
        self.copies: dict[bytes, LocalCopies] = {}  # to train on, by seed
        self.evaluation_copies: LocalCopies | None = None
        self.seconds: dict[str, float] = {"world": 0.0, "acting": 0.0, "learning": 0.0}
        action = jax.ShapeDtypeStruct((trainer.copies, *trainer.spec.action_shape), trainer.spec.action_type)
        outcome = jax.eval_shape(lambda action: trainer.env.step(None, action, jr.key(0))[1], action)
        self.outcomes = RowLayout(one_copy(outcome))
        self._acting: dict[bool, Acting] = {}  # by whether it explores
        self._init = jax.jit(lambda key: trainer.init(key))
        self._begin = jax.jit(lambda learners, key: trainer.begin(learners, key, trainer.copies))
        self._seeds = jax.jit(lambda key: jr.randint(key, (trainer.copies,), 0, np.iinfo(np.int32).max))
        self._tick_seeds = jax.jit(self._seeds_of_ticks, static_argnums=1)
        self._assembled = jax.jit(self._assemble, static_argnums=4)
        self._learn_compiled = jax.jit(self._learn, donate_argnums=0)  # the old state is used nowhere else
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
        all_metrics = []
        for clock in jnp.asarray(clocks):
            key = named(state.key, "collect", clock)
            played = self._play(copies, state.learners, state.actors, key, state.steps, self.trainer.length)
            began = perf_counter()
            result = self._assemble_played(state.actors, played, True)
            state = replace(state, actors=result.actors)
            state, metrics = self._learn_compiled(state, result.trajectory, result.ended, clock)
            all_metrics.append(jax.block_until_ready(metrics))
            self.seconds["learning"] += perf_counter() - began
            for what, spent in played.seconds.items():
                self.seconds[what] += spent
        stacked = jax.tree.map(lambda *xs: jnp.stack(xs), *all_metrics)
        return state, stacked, self._fingerprints(state.learners)

    def evaluate(
        self, learners: tuple, key: PRNGKeyArray, steps: Int[Array, ""], episodes: int
    ) -> dict[str, PyTree[Array]]:
        """Evaluate as `Trainer.evaluate` does, with as many episodes at a time as there are copies."""
        rounds = []
        for i in range(-(-episodes // self.trainer.copies)):
            played = self.episodes(learners, named(key, "round", i), steps)
            rounds.append(self._first_episodes(played.trajectory))
        return jax.tree.map(lambda *xs: jnp.concatenate(xs)[:episodes], *rounds)

    def episodes(self, learners: tuple, key: PRNGKeyArray, steps: Int[Array, ""]) -> Rollout:
        """Play greedily in every copy from its beginning to the end of its episode.

        The rollout is as long as the longest episode may be. Nothing happens in it after an episode's end.
        """
        self.evaluation_copies = self.evaluation_copies or self._new_copies()
        first = self._reset(self.evaluation_copies, named(key, "begin"))
        actors = replace(self._begin(learners, key), obs=first)
        length = self.trainer.spec.horizon
        played = self._play(self.evaluation_copies, learners, actors, key, steps, length, training=False)
        return self._assemble_played(actors, played, False)

    def _play(
        self,
        copies: LocalCopies,
        learners: tuple,
        actors: Actors,
        key: PRNGKeyArray,
        steps: Int[Array, ""],
        length: int,
        training: bool = True,
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
        seeds = None
        world = 0.0
        began = perf_counter()
        for t in range(length):
            moving, choices[t] = acting.act(fixed, moving, recording.bytes[t])
            orders = np.full(n, STEP)
            if over.any():
                if training and seeds is None:
                    seeds = np.asarray(self._tick_seeds(key, length))
                orders[over] = seeds[t][over] if seeds is not None else REST
            before = perf_counter()
            copies.play(recording, t + 1, orders, action[t])
            world += perf_counter() - before
            over = recording.over(t + 1) & ~over if training else recording.over(t + 1) | over
            if over.all() and not training:
                recording.rows.obs.first[t + 2 :] = True
                break
        seconds = {"world": world, "acting": perf_counter() - began - world}
        return Played(recording.bytes, choices, acting.carry(moving), seconds)

    def _acting_of(self, learners: tuple, carry: tuple, explore: bool) -> Acting:
        if explore not in self._acting:
            self._acting[explore] = Acting(self.trainer, self.outcomes, learners, carry, explore)
        return self._acting[explore]

    def _assemble_played(self, actors: Actors, played: Played, explore: bool) -> Rollout:
        return self._assembled(actors, played.carry, played.outcomes, played.choices, explore)

    def _assemble(
        self,
        actors: Actors,
        carry: tuple,
        outcomes: UInt8[Array, "moments n width"],
        choices: UInt8[Array, "steps n choice_width"],
        explore: bool,
    ) -> Rollout:
        """Return what was played as the rollout that `Trainer.rollout` would return."""
        taken = (self.outcomes.unpack(outcomes[1:]), *self._acting[explore].choices.unpack(choices))

        def tick(actors: Actors, t: Int[Array, ""]) -> tuple[Actors, Trajectory, Metrics]:
            step, action, extras = jax.tree.map(lambda x: x[t], taken)
            after, ended = self.trainer.absorb(actors, step)
            return replace(after, obs=step.obs), self.trainer.taken(actors, action, step, extras), ended

        result = rollout(tick, actors, len(choices))
        return result._replace(actors=replace(result.actors, carry=carry))

    def _learn(
        self, state: TrainState, joint: Trajectory, ended: Metrics, clock: Int[Array, ""]
    ) -> tuple[TrainState, Metrics]:
        state = replace(state, steps=state.steps + jnp.sum(joint.valid))
        state = self.trainer.remember(state, joint, clock)
        state, metrics = self.trainer.learn(state, joint, clock)
        return state, metrics | collecting_metrics(state, joint, ended)

    def _seeds_of_ticks(self, key: PRNGKeyArray, length: int) -> Int[Array, "length n"]:
        """Return the seeds with which copies are reset, if they are, at each tick of a rollout."""
        return jax.vmap(lambda t: self._seeds(named(key, t, "reset")))(jnp.arange(length))

    def _new_copies(self) -> LocalCopies:
        return LocalCopies(self.make, self.trainer.copies)

    def _reset(self, copies: LocalCopies, key: PRNGKeyArray) -> Observation:
        """Begin an episode in every copy."""
        n = self.trainer.copies
        recording = Recording(self.outcomes, 1, n)
        copies.play(recording, 0, np.asarray(self._seeds(key)), np.zeros((n, 1)))
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
