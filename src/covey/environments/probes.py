"""Probes: worlds so small that the right answer is known. Each tests one thing."""

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from ..core import AbstractEnvironment, Action, Observation, Spec, Step
from ..ops import named
from ..ranges import Count
from .games import shared_reward_step

_PAIR = ("left", "right")


def _random_bits(key: PRNGKeyArray, shape: tuple[int, ...]) -> Float[Array, "*shape"]:
    """Draw -1 or 1; an agent acts out -1 by action 0, and 1 by action 1."""
    return jr.rademacher(key, shape, float)


def _observation(
    shown: Float[Array, "n agents"],
    clock: Float[Array, " n"],
    state: Float[Array, "n state"],
    first: Bool[Array, " n"],
) -> Observation:
    """Return an observation in which each agent sees what it is `shown`, the time, and 1.

    Every action is legal, and nobody dies.
    """
    clock = jnp.broadcast_to(clock[:, None], shown.shape)
    return Observation(
        agents=jnp.stack([shown, clock, jnp.ones_like(shown)], axis=-1),
        state=state,
        legal=jnp.ones((*shown.shape, 2), bool),
        alive=jnp.ones(shown.shape, bool),
        first=first,
    )


class RecallState(eqx.Module):
    bit: Float[Array, "2 n"]
    t: Int[Array, " n"]


class Recall(AbstractEnvironment[RecallState]):
    """Memory: each of two agents is shown a bit and must act it out `delay` steps later.

    The reward is 1, at the end, if both do. The best return is 1; without memory it is 1/4.
    """

    spec: Spec
    delay: int

    def __init__(self, delay: Count = 2):
        self.delay = delay
        self.spec = Spec(_PAIR, features=3, state=3, actions=2, horizon=delay + 1)

    def observe(self, state: RecallState) -> Observation:
        clock = state.t / self.delay
        first = state.t == 0
        shown = jnp.where(first, state.bit, 0.0)
        return _observation(shown.T, clock, jnp.stack([*state.bit, clock], axis=1), first)

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[RecallState, Observation]:
        state = RecallState(_random_bits(named(key, "bit"), (2, n)), jnp.zeros(n, int))
        return state, self.observe(state)

    def step(self, state: RecallState, action: Action, key: PRNGKeyArray) -> tuple[RecallState, Step]:
        over = state.t >= self.delay
        right = jnp.all((state.bit > 0) == action.T, axis=0)
        state = RecallState(state.bit, state.t + 1)
        return state, shared_reward_step(self.observe(state), 1.0 * (over & right), over)


class CoordinationState(eqx.Module):
    bit: Float[Array, " n"]
    lead: Float[Array, " n"]  # the left agent's first action as -1 or 1; 0 before it
    t: Int[Array, " n"]


class Coordination(AbstractEnvironment[CoordinationState]):
    """Lead and follow: the left agent acts out a bit that only it is shown; the right agent observes that
    action and must repeat it a step later.

    The reward is 1, at the end, if both do. The best return is 1; if the right agent ignores what it
    observes, 1/2; at random, 1/4.
    """

    spec: Spec

    def __init__(self):
        self.spec = Spec(_PAIR, features=3, state=3, actions=2, horizon=2)

    def observe(self, state: CoordinationState) -> Observation:
        clock = 1.0 * state.t
        first = state.t == 0
        shown = jnp.stack([jnp.where(first, state.bit, 0.0), state.lead], axis=1)
        return _observation(shown, clock, jnp.stack([state.bit, state.lead, clock], axis=1), first)

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[CoordinationState, Observation]:
        state = CoordinationState(_random_bits(named(key, "bit"), (n,)), jnp.zeros(n), jnp.zeros(n, int))
        return state, self.observe(state)

    def step(
        self, state: CoordinationState, action: Action, key: PRNGKeyArray
    ) -> tuple[CoordinationState, Step]:
        left, right = 2.0 * action.T - 1
        over = state.t > 0
        together = over & (state.lead == state.bit) & (right == state.lead)
        state = CoordinationState(state.bit, jnp.where(over, state.lead, left), state.t + 1)
        return state, shared_reward_step(self.observe(state), 1.0 * together, over)


