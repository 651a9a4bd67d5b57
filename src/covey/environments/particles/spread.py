"""simple_spread_v3 of mpe2 1.1.1: cover the landmarks without collisions."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from ...core import AbstractEnvironment, Action, Observation, Scene, Spec, Step
from ...ranges import Count, Members, Unit
from . import observations, physics
from .physics import fold

_AGENT_RADIUS = 0.15
_LANDMARK_RADIUS = 0.05


class SpreadState(eqx.Module):
    pos: Float[Array, "agents 2 n"]
    vel: Float[Array, "agents 2 n"]
    landmarks: Float[Array, "landmarks 2 n"]
    t: Int[Array, " n"]


class Spread(AbstractEnvironment[SpreadState]):
    """A team covers landmarks. An agent's reward is `local_ratio` of its own and the rest of the shared one.

        shared = -sum over landmarks of the distance to the nearest agent
        own    = -(collisions with other agents)

    An agent observes its velocity and position, the landmarks and the other agents relative to itself, and
    the other agents' silence (mpe2's unused communication channel). Episodes are cut off after `horizon`
    steps, 25 as in the original, and never terminate.
    """

    spec: Spec
    landmarks: int
    local_ratio: float

    def __init__(
        self,
        agents: Members = 3,
        landmarks: Members | None = None,
        continuous: bool = False,
        local_ratio: Unit = 0.5,
        horizon: Count = 25,
    ):
        self.landmarks = agents if landmarks is None else landmarks
        self.local_ratio = local_ratio
        self.spec = Spec(
            names=tuple(f"agent_{i}" for i in range(agents)),
            features=4 + 2 * self.landmarks + 4 * (agents - 1),
            actions=5,
            horizon=horizon,
            bounds=(0.0, 1.0) if continuous else None,
        )

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[SpreadState, Observation]:
        pos = observations.uniform_positions(key, "agents", self.spec.agents, n)
        landmarks = observations.uniform_positions(key, "landmarks", self.landmarks, n)
        state = SpreadState(pos, jnp.zeros_like(pos), landmarks, jnp.zeros(n, int))
        return state, self.observe(state, observations.displacements(pos, pos))

    def step(self, state: SpreadState, action: Action, key: PRNGKeyArray) -> tuple[SpreadState, Step]:
        radii = (_AGENT_RADIUS,) * self.spec.agents
        force = physics.add_contacts(physics.thrust(action), state.pos, radii)
        pos, vel = physics.move(state.pos, state.vel, force)
        state = SpreadState(pos, vel, state.landmarks, state.t + 1)

        to_agents = observations.displacements(pos, pos)
        collisions = fold(jnp.add, 1.0 * self.touching(to_agents)) - 1  # every agent touches itself
        to_landmarks = physics.squared_length(observations.displacements(pos, state.landmarks))
        shared = -fold(jnp.add, jnp.sqrt(fold(jnp.minimum, to_landmarks)))
        reward = ((1 - self.local_ratio) * shared - self.local_ratio * collisions).T
        over = state.t >= self.spec.horizon
        obs = self.observe(state, to_agents)
        return state, Step(obs, reward, self.spec.team_mean(reward), jnp.zeros_like(over), over)

    def touching(self, to_agents: Float[Array, "agents agents 2 n"]) -> Bool[Array, "agents agents n"]:
        return physics.squared_length(to_agents) < (2 * _AGENT_RADIUS) ** 2

    def observe(self, state: SpreadState, to_agents: Float[Array, "agents agents 2 n"]) -> Observation:
        to_others = observations.flatten_rows(observations.without_self(to_agents))
        to_landmarks = observations.displacements(state.pos, state.landmarks)
        silence = jnp.zeros_like(to_others)
        parts = [state.vel, state.pos, observations.flatten_rows(to_landmarks), to_others, silence]
        return observations.make_observation(jnp.concatenate(parts, axis=1), state.t)

    @property
    def action_names(self) -> tuple[str, ...]:
        return physics.MOVE_NAMES

    def scene(self, state: SpreadState) -> Scene:
        touching = self.touching(observations.displacements(state.pos, state.pos))
        return Scene(
            agents=state.pos,
            objects=state.landmarks,
            agent_radii=(_AGENT_RADIUS,) * self.spec.agents,
            object_radii=(_LANDMARK_RADIUS,) * self.landmarks,
            touching=jnp.sum(touching, axis=1) > 1,  # every agent touches itself
        )
