"""The same loop for worlds that are Python programs: collected in Python, learned from compiled.

The worlds themselves are in no checkpoint: a run that is resumed gives up the episodes under way, as
if a time limit had cut them, and begins new ones. Its bits then differ from an unbroken run's.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NoReturn

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
from .loop import Trainer, TrainState, bit_sums, collecting_metrics
from .rollout import Actors, Rollout, first_episodes, rollout

Choice = tuple[tuple, Shaped[Array, "n agents ..."], dict[str, PyTree]]  # carries, action, extras


class StandIn(AbstractEnvironment[None]):
    """The shapes of a host world, from which the trainer plans. Its observations are zeros."""

    spec: Spec
    counts: tuple[str, ...] = eqx.field(static=True, default=())

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[None, Observation]:
        agents = (n, self.spec.agents)
        return None, Observation(
            agents=jnp.zeros((*agents, self.spec.features)),
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


class Copy:
    """One copy of a world. It counts steps, cuts episodes at the horizon and refuses malformed numbers."""

    def __init__(self, world: AbstractHostEnvironment):
        self.world = world
        self.spec = world.spec
        self.t = 0

    def reset(self, seed: int) -> HostStep:
        self.t = 0
        return self.checked(HostStep(self.world.reset(seed), np.zeros(self.spec.agents), False, False))

    def step(self, action: Shaped[np.ndarray, "agents ..."]) -> HostStep:
        self.t += 1
        outcome = self.checked(self.world.step(action))
        cut = not outcome.terminated and (outcome.truncated or self.t >= self.spec.horizon)
        return outcome._replace(truncated=cut)

    def checked(self, outcome: HostStep) -> HostStep:
        """Return the outcome if its shapes are the spec's and its numbers finite."""
        spec = self.spec
        obs = outcome.obs
        parts = {
            "observations": (obs.agents, (spec.agents, spec.features)),
            "state": (obs.state, (spec.state,)),
            "legal actions": (obs.legal, (spec.agents, spec.actions)),
            "signs of life": (obs.alive, (spec.agents,)),
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

    def refuse(self, problem: str) -> NoReturn:
        raise UserError(
            f"{self.world} {problem}, at step {self.t} of an episode: mend the world, or train another"
        )


def batched(
    world: AbstractHostEnvironment, outcomes: Sequence[HostStep], first: Bool[np.ndarray, " n"]
) -> Step:
    """Return the outcomes of n copies of a world as one step."""
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
    """`Trainer`'s init, chunk, evaluate and episodes for worlds that `make` makes, one for each copy.

    All but stepping the worlds is compiled, once for all seeds. The worlds of each seed are found by its
    key. `trainer.env` is the worlds' `StandIn`.
    """

    def __init__(self, trainer: Trainer, make: Callable[[], AbstractHostEnvironment]):
        self.trainer = trainer
        self.make = make
        self.copies: dict[bytes, list[Copy]] = {}  # to train on, by seed
        self.evaluation_copies: list[Copy] = []
        self._init = jax.jit(lambda key: trainer.init(key))
        self._begin = jax.jit(lambda learners, key: trainer.begin(learners, key, trainer.copies))
        self._seeds = jax.jit(lambda key: jr.randint(key, (trainer.copies,), 0, np.iinfo(np.int32).max))
        self._choose_compiled = jax.jit(self._choose, static_argnums=5)
        self._absorb_compiled = jax.jit(self._absorb)
        self._learn_compiled = jax.jit(self._learn, donate_argnums=0)  # the old state is used nowhere else
        self._first_episodes = jax.jit(first_episodes)
        self._fingerprints = jax.jit(lambda learners: tuple(bit_sums(learner) for learner in learners))

    def init(self, key: PRNGKeyArray) -> TrainState:
        state = self._init(key)
        copies = self._new_copies()
        self.copies[identity(key)] = copies
        obs = self._reset(copies, named(key, "begin"))
        return replace(state, actors=replace(state.actors, obs=obs))

    def chunk(
        self, state: TrainState, clocks: Int[Array | np.ndarray, " chunk"]
    ) -> tuple[TrainState, Metrics, tuple[UInt32[Array, " leaves"], ...]]:
        """Run a chunk as `Trainer.chunk` does. A resumed state has no worlds: its episodes are given up."""
        copies = self.copies.get(identity(state.key))
        if copies is None:
            copies = self._new_copies()
            self.copies[identity(state.key)] = copies
            state = replace(state, actors=replace(state.actors, over=jnp.ones(len(copies), bool)))
        all_metrics = []
        for clock in jnp.asarray(clocks):
            key = named(state.key, "collect", clock)
            length = self.trainer.length
            result = self._rollout(copies, state.learners, state.actors, key, state.steps, length, True)
            state = replace(state, actors=result.actors)
            state, metrics = self._learn_compiled(state, result.trajectory, result.ended, clock)
            all_metrics.append(metrics)
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
        """Play greedily in every copy from its beginning, for as long as the longest episode."""
        self.evaluation_copies = self.evaluation_copies or self._new_copies()
        obs = self._reset(self.evaluation_copies, named(key, "begin"))
        actors = replace(self._begin(learners, key), obs=obs)
        length = self.trainer.spec.horizon
        return self._rollout(self.evaluation_copies, learners, actors, key, steps, length, False)

    def _rollout(
        self,
        copies: list[Copy],
        learners: tuple,
        actors: Actors,
        key: PRNGKeyArray,
        steps,
        length: int,
        explore: bool,
    ) -> Rollout:
        def tick(actors: Actors, t: np.int32) -> tuple[Actors, Trajectory, Metrics]:
            choice, reset_key = self._choose_compiled(learners, actors, key, t, steps, explore)
            step = self._step(copies, actors.over, choice[1], reset_key)
            return self._absorb_compiled(actors, choice, step)

        return rollout(tick, actors, length, scan=scan_in_python)

    def _choose(
        self, learners: tuple, actors: Actors, key: PRNGKeyArray, t: Int[Array, ""], steps, explore: bool
    ) -> tuple[Choice, PRNGKeyArray]:
        """Return everybody's actions, and the key by which copies are reset."""
        key = named(key, t)
        choice = self.trainer.act(learners, actors.carry, actors.obs, named(key, "act"), steps, explore)
        return choice, named(key, "reset")

    def _absorb(self, actors: Actors, choice: Choice, step: Step) -> tuple[Actors, Trajectory, Metrics]:
        carry, action, extras = choice
        after, ended = self.trainer.absorb(actors, step)
        after = replace(after, obs=step.obs, carry=carry)
        return after, self.trainer.taken(actors, action, step, extras), ended

    def _learn(
        self, state: TrainState, joint: Trajectory, ended: Metrics, clock: Int[Array, ""]
    ) -> tuple[TrainState, Metrics]:
        state = replace(state, steps=state.steps + jnp.sum(joint.valid))
        state = self.trainer.remember(state, joint, clock)
        state, metrics = self.trainer.learn(state, joint, clock)
        return state, metrics | collecting_metrics(state, joint, ended)

    def _new_copies(self) -> list[Copy]:
        return [Copy(self.make()) for _ in range(self.trainer.copies)]

    def _reset(self, copies: list[Copy], key: PRNGKeyArray) -> Observation:
        return self._step(copies, jnp.ones(len(copies), bool), np.zeros(len(copies)), key).obs

    def _step(
        self, copies: list[Copy], over: Bool[Array, " n"], action: Shaped[Any, "n ..."], key: PRNGKeyArray
    ) -> Step:
        """Take one step in every copy; a copy whose episode is over is reset instead."""
        seeds = np.asarray(self._seeds(key))
        resets = np.asarray(over)
        each = zip(copies, resets, seeds, np.asarray(action), strict=True)
        outcomes = [copy.reset(int(seed)) if reset else copy.step(act) for copy, reset, seed, act in each]
        return batched(copies[0].world, outcomes, resets)


def identity(key: PRNGKeyArray) -> bytes:
    """Return a seed's key as something that a dictionary can hold."""
    return np.asarray(jr.key_data(key)).tobytes()


def scan_in_python(f: Callable, carry: Any, xs: Int[Array, " length"]) -> tuple[Any, PyTree]:
    """`jax.lax.scan` for a function that is no JAX program."""
    outputs = []
    for x in np.asarray(xs):
        carry, output = f(carry, x)
        outputs.append(output)
    return carry, jax.tree.map(lambda *ys: np.stack(ys), *outputs)


def in_turn(f: Callable, shared: int = 0) -> Callable:
    """`Layout.spread` for what runs in Python: call f on one seed of a lane after another."""

    def mapped(*args):
        per_seed = args[: len(args) - shared]
        common = args[len(args) - shared :]
        seeds = len(jax.tree.leaves(per_seed)[0])
        results = [f(*jax.tree.map(lambda x, i=i: x[i], per_seed), *common) for i in range(seeds)]
        return jax.tree.map(lambda *xs: jnp.stack(xs), *results)

    return mapped
