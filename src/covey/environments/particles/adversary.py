"""simple_adversary_v3 of mpe2 1.1.1: reach the goal, and do not show the adversary which it is."""

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ...core import AbstractEnvironment, Action, Observation, Scene, Spec, Step
from ...ops import named
from ...ranges import Count, Members
from . import observations, physics
from .physics import fold


class AdversaryState(eqx.Module):
    pos: Float[Array, "agents 2 n"]
    vel: Float[Array, "agents 2 n"]
    landmarks: Float[Array, "landmarks 2 n"]
    goal: Int[Array, " n"]
    t: Int[Array, " n"]


class Adversary(AbstractEnvironment[AdversaryState]):
    """Good agents know which landmark is the goal; the adversary has to guess it from their moves.

        adversary: -d(it, goal),    good: sum over adversaries of d(goal) - min over good of d(goal)

    A good agent observes the goal, the landmarks and the other agents relative to itself; an adversary
    the landmarks and the other agents, and two zeros at the end. Nobody sees velocities; nobody collides.
    """

    spec: Spec
    adversaries: int
    landmarks: int

    def __init__(
        self,
        agents: Members = 2,
        adversaries: Members = 1,
        landmarks: Members | None = None,
        continuous: bool = False,
        horizon: Count = 25,
    ):
        self.adversaries = adversaries
        self.landmarks = agents if landmarks is None else landmarks
        names = (*(f"adversary_{i}" for i in range(adversaries)), *(f"agent_{i}" for i in range(agents)))
        self.spec = Spec(
            names=names,
            features=2 + 2 * self.landmarks + 2 * (len(names) - 1),
            actions=physics.MOVES,
            horizon=horizon,
            bounds=(0.0, 1.0) if continuous else None,
            team=("adversary",) * adversaries + ("agent",) * agents,
        )

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[AdversaryState, Observation]:
        pos = observations.uniform_positions(key, "agents", self.spec.agents, n)
        landmarks = observations.uniform_positions(key, "landmarks", self.landmarks, n)
        goal = jr.randint(named(key, "goal"), (n,), 0, self.landmarks)
        state = AdversaryState(pos, jnp.zeros_like(pos), landmarks, goal, jnp.zeros(n, int))
        return state, self.observe(state)

    def goal_position(self, state: AdversaryState) -> Float[Array, "1 2 n"]:
        return jnp.take_along_axis(state.landmarks, state.goal[None, None], axis=0)

    def step(self, state: AdversaryState, action: Action, key: PRNGKeyArray) -> tuple[AdversaryState, Step]:
        pos, vel = physics.move(state.pos, state.vel, physics.thrust(action))
        state = AdversaryState(pos, vel, state.landmarks, state.goal, state.t + 1)
        distance = physics.length(pos - self.goal_position(state))
        adversaries = distance[: self.adversaries]
        good = distance[self.adversaries :]
        good_reward = fold(jnp.add, adversaries) - fold(jnp.minimum, good)
        reward = jnp.concatenate([-adversaries, jnp.broadcast_to(good_reward, good.shape)]).T
        over = state.t >= self.spec.horizon
        team = self.spec.team_mean(reward)
        return state, Step(self.observe(state), reward, team, jnp.zeros_like(over), over)

    def observe(self, state: AdversaryState) -> Observation:
        to_others = observations.without_self(observations.displacements(state.pos, state.pos))
        to_landmarks = observations.displacements(state.pos, state.landmarks)
        parts = [observations.flatten_rows(to_landmarks), observations.flatten_rows(to_others)]
        common = jnp.concatenate(parts, axis=1)
        to_goal = self.goal_position(state) - state.pos
        k = self.adversaries
        adversaries = jnp.concatenate([common[:k], jnp.zeros_like(to_goal[:k])], axis=1)
        good = jnp.concatenate([to_goal[k:], common[k:]], axis=1)
        return observations.make_observation(jnp.concatenate([adversaries, good]), state.t)

    @property
    def action_names(self) -> tuple[str, ...]:
        return physics.MOVE_NAMES

    def scene(self, state: AdversaryState) -> Scene:
        return Scene(
            agents=state.pos,
            objects=state.landmarks,
            agent_radii=(0.15,) * self.spec.agents,
            object_radii=(0.08,) * self.landmarks,
            highlighted=jnp.arange(self.landmarks)[:, None] == state.goal,
        )
