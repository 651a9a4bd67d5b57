"""VMAS's dispersion: agents that begin as one have to part, each to food of its own."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from ...core import AbstractEnvironment, Action, Observation, Scene, Spec, Step
from ...ranges import Count, Members, Positive
from . import observations, physics, vmas_physics
from .physics import fold

_AGENT_RADIUS = 0.035
_EDGE = 1.0  # of the field; agents stay within it
_IDLE_COST = 0.01


class DispersionState(eqx.Module):
    pos: Float[Array, "agents 2 n"]
    vel: Float[Array, "agents 2 n"]
    food: Float[Array, "food 2 n"]
    eaten: Bool[Array, "food n"]
    t: Int[Array, " n"]


class Dispersion(AbstractEnvironment[DispersionState]):
    """Each piece of food is taken once. All agents begin in the middle: they see the same, and must differ.

        reward i = sum over food that it takes of 1 / (agents that take it at once)

    With `share_reward` every agent gets 1 for each piece that anybody takes. With `penalise_by_time` an agent
    that would get 0 in a step loses .01. An agent observes its position and velocity, and for each piece its
    relative position and whether it is taken. Agents pass through each other. An episode terminates when all
    is taken; the best return is all food, food / agents as the mean over agents, food with `share_reward`.

    After scenarios/dispersion.py of VMAS 1.5.2 (Bettini et al., 2022), whose defaults these are. VMAS has no
    horizon of its own; BenchMARL's is 100.
    """

    spec: Spec
    food: int
    food_radius: float
    share_reward: bool
    penalise_by_time: bool

    def __init__(
        self,
        agents: Members = 4,
        food: Members | None = None,
        continuous: bool = False,
        share_reward: bool = False,
        penalise_by_time: bool = False,
        food_radius: Positive = 0.05,
        horizon: Count = 100,
    ):
        self.food = agents if food is None else food
        self.food_radius = food_radius
        self.share_reward = share_reward
        self.penalise_by_time = penalise_by_time
        self.spec = Spec(
            names=tuple(f"agent_{i}" for i in range(agents)),
            features=4 + 3 * self.food,
            actions=vmas_physics.count_actions(continuous),
            horizon=horizon,
            bounds=(-1.0, 1.0) if continuous else None,
        )

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[DispersionState, Observation]:
        food = observations.uniform_positions(key, "food", self.food, n, _EDGE)
        middle = jnp.zeros((self.spec.agents, 2, n), food.dtype)
        eaten = jnp.zeros((self.food, n), bool)
        state = DispersionState(middle, middle, food, eaten, jnp.zeros(n, int))
        return state, self.observe(state)

    def step(self, state: DispersionState, action: Action, key: PRNGKeyArray) -> tuple[DispersionState, Step]:
        pos, vel = vmas_physics.integrate(state.pos, state.vel, vmas_physics.drive(action), edge=_EDGE)
        distance = physics.length(observations.displacements(pos, state.food))
        takes = (distance < _AGENT_RADIUS + self.food_radius) & ~state.eaten
        eaters = fold(jnp.add, 1.0 * takes)
        taken = fold(jnp.add, 1.0 * (eaters > 0))
        shares = jnp.where(takes, 1 / jnp.maximum(eaters, 1.0), 0.0)
        own = fold(jnp.add, shares.swapaxes(0, 1))
        reward = jnp.broadcast_to(taken, own.shape) if self.share_reward else own
        reward = jnp.where(reward == 0, -_IDLE_COST, reward) if self.penalise_by_time else reward
        state = DispersionState(pos, vel, state.food, state.eaten | (eaters > 0), state.t + 1)
        all_taken = jnp.all(state.eaten, axis=0)
        step = Step(
            obs=self.observe(state),
            reward=reward.T,
            team_reward=self.spec.team_mean(reward.T),
            terminated=all_taken,
            truncated=(state.t >= self.spec.horizon) & ~all_taken,
            counts={"eaten": taken},
        )
        return state, step

    def observe(self, state: DispersionState) -> Observation:
        to_food = observations.displacements(state.pos, state.food)
        taken = jnp.broadcast_to(state.eaten[None, :, None], (*to_food.shape[:2], 1, to_food.shape[-1]))
        food = jnp.concatenate([to_food, taken.astype(to_food.dtype)], axis=2)
        features = jnp.concatenate([state.pos, state.vel, observations.flatten_rows(food)], axis=1)
        return observations.make_observation(features, state.t, self.spec.actions)

    def scene(self, state: DispersionState) -> Scene:
        return Scene(
            agents=state.pos,
            objects=state.food,
            agent_radii=(_AGENT_RADIUS,) * self.spec.agents,
            object_radii=(self.food_radius,) * self.food,
            removed=state.eaten,
            object_colours=("green",) * self.food,
        )
