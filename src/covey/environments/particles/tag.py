"""simple_tag_v3 of mpe2 1.1.1: slow adversaries hunt fast prey among obstacles."""

import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from ...core import AbstractEnvironment, Action, Observation, Scene, Spec, Step
from ...ranges import Count, Extras, Members
from . import observations, physics
from .chase import CONTACT_DISTANCE, Chase, ChaseState
from .physics import fold


class Tag(AbstractEnvironment[ChaseState]):
    """Adversaries hunt, prey flees; every adversary is paid for every contact of any of them.

        adversary: 10 (contacts of all),    prey: -10 (own contacts) - sum over axes of bound(|x|)

    A contact is a distance below .125. bound is 0 inside .9, then 10 (x - .9), from 1 on
    min(exp(2x - 2), 10). An agent observes its velocity and position, the obstacles and the other agents
    relative to itself, and the velocities of (other) prey; zeros fill the observations of prey. `captures`
    counts contacts.
    """

    spec: Spec
    chase: Chase

    def __init__(
        self,
        adversaries: Members = 3,
        prey: Members = 1,
        obstacles: Extras = 2,
        continuous: bool = False,
        horizon: Count = 25,
    ):
        self.chase = Chase(adversaries, prey, obstacles)
        self.spec = self.chase.spec(continuous, horizon)

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[ChaseState, Observation]:
        state = self.chase.reset(key, n)
        to_agents = observations.displacements(state.pos, state.pos)
        return state, observations.make_observation(self.chase.features(state, to_agents), state.t)

    def step(self, state: ChaseState, action: Action, key: PRNGKeyArray) -> tuple[ChaseState, Step]:
        state = self.chase.step(state, action)
        to_agents = observations.displacements(state.pos, state.pos)
        contact = 1.0 * (self.chase.squared_distances(to_agents) < CONTACT_DISTANCE**2)
        prey_contacts = fold(jnp.add, contact)
        captures = fold(jnp.add, prey_contacts)
        hunters = jnp.broadcast_to(10 * captures, (self.chase.adversaries, *captures.shape))
        prey = -10 * prey_contacts - self.chase.boundary_costs(state)
        reward = jnp.concatenate([hunters, prey]).T
        obs = observations.make_observation(self.chase.features(state, to_agents), state.t)
        over = state.t >= self.spec.horizon
        team = self.spec.team_mean(reward)
        return state, Step(obs, reward, team, jnp.zeros_like(over), over, {"captures": captures})

    @property
    def action_names(self) -> tuple[str, ...]:
        return physics.MOVE_NAMES

    def scene(self, state: ChaseState) -> Scene:
        return self.chase.scene(state)
