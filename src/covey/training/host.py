"""The same loop for worlds that are Python programs: collected in Python, learnt from compiled.

Worlds themselves are in no checkpoint: a run that is resumed gives up the episodes under way, as
if a time limit had cut them, and begins new ones. Its bits then differ from an unbroken run's.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Bool, Int, PRNGKeyArray, PyTree, Shaped, UInt32

from ..core import (
    AbstractEnvironment,
    AbstractHostEnvironment,
    Action,
    HostStep,
    Metrics,
    Observation,
    Spec,
    Step,
    Trajectory,
)
from ..errors import UserError
from ..ops import named
from .loop import Actors, Trainer, TrainState, bits, first_episodes

Choice = tuple[tuple, Shaped[Array, "n agents ..."], tuple]  # memory, action, memo


class StandIn(AbstractEnvironment[None]):
    """A host world's shapes, from which the trainer plans; all it has to say is zeros."""

    spec: Spec
    counts: tuple[str, ...] = eqx.field(static=True, default=())

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[None, Observation]:
        agents, shape = (n, self.spec.agents), (n, self.spec.agents, self.spec.actions)
        return None, Observation(
            agents=jnp.zeros((*agents, self.spec.features)),
            state=jnp.zeros((n, self.spec.state)),
            legal=jnp.ones(shape, bool),
            alive=jnp.ones(agents, bool),
            first=jnp.ones(n, bool),
        )

    def step(self, state: None, action: Action, key: PRNGKeyArray) -> tuple[None, Step]:
        n = action.shape[0]
        nothing, no = jnp.zeros((n, self.spec.agents)), jnp.zeros(n, bool)
        counts = {name: jnp.zeros(n) for name in self.counts}
        return None, Step(self.reset(key, n)[1], nothing, self.spec.team_mean(nothing), no, no, counts)


class Copy:
    """One copy of a world, watched: steps counted, episodes cut at the horizon, nonsense refused."""

    def __init__(self, world: AbstractHostEnvironment):
        self.world, self.spec, self.t = world, world.spec, 0

    def reset(self, seed: int) -> HostStep:
        self.t = 0
        return self.checked(HostStep(self.world.reset(seed), np.zeros(self.spec.agents), False, False))

    def step(self, action: Shaped[np.ndarray, "agents ..."]) -> HostStep:
        self.t += 1
        outcome = self.checked(self.world.step(action))
        cut = not outcome.terminated and (outcome.truncated or self.t >= self.spec.horizon)
        return outcome._replace(truncated=cut)

    def checked(self, outcome: HostStep) -> HostStep:
        """The same outcome, unless a learner would choke on it."""
        spec, seen = self.spec, outcome.obs
        parts = {
            "observations": (seen.agents, (spec.agents, spec.features)),
            "state": (seen.state, (spec.state,)),
            "legal actions": (seen.legal, (spec.agents, spec.actions)),
            "signs of life": (seen.alive, (spec.agents,)),
            "rewards": (outcome.reward, (spec.agents,)),
        }
        if outcome.team_reward is not None:
            parts["team rewards"] = (outcome.team_reward, (len(spec.teams),))
        for what, (x, shape) in parts.items():
            if np.shape(x) != shape:
                self.refuse(f"gave {what} of shape {np.shape(x)}, which its spec says is {shape}")
            if not np.isfinite(x).all():
                odd = np.argwhere(~np.isfinite(x))[0][0]
                whose = f" of {spec.names[odd]}" if shape[0] == spec.agents and what != "state" else ""
                self.refuse(f"gave {what}{whose} that are not finite")
        return outcome

    def refuse(self, what: str):
        raise UserError(
            f"{self.world} {what}, at step {self.t} of an episode: mend the world, or train another"
        )