class Truncation(AbstractEnvironment[Int[Array, " n"]]):
    """Time limits: every step pays 1, whatever the actions; episodes are cut off after `horizon` steps.

    Observations do not show the time, so the value is 1 / (1 - gamma) everywhere. It comes out smaller if an
    algorithm takes the cut for a true end. Every return is `horizon`.
    """

    spec: Spec

    def __init__(self, horizon: Count = 5):
        self.spec = Spec(_PAIR, features=1, state=1, actions=2, horizon=horizon)

    def observe(self, t: Int[Array, " n"]) -> Observation:
        n = len(t)
        legal = jnp.ones((n, 2, 2), bool)
        alive = jnp.ones((n, 2), bool)
        return Observation(jnp.ones((n, 2, 1)), jnp.ones((n, 1)), legal, alive, first=t == 0)

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[Int[Array, " n"], Observation]:
        t = jnp.zeros(n, int)
        return t, self.observe(t)

    def step(
        self, state: Int[Array, " n"], action: Action, key: PRNGKeyArray
    ) -> tuple[Int[Array, " n"], Step]:
        t = state + 1
        reward = jnp.ones(action.shape)
        over = t >= self.spec.horizon
        return t, Step(self.observe(t), reward, self.spec.team_mean(reward), jnp.zeros_like(over), over)


class MeetingState(eqx.Module):
    place: Float[Array, "2 n"]
    t: Int[Array, " n"]


class Meeting(AbstractEnvironment[MeetingState]):
    """Continuous actions: each of two agents on a line from -1 to 1 is paid minus its distance from 0.

    An action, from -1 to 1, moves an agent by up to 0.3. The best policy goes straight to 0: its expected
    return is -0.33 for every horizon of 3 steps or more. Episodes are cut off, never terminated.
    """

    spec: Spec

    def __init__(self, horizon: Count = 10):
        self.spec = Spec(_PAIR, features=1, state=2, actions=1, horizon=horizon, bounds=(-1.0, 1.0))

    def observe(self, state: MeetingState) -> Observation:
        place = state.place.T
        features = place[..., None]
        legal = jnp.ones(features.shape, bool)
        alive = jnp.ones(place.shape, bool)
        return Observation(features, place, legal, alive, state.t == 0)

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[MeetingState, Observation]:
        place = jr.uniform(named(key, "place"), (2, n), minval=-1.0, maxval=1.0)
        state = MeetingState(place, jnp.zeros(n, int))
        return state, self.observe(state)

    def step(self, state: MeetingState, action: Action, key: PRNGKeyArray) -> tuple[MeetingState, Step]:
        place = jnp.clip(state.place + 0.3 * action[..., 0].T, -1.0, 1.0)
        state = MeetingState(place, state.t + 1)
        reward = -jnp.abs(place.T)
        over = state.t >= self.spec.horizon
        team = self.spec.team_mean(reward)
        return state, Step(self.observe(state), reward, team, jnp.zeros_like(over), over)


class DeathState(eqx.Module):
    bit: Float[Array, "2 n"]
    t: Int[Array, " n"]


class Death(AbstractEnvironment[DeathState]):
    """Deaths: two agents are shown a new bit at each of `horizon` steps, and paid 1 if every living agent
    acts it out. The left agent dies after `life` steps: then it observes zeros and has only action 0.

    The best team return is `horizon`. If the dead counted, the last steps could not be won for certain.
    """

    spec: Spec
    life: int

    def __init__(self, life: Count = 2, horizon: Count = 4):
        self.life = life
        self.spec = Spec(_PAIR, features=3, state=4, actions=2, horizon=horizon)

    def alive(self, state: DeathState) -> Bool[Array, "2 n"]:
        return jnp.stack([state.t < self.life, jnp.ones_like(state.t, bool)])

    def observe(self, state: DeathState) -> Observation:
        alive = self.alive(state).T
        clock = state.t / self.spec.horizon
        world = jnp.stack([*state.bit, *(1.0 * alive.T)], axis=1)
        obs = _observation(state.bit.T, clock, world, state.t == 0)
        features = jnp.where(alive[..., None], obs.agents, 0.0)
        legal = alive[..., None] | (jnp.arange(2) == 0)
        return Observation(features, obs.state, legal, alive, obs.first)

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[DeathState, Observation]:
        state = DeathState(_random_bits(named(key, "bit"), (2, n)), jnp.zeros(n, int))
        return state, self.observe(state)

    def step(self, state: DeathState, action: Action, key: PRNGKeyArray) -> tuple[DeathState, Step]:
        alive = self.alive(state)
        right = ((state.bit > 0) == action.T) | ~alive
        team = 1.0 * jnp.all(right, axis=0)
        state = DeathState(_random_bits(named(key, "bit"), state.bit.shape), state.t + 1)
        over = state.t >= self.spec.horizon
        return state, Step(self.observe(state), (team * alive).T, team[:, None], over, jnp.zeros_like(over))
