"""Hunters and prey among obstacles: what `tag` and `pursuit` share. They differ in who is paid for what."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ...core import Action, Spec
from ...core.scene import Scene
from . import observations, physics

ADVERSARY, PREY, OBSTACLE = 0.075, 0.05, 0.2  # radii
TOUCH, EDGE = ADVERSARY + PREY, 0.9


class State(eqx.Module):
    pos: Float[Array, "agents 2 n"]
    vel: Float[Array, "agents 2 n"]
    obstacles: Float[Array, "obstacles 2 n"]
    t: Int[Array, " n"]


def bound(x: Float[Array, "*b"]) -> Float[Array, "*b"]:
    """What it costs prey to be x from the middle along an axis."""
    return jnp.where(x < EDGE, 0.0, jnp.where(x < 1, 10 * (x - EDGE), jnp.minimum(jnp.exp(2 * x - 2), 10.0)))


class Chase(eqx.Module):
    """Adversaries first, then prey: smaller, faster (1.3 against 1), quicker to turn (4 against 3)."""

    adversaries: int = eqx.field(static=True)
    prey: int = eqx.field(static=True)
    obstacles: int = eqx.field(static=True)

    def __check_init__(self):
        observations.check(adversaries=self.adversaries, prey=self.prey)
        observations.check(0, obstacles=self.obstacles)

    def spec(self, continuous: bool, horizon: int, state: int = 0) -> Spec:
        observations.check(horizon=horizon)
        hunters, prey = range(self.adversaries), range(self.prey)
        names = (*(f"adversary_{i}" for i in hunters), *(f"agent_{i}" for i in prey))
        features = 4 + 2 * self.obstacles + 2 * (len(names) - 1) + 2 * self.prey
        bounds = (0.0, 1.0) if continuous else None
        team = self.each("adversary", "agent")
        return Spec(names, features, physics.MOVES, horizon, state, bounds, team)

    def each(self, adversary, prey) -> tuple:
        return (adversary,) * self.adversaries + (prey,) * self.prey

    def begin(self, key: PRNGKeyArray, n: int) -> State:
        pos = observations.anywhere(key, "agents", self.adversaries + self.prey, n)
        obstacles = observations.anywhere(key, "obstacles", self.obstacles, n, EDGE)
        return State(pos, jnp.zeros_like(pos), obstacles, jnp.zeros(n, int))

    def advance(self, state: State, action: Action) -> State:
        force = physics.thrust(action, self.each(3.0, 4.0))
        force = physics.collide(force, state.pos, self.each(ADVERSARY, PREY), state.obstacles, OBSTACLE)
        pos, vel = physics.move(state.pos, state.vel, force, self.each(1.0, 1.3))
        return State(pos, vel, state.obstacles, state.t + 1)

    def near(self, apart: Float[Array, "agents agents 2 n"]) -> Float[Array, "adversaries prey n"]:
        """How far each adversary is from each prey, squared."""
        return physics.square(apart[: self.adversaries, self.adversaries :])

    def strayed(self, state: State) -> Float[Array, "prey n"]:
        """What prey pays for leaving the field."""
        cost = bound(jnp.abs(state.pos[self.adversaries :]))
        return cost[:, 0] + cost[:, 1]

    def seen(
        self, state: State, apart: Float[Array, "agents agents 2 n"]
    ) -> Float[Array, "agents features n"]:
        """Velocity and position, where obstacles and others are from here, how fast (other) prey is."""
        prey = state.vel[self.adversaries :]
        padded = lambda i: jnp.concatenate([prey[:i], prey[i + 1 :], jnp.zeros_like(prey[:1])])
        fast = jnp.stack([prey] * self.adversaries + [padded(i) for i in range(self.prey)])
        obstacles = observations.between(state.pos, state.obstacles)
        parts = [state.vel, state.pos, obstacles, observations.others(apart), fast]
        return jnp.concatenate([observations.rows(x) for x in parts], axis=1)

    def scene(self, state: State) -> Scene:
        close = self.near(observations.between(state.pos, state.pos)) < TOUCH**2
        hunters, prey = jnp.any(close, axis=1), jnp.any(close, axis=0)
        return Scene(
            agents=state.pos,
            objects=state.obstacles,
            agent_radii=self.each(ADVERSARY, PREY),
            object_radii=(OBSTACLE,) * self.obstacles,
            touching=jnp.concatenate([hunters, prey]),
            caught=jnp.concatenate([jnp.zeros_like(hunters), prey]),
            object_kinds=("obstacle",) * self.obstacles,
        )
