"""Five against two: `tag` with a reward for each agent's own part, and one for the team."""

import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from ...core import AbstractEnvironment, Action, Observation, Scene, Spec, Step
from ...ranges import Count, Extras, Members
from . import observations, physics
from .chase import CONTACT_DISTANCE, Chase, ChaseState
from .physics import fold


class Pursuit(AbstractEnvironment[ChaseState]):
    """`tag` with individual rewards, a team reward and a global state.

        adversary i:      -.1 min over prey of d_ij + 10 (own contacts)
        prey j:            .1 sum over adversaries of d_ij - 10 (own contacts) - sum over axes of bound(|x|)
        adversaries' team: -.1 sum over prey of min over adversaries of d_ij + 10 (contacts of all)

    The prey's team reward is the mean over prey. The state holds every agent's position, then every agent's
    velocity, then every obstacle's position. Observations, physics and bound are those of `tag`; `captures`
    counts contacts.
    """

    spec: Spec
    chase: Chase

    def __init__(
        self,
        adversaries: Members = 5,
        prey: Members = 2,
        obstacles: Extras = 2,
        continuous: bool = False,
        horizon: Count = 25,
    ):
        self.chase = Chase(adversaries, prey, obstacles)
        self.spec = self.chase.spec(continuous, horizon, state=4 * (adversaries + prey) + 2 * obstacles)

    def observe(self, state: ChaseState, to_agents: Float[Array, "agents agents 2 n"]) -> Observation:
        world = jnp.concatenate([state.pos, state.vel, state.obstacles])
        features = self.chase.features(state, to_agents)
        return observations.make_observation(features, state.t, state=world.reshape(-1, world.shape[-1]))

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[ChaseState, Observation]:
        state = self.chase.reset(key, n)
        return state, self.observe(state, observations.displacements(state.pos, state.pos))

    def step(self, state: ChaseState, action: Action, key: PRNGKeyArray) -> tuple[ChaseState, Step]:
        state = self.chase.step(state, action)
        to_agents = observations.displacements(state.pos, state.pos)
        squared = self.chase.squared_distances(to_agents)
        distance = jnp.sqrt(squared)  # from each adversary to each prey
        contact = 1.0 * (squared < CONTACT_DISTANCE**2)
        prey_contacts = fold(jnp.add, contact)
        hunter_contacts = fold(jnp.add, contact.swapaxes(0, 1))
        hunters = 10 * hunter_contacts - 0.1 * fold(jnp.minimum, distance.swapaxes(0, 1))
        prey = 0.1 * fold(jnp.add, distance) - 10 * prey_contacts - self.chase.boundary_costs(state)
        captures = fold(jnp.add, prey_contacts)
        hunters_team = 10 * captures - 0.1 * fold(jnp.add, fold(jnp.minimum, distance))
        over = state.t >= self.spec.horizon
        step = Step(
            obs=self.observe(state, to_agents),
            reward=jnp.concatenate([hunters, prey]).T,
            team_reward=jnp.stack([hunters_team, fold(jnp.add, prey) / self.chase.prey], axis=1),
            terminated=jnp.zeros_like(over),
            truncated=over,
            counts={"captures": captures},
        )
        return state, step

    @property
    def action_names(self) -> tuple[str, ...]:
        return physics.MOVE_NAMES

    def scene(self, state: ChaseState) -> Scene:
        return self.chase.scene(state)
