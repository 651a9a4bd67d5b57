"""Hunters and prey among obstacles: what `tag` and `pursuit` share. They differ in their rewards."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ...core import Action, Scene, Spec
from . import observations, physics

_ADVERSARY_RADIUS = 0.075
_PREY_RADIUS = 0.05
_OBSTACLE_RADIUS = 0.2
_EDGE = 0.9  # obstacles lie within it; beyond it prey pays
CONTACT_DISTANCE = _ADVERSARY_RADIUS + _PREY_RADIUS


class ChaseState(eqx.Module):
    pos: Float[Array, "agents 2 n"]
    vel: Float[Array, "agents 2 n"]
    obstacles: Float[Array, "obstacles 2 n"]
    t: Int[Array, " n"]


def boundary_cost(x: Float[Array, "*b"]) -> Float[Array, "*b"]:
    """Return what prey pays for being |x| from the middle along an axis."""
    steep = jnp.minimum(jnp.exp(2 * x - 2), 10.0)
    return jnp.where(x < _EDGE, 0.0, jnp.where(x < 1, 10 * (x - _EDGE), steep))


class Chase(eqx.Module):
    """Bodies and movement. Adversaries come first, then prey.

    Prey is smaller, faster (top speed 1.3 against 1) and accelerates more (4 against 3).
    """

    adversaries: int = eqx.field(static=True)
    prey: int = eqx.field(static=True)
    obstacles: int = eqx.field(static=True)

    def spec(self, continuous: bool, horizon: int, state: int = 0) -> Spec:
        adversaries = (f"adversary_{i}" for i in range(self.adversaries))
        prey = (f"agent_{i}" for i in range(self.prey))
        names = (*adversaries, *prey)
        return Spec(
            names=names,
            features=4 + 2 * self.obstacles + 2 * (len(names) - 1) + 2 * self.prey,
            actions=physics.MOVES,
            horizon=horizon,
            state=state,
            bounds=(0.0, 1.0) if continuous else None,
            team=self.per_agent("adversary", "agent"),
        )

    def per_agent(self, adversary, prey) -> tuple:
        """Return a tuple with one entry for each adversary, then one for each prey."""
        return (adversary,) * self.adversaries + (prey,) * self.prey

    def reset(self, key: PRNGKeyArray, n: int) -> ChaseState:
        pos = observations.uniform_positions(key, "agents", self.adversaries + self.prey, n)
        obstacles = observations.uniform_positions(key, "obstacles", self.obstacles, n, _EDGE)
        return ChaseState(pos, jnp.zeros_like(pos), obstacles, jnp.zeros(n, int))

    def step(self, state: ChaseState, action: Action) -> ChaseState:
        radii = self.per_agent(_ADVERSARY_RADIUS, _PREY_RADIUS)
        force = physics.thrust(action, self.per_agent(3.0, 4.0))
        force = physics.add_contacts(force, state.pos, radii, state.obstacles, _OBSTACLE_RADIUS)
        pos, vel = physics.move(state.pos, state.vel, force, self.per_agent(1.0, 1.3))
        return ChaseState(pos, vel, state.obstacles, state.t + 1)

    def squared_distances(
        self, to_agents: Float[Array, "agents agents 2 n"]
    ) -> Float[Array, "adversaries prey n"]:
        """Return the squared distance from each adversary to each prey."""
        return physics.squared_length(to_agents[: self.adversaries, self.adversaries :])

    def boundary_costs(self, state: ChaseState) -> Float[Array, "prey n"]:
        """Return what each prey pays for leaving the field."""
        cost = boundary_cost(jnp.abs(state.pos[self.adversaries :]))
        return cost[:, 0] + cost[:, 1]

    def features(
        self, state: ChaseState, to_agents: Float[Array, "agents agents 2 n"]
    ) -> Float[Array, "agents features n"]:
        """Return each agent's velocity and position, the obstacles and the others relative to it, and the
        velocities of (other) prey."""
        prey = state.vel[self.adversaries :]
        other_prey = lambda i: jnp.concatenate([prey[:i], prey[i + 1 :], jnp.zeros_like(prey[:1])])
        prey_velocities = jnp.stack([prey] * self.adversaries + [other_prey(i) for i in range(self.prey)])
        to_obstacles = observations.displacements(state.pos, state.obstacles)
        to_others = observations.without_self(to_agents)
        parts = [state.vel, state.pos, to_obstacles, to_others, prey_velocities]
        return jnp.concatenate([observations.flatten_rows(x) for x in parts], axis=1)

    def scene(self, state: ChaseState) -> Scene:
        distances = self.squared_distances(observations.displacements(state.pos, state.pos))
        contact = distances < CONTACT_DISTANCE**2
        hunters = jnp.any(contact, axis=1)
        prey = jnp.any(contact, axis=0)
        return Scene(
            agents=state.pos,
            objects=state.obstacles,
            agent_radii=self.per_agent(_ADVERSARY_RADIUS, _PREY_RADIUS),
            object_radii=(_OBSTACLE_RADIUS,) * self.obstacles,
            touching=jnp.concatenate([hunters, prey]),
            caught=jnp.concatenate([jnp.zeros_like(hunters), prey]),
            object_kinds=("obstacle",) * self.obstacles,
        )
