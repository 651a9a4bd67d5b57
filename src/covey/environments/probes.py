"""Worlds so small that the right answer is known. Each tests one thing, and says what is best."""

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from ..core import AbstractEnvironment, Action, Observation, Spec, Step
from ..errors import SettingError
from ..ops import named
from .games import shared

PAIR = ("left", "right")


def at_least(least: int, **options: int) -> None:
    for name, value in options.items():
        if value < least:
            raise SettingError(name, "is too short", f"set `{name}={least}` or more", value=value)


def bits(key: PRNGKeyArray, shape: tuple[int, ...]) -> Float[Array, "*shape"]:
    """-1 or 1; acted out by action 0 or 1."""
    return jr.rademacher(key, shape, float)


def glimpse(
    shown: Float[Array, "n agents"],
    clock: Float[Array, " n"],
    state: Float[Array, "n state"],
    first: Bool[Array, " n"],
) -> Observation:
    """Each agent sees what it is `shown`, and the time, and 1; everything is legal, nobody dies."""
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
    """Memory: each of two agents is shown a bit, and must act it out `delay` steps later.

    Paid 1, at the end, if both do. Best return 1; without memory 1/4.
    """

    spec: Spec
    delay: int

    def __init__(self, delay: int = 2):
        at_least(1, delay=delay)
        self.delay = delay
        self.spec = Spec(PAIR, features=3, state=3, actions=2, horizon=delay + 1)

    def observe(self, state: RecallState) -> Observation:
        clock, first = state.t / self.delay, state.t == 0
        shown = jnp.where(first, state.bit, 0.0)
        return glimpse(shown.T, clock, jnp.stack([*state.bit, clock], axis=1), first)

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[RecallState, Observation]:
        state = RecallState(bits(named(key, "bit"), (2, n)), jnp.zeros(n, int))
        return state, self.observe(state)

    def step(self, state: RecallState, action: Action, key: PRNGKeyArray) -> tuple[RecallState, Step]:
        over = state.t >= self.delay
        right = jnp.all((state.bit > 0) == action.T, axis=0)
        state = RecallState(state.bit, state.t + 1)
        return state, shared(self.observe(state), 1.0 * (over & right), over)


class CoordinationState(eqx.Module):
    bit: Float[Array, " n"]
    lead: Float[Array, " n"]  # what the left agent did; 0 before it did anything
    t: Int[Array, " n"]


class Coordination(AbstractEnvironment[CoordinationState]):
    """Lead and follow: the left agent acts out a bit that only it is shown; the right agent, which sees
    what left did, must do the same a step later.

    Paid 1, at the end, if both do. Best return 1; if right cannot see, 1/2; at random 1/4.
    """

    spec: Spec

    def __init__(self):
        self.spec = Spec(PAIR, features=3, state=3, actions=2, horizon=2)

    def observe(self, state: CoordinationState) -> Observation:
        clock, first = 1.0 * state.t, state.t == 0
        shown = jnp.stack([jnp.where(first, state.bit, 0.0), state.lead], axis=1)
        return glimpse(shown, clock, jnp.stack([state.bit, state.lead, clock], axis=1), first)

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[CoordinationState, Observation]:
        state = CoordinationState(bits(named(key, "bit"), (n,)), jnp.zeros(n), jnp.zeros(n, int))
        return state, self.observe(state)

    def step(
        self, state: CoordinationState, action: Action, key: PRNGKeyArray
    ) -> tuple[CoordinationState, Step]:
        left, right = 2.0 * action.T - 1
        over = state.t > 0
        together = over & (state.lead == state.bit) & (right == state.lead)
        state = CoordinationState(state.bit, jnp.where(over, state.lead, left), state.t + 1)
        return state, shared(self.observe(state), 1.0 * together, over)


