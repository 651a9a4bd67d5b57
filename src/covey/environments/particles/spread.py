"""simple_spread_v3 of mpe2 1.1.1: cover the landmarks, do not bump into each other."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from ...core import AbstractEnvironment, Action, Observation, Spec, Step
from ...core.scene import Scene
from . import observations, physics
from .physics import fold

RADIUS = 0.15


class State(eqx.Module):
    pos: Float[Array, "agents 2 n"]
    vel: Float[Array, "agents 2 n"]
    goal: Float[Array, "landmarks 2 n"]
    t: Int[Array, " n"]


class Spread(AbstractEnvironment[State]):
    """A team covers landmarks. Each agent's reward: `local_ratio` of its own, the rest shared.

        shared = -sum over landmarks of the distance to the nearest agent,   own = -(bumps into others)

    An agent sees its velocity and position, where landmarks and others are from here, and the
    others' silence (mpe2's unused communication channel). Episodes are cut off after `horizon`
    steps, 25 as in the original, and never terminate.
    """

    spec: Spec
    landmarks: int
    local_ratio: float

    def __init__(
        self,
        agents: int = 3,
        landmarks: int | None = None,
        continuous: bool = False,
        local_ratio: float = 0.5,
        horizon: int = 25,
    ):
        self.landmarks = agents if landmarks is None else landmarks
        observations.check(agents=agents, landmarks=self.landmarks, horizon=horizon)
        observations.check_share(local_ratio)
        self.local_ratio = local_ratio
        self.spec = Spec(
            names=tuple(f"agent_{i}" for i in range(agents)),
            features=4 + 2 * self.landmarks + 4 * (agents - 1),
            actions=5,
            horizon=horizon,
            bounds=(0.0, 1.0) if continuous else None,
        )

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[State, Observation]:
        pos = observations.anywhere(key, "agents", self.spec.agents, n)
        goal = observations.anywhere(key, "landmarks", self.landmarks, n)
        state = State(pos, jnp.zeros_like(pos), goal, jnp.zeros(n, int))
        return state, self.observe(state, observations.between(pos, pos))

    def step(self, state: State, action: Action, key: PRNGKeyArray) -> tuple[State, Step]:
        force = physics.collide(physics.thrust(action), state.pos, (RADIUS,) * self.spec.agents)
        pos, vel = physics.move(state.pos, state.vel, force)
        state = State(pos, vel, state.goal, state.t + 1)

        apart = observations.between(pos, pos)
        bumps = fold(jnp.add, 1.0 * self.close(apart)) - 1  # not oneself
        to_goal = physics.square(observations.between(pos, state.goal))
        cover = -fold(jnp.add, jnp.sqrt(fold(jnp.minimum, to_goal)))
        reward = ((1 - self.local_ratio) * cover - self.local_ratio * bumps).T
        over = state.t >= self.spec.horizon
        obs = self.observe(state, apart)
        return state, Step(obs, reward, self.spec.team_mean(reward), jnp.zeros_like(over), over)

    def close(self, apart: Float[Array, "agents agents 2 n"]) -> Bool[Array, "agents agents n"]:
        return physics.square(apart) < (2 * RADIUS) ** 2

    def observe(self, state: State, apart: Float[Array, "agents agents 2 n"]) -> Observation:
        others = observations.rows(observations.others(apart))
        goals = observations.rows(observations.between(state.pos, state.goal))
        seen = [state.vel, state.pos, goals, others, jnp.zeros_like(others)]
        return observations.observation(jnp.concatenate(seen, axis=1), state.t)

    def scene(self, state: State) -> Scene:
        touching = jnp.sum(self.close(observations.between(state.pos, state.pos)), axis=1) > 1
        radii = (RADIUS,) * self.spec.agents
        return Scene(state.pos, state.goal, radii, (0.05,) * self.landmarks, touching)
