"""simple_spread_v3 of mpe2 1.1.1: cover the landmarks, do not bump into each other."""

from itertools import combinations

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ...core import AbstractEnvironment, Action, Observation, Spec, Step
from ...errors import UserError
from ...ops import named
from . import physics

DIAMETER = 0.3


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
        for name, count in {"agents": agents, "landmarks": self.landmarks, "horizon": horizon}.items():
            if count < 1:
                raise UserError(f"env.{name}={count} makes no world: set it to 1 or more")
        if not 0 <= local_ratio <= 1:
            raise UserError(f"env.local_ratio={local_ratio} is no share of the reward: set it to 0 to 1")
        self.local_ratio = local_ratio
        self.spec = Spec(
            names=tuple(f"agent_{i}" for i in range(agents)),
            features=4 + 2 * self.landmarks + 4 * (agents - 1),
            actions=5,
            horizon=horizon,
            bounds=(0.0, 1.0) if continuous else None,
        )

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[State, Observation]:
        uniform = lambda name, count: jr.uniform(named(key, name), (count, 2, n), minval=-1.0, maxval=1.0)
        pos, goal = uniform("agents", self.spec.agents), uniform("landmarks", self.landmarks)
        state = State(pos, jnp.zeros_like(pos), goal, jnp.zeros(n, int))
        return state, self.observe(state, pos[None] - pos[:, None])

    def step(self, state: State, action: Action, key: PRNGKeyArray) -> tuple[State, Step]:
        push = list(physics.thrust(action))
        for i, j in combinations(range(self.spec.agents), 2):
            force = physics.contact(state.pos[i] - state.pos[j], DIAMETER)
            push[i], push[j] = push[i] + force, push[j] - force
        pos, vel = physics.move(state.pos, state.vel, jnp.stack(push))
        state = State(pos, vel, state.goal, state.t + 1)

        apart = pos[None] - pos[:, None]
        bumps = jnp.sum(jnp.sum(apart**2, axis=2) < DIAMETER**2, axis=1) - 1  # not oneself
        to_goal = jnp.sum((state.goal[:, None] - pos[None]) ** 2, axis=2)
        cover = -jnp.sum(jnp.sqrt(jnp.min(to_goal, axis=1)), axis=0)
        reward = ((1 - self.local_ratio) * cover - self.local_ratio * bumps).T
        over = state.t >= self.spec.horizon
        obs = self.observe(state, apart)
        return state, Step(obs, reward, self.spec.team_mean(reward), jnp.zeros_like(over), over)

    def observe(self, state: State, apart: Float[Array, "agents agents 2 n"]) -> Observation:
        agents, _, n = state.pos.shape
        rows = lambda x: x.reshape(agents, -1, n)
        others = jnp.stack([jnp.concatenate([d[:i], d[i + 1 :]]) for i, d in enumerate(apart)])
        goals = state.goal[None] - state.pos[:, None]
        seen = [state.vel, state.pos, rows(goals), rows(others), jnp.zeros_like(rows(others))]
        return Observation(
            agents=jnp.moveaxis(jnp.concatenate(seen, axis=1), -1, 0),
            state=jnp.zeros((n, 0)),
            legal=jnp.ones((n, agents, self.spec.actions), bool),
            alive=jnp.ones((n, agents), bool),
            first=state.t == 0,
        )