class Truncation(AbstractEnvironment[Int[Array, " n"]]):
    """Time limits: every step pays 1 whatever is done; episodes are cut off after `horizon` steps.

    Nothing tells the time, so the value is 1 / (1 - gamma) everywhere, and smaller for whoever
    takes the cut for an end. Every return is `horizon`.
    """

    spec: Spec

    def __init__(self, horizon: int = 5):
        at_least(1, horizon=horizon)
        self.spec = Spec(PAIR, features=1, state=1, actions=2, horizon=horizon)

    def observe(self, t: Int[Array, " n"]) -> Observation:
        n = len(t)
        legal, alive = jnp.ones((n, 2, 2), bool), jnp.ones((n, 2), bool)
        return Observation(jnp.ones((n, 2, 1)), jnp.ones((n, 1)), legal, alive, first=t == 0)

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[Int[Array, " n"], Observation]:
        t = jnp.zeros(n, int)
        return t, self.observe(t)

    def step(
        self, state: Int[Array, " n"], action: Action, key: PRNGKeyArray
    ) -> tuple[Int[Array, " n"], Step]:
        t, reward = state + 1, jnp.ones(action.shape)
        over = t >= self.spec.horizon
        return t, Step(self.observe(t), reward, self.spec.team_mean(reward), jnp.zeros_like(over), over)


class MeetingState(eqx.Module):
    place: Float[Array, "2 n"]
    t: Int[Array, " n"]


class Meeting(AbstractEnvironment[MeetingState]):
    """Continuous actions: two agents on a line, from -1 to 1, are paid minus their distance from 0.

    An action, from -1 to 1, moves an agent by up to 0.3. Best: straight to 0, an expected return
    of -0.33 from 3 steps on, whatever the horizon. Episodes are cut off, never terminated.
    """

    spec: Spec

    def __init__(self, horizon: int = 10):
        at_least(1, horizon=horizon)
        self.spec = Spec(PAIR, features=1, state=2, actions=1, horizon=horizon, bounds=(-1.0, 1.0))

    def observe(self, state: MeetingState) -> Observation:
        place = state.place.T
        here = place[..., None]
        return Observation(here, place, jnp.ones(here.shape, bool), jnp.ones(place.shape, bool), state.t == 0)

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[MeetingState, Observation]:
        place = jr.uniform(named(key, "place"), (2, n), minval=-1.0, maxval=1.0)
        state = MeetingState(place, jnp.zeros(n, int))
        return state, self.observe(state)

    def step(self, state: MeetingState, action: Action, key: PRNGKeyArray) -> tuple[MeetingState, Step]:
        place = jnp.clip(state.place + 0.3 * action[..., 0].T, -1.0, 1.0)
        state = MeetingState(place, state.t + 1)
        reward, over = -jnp.abs(place.T), state.t >= self.spec.horizon
        team = self.spec.team_mean(reward)
        return state, Step(self.observe(state), reward, team, jnp.zeros_like(over), over)


class DeathState(eqx.Module):
    bit: Float[Array, "2 n"]
    t: Int[Array, " n"]


class Death(AbstractEnvironment[DeathState]):
    """Deaths: two agents are shown a new bit at each of `horizon` steps, and paid 1 when every living one
    acts it out. The left agent dies after `life` steps: it sees zeros and has nothing but action 0.

    Best team return `horizon`; if the dead counted, the last steps could not be won for certain.
    """

    spec: Spec
    life: int

    def __init__(self, life: int = 2, horizon: int = 4):
        at_least(1, life=life, horizon=horizon)
        self.life = life
        self.spec = Spec(PAIR, features=3, state=4, actions=2, horizon=horizon)

    def alive(self, state: DeathState) -> Bool[Array, "2 n"]:
        return jnp.stack([state.t < self.life, jnp.ones_like(state.t, bool)])

    def observe(self, state: DeathState) -> Observation:
        alive, clock = self.alive(state).T, state.t / self.spec.horizon
        obs = glimpse(state.bit.T, clock, jnp.stack([*state.bit, *(1.0 * alive.T)], axis=1), state.t == 0)
        seen = jnp.where(alive[..., None], obs.agents, 0.0)
        legal = alive[..., None] | (jnp.arange(2) == 0)
        return Observation(seen, obs.state, legal, alive, obs.first)

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[DeathState, Observation]:
        state = DeathState(bits(named(key, "bit"), (2, n)), jnp.zeros(n, int))
        return state, self.observe(state)

    def step(self, state: DeathState, action: Action, key: PRNGKeyArray) -> tuple[DeathState, Step]:
        alive = self.alive(state)
        right = ((state.bit > 0) == action.T) | ~alive
        team = 1.0 * jnp.all(right, axis=0)
        state = DeathState(bits(named(key, "bit"), state.bit.shape), state.t + 1)
        over = state.t >= self.spec.horizon
        return state, Step(self.observe(state), (team * alive).T, team[:, None], over, jnp.zeros_like(over))