def batched(
    world: AbstractHostEnvironment, outcomes: Sequence[HostStep], first: Bool[np.ndarray, " n"]
) -> Step:
    """What happened in n copies of a world, as the loop knows it."""
    number = lambda xs: jnp.asarray(np.asarray(xs, np.float32))
    flag = lambda xs: jnp.asarray(np.asarray(xs, bool))
    agents, state, legal, alive = zip(*(outcome.obs for outcome in outcomes), strict=True)
    reward = number([o.reward for o in outcomes])
    means = np.asarray(world.spec.team_mean(reward))
    teams = [m if o.team_reward is None else o.team_reward for m, o in zip(means, outcomes, strict=True)]
    return Step(
        obs=Observation(number(agents), number(state), flag(legal), flag(alive), flag(first)),
        reward=reward,
        team_reward=number(teams),
        terminated=flag([o.terminated for o in outcomes]),
        truncated=flag([o.truncated for o in outcomes]),
        counts={name: number([o.counts.get(name, 0.0) for o in outcomes]) for name in world.counts},
    )


class Host:
    """`Trainer`'s init, chunk and evaluate for worlds that `make` makes, a copy a call.

    All but stepping is the trainer's own, compiled once and used for every seed; each seed keeps
    its copies, found by its key. `trainer.env` is the worlds' `StandIn`.
    """

    def __init__(self, trainer: Trainer, make: Callable[[], AbstractHostEnvironment]):
        self.trainer, self.make = trainer, make
        self.copies: dict[bytes, list[Copy]] = {}  # to train on, by seed
        self.judges: list[Copy] = []  # to evaluate on
        self._start = jax.jit(lambda key: trainer.init(key))
        self._begin = jax.jit(lambda learners, key: trainer.begin(learners, key, trainer.copies))
        self._seeds = jax.jit(lambda key: jr.randint(key, (trainer.copies,), 0, np.iinfo(np.int32).max))
        self._choose = jax.jit(self._choice, static_argnums=5)
        self._settle = jax.jit(self._settled)
        self._learn = jax.jit(self._learnt, donate_argnums=0)
        self._close = jax.jit(trainer.close)
        self._sums = jax.jit(first_episodes)
        self._prints = jax.jit(lambda learners: tuple(bits(learner) for learner in learners))

    def init(self, key: PRNGKeyArray) -> TrainState:
        state = self._start(key)
        copies = self.copies[identity(key)] = self._made()
        obs = self._reset(copies, named(key, "begin"))
        return replace(state, actors=replace(state.actors, obs=obs))

    def chunk(
        self, state: TrainState, clocks: Int[Array, " chunk"]
    ) -> tuple[TrainState, Metrics, tuple[UInt32[Array, " leaves"], ...]]:
        """See `Trainer.chunk`. A state whose worlds are not here was resumed: its episodes are given up."""
        copies = self.copies.get(identity(state.key))
        if copies is None:
            copies = self.copies[identity(state.key)] = self._made()
            state = replace(state, actors=replace(state.actors, over=jnp.ones(len(copies), bool)))
        told = []
        for clock in clocks:
            key = named(state.key, "collect", clock)
            start = (state.learners, state.actors, key, state.steps)
            actors, record, ended = self._rollout(copies, *start, self.trainer.length, True)
            state, metrics = self._learn(replace(state, actors=actors), record, ended, clock)
            told.append(metrics)
        return state, jax.tree.map(lambda *xs: jnp.stack(xs), *told), self._prints(state.learners)

    def evaluate(
        self, learners: tuple, key: PRNGKeyArray, steps: Int[Array, ""], episodes: int
    ) -> dict[str, PyTree[Array]]:
        """See `Trainer.evaluate`; as many at a time as there are copies."""
        rounds = [
            self._round(learners, named(key, "round", i), steps)
            for i in range(-(-episodes // self.trainer.copies))
        ]
        return jax.tree.map(lambda *xs: jnp.concatenate(xs)[:episodes], *rounds)

    def _round(self, learners: tuple, key: PRNGKeyArray, steps: Int[Array, ""]) -> dict[str, PyTree[Array]]:
        return self._sums(self.episodes(learners, key, steps))

    def episodes(self, learners: tuple, key: PRNGKeyArray, steps: Int[Array, ""]) -> Trajectory:
        """As long as the longest greedy episode, from its beginning, in every copy."""
        self.judges = self.judges or self._made()
        obs = self._reset(self.judges, named(key, "begin"))
        actors = replace(self._begin(learners, key), obs=obs)
        length = self.trainer.spec.horizon
        actors, record, _ = self._rollout(self.judges, learners, actors, key, steps, length, False)
        return self._close(record, actors.obs)

    def _rollout(
        self,
        copies: list[Copy],
        learners: tuple,
        actors: Actors,
        key: PRNGKeyArray,
        steps,
        length: int,
        explore: bool,
    ) -> tuple[Actors, Trajectory, Metrics]:
        """`length` steps of every copy; the observation after the last is the actors'."""
        records, ends = [], []
        for t in range(length):
            choice, begin = self._choose(learners, actors, key, np.int32(t), steps, explore)
            step = self._stepped(copies, actors.over, choice[1], begin)
            actors, record, ended = self._settle(actors, choice, step)
            records.append(record)
            ends.append(ended)
        record = jax.tree.map(lambda *xs: np.stack(xs, axis=1), *records)
        return actors, record, jax.tree.map(lambda *xs: jnp.asarray(np.sum(xs, axis=0)), *ends)

    def _choice(
        self, learners: tuple, actors: Actors, key: PRNGKeyArray, t: Int[Array, ""], steps, explore: bool
    ) -> tuple[Choice, PRNGKeyArray]:
        """What everybody does now, and the key of what begins anew."""
        key = named(key, t)
        choice = self.trainer.act(learners, actors.carry, actors.obs, named(key, "act"), steps, explore)
        return choice, named(key, "reset")

    def _settled(self, actors: Actors, choice: Choice, step: Step) -> tuple[Actors, Trajectory, Metrics]:
        carry, action, extras = choice
        now, ended = self.trainer.absorb(actors, step)
        now = replace(now, obs=step.obs, carry=carry)
        return now, self.trainer.record(actors, action, step, extras), ended

    def _learnt(
        self, state: TrainState, record: Trajectory, ended: Metrics, clock: Int[Array, ""]
    ) -> tuple[TrainState, Metrics]:
        rollouts = self.trainer.close(record, state.actors.obs)
        state = replace(state, steps=state.steps + jnp.sum(rollouts.valid))
        state = self.trainer.remember(state, rollouts, clock)
        state, metrics = self.trainer.learn(state, rollouts, clock)
        return state, metrics | self.trainer.lived(state, rollouts, ended)

    def _made(self) -> list[Copy]:
        return [Copy(self.make()) for _ in range(self.trainer.copies)]

    def _reset(self, copies: list[Copy], key: PRNGKeyArray) -> Observation:
        return self._stepped(copies, jnp.ones(len(copies), bool), np.zeros(len(copies)), key).obs

    def _stepped(
        self, copies: list[Copy], over: Bool[Array, " n"], action: Shaped[Any, "n ..."], key: PRNGKeyArray
    ) -> Step:
        """A step of every copy; where an episode is over, that of beginning anew."""
        seeds, anew = np.asarray(self._seeds(key)), np.asarray(over)
        each = zip(copies, anew, seeds, np.asarray(action), strict=True)
        outcomes = [copy.reset(int(seed)) if new else copy.step(act) for copy, new, seed, act in each]
        return batched(copies[0].world, outcomes, anew)


def identity(key: PRNGKeyArray) -> bytes:
    """A seed's key, to find things by."""
    return np.asarray(jr.key_data(key)).tobytes()


def in_turn(f: Callable, shared: int = 0) -> Callable:
    """`Layout.spread` for what runs in Python: f on one seed of a lane after another."""

    def mapped(*args):
        mine, common = args[: len(args) - shared], args[len(args) - shared :]
        seeds = len(jax.tree.leaves(mine)[0])
        done = [f(*jax.tree.map(lambda x, i=i: x[i], mine), *common) for i in range(seeds)]
        return jax.tree.map(lambda *xs: jnp.stack(xs), *done)

    return mapped
