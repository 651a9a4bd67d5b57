"""simple_reference_v3 of mpe2 1.1.1: each knows where the other has to go; both speak and move."""

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ...core import AbstractEnvironment, Action, Observation, Spec, Step
from ...core.scene import Scene
from ...ops import named
from . import observations, physics

WORDS, LANDMARKS = 10, 3
COLOURS = np.array([[0.75, 0.25, 0.25], [0.25, 0.75, 0.25], [0.25, 0.25, 0.75]])  # of landmarks


class State(eqx.Module):
    pos: Float[Array, "agents 2 n"]
    vel: Float[Array, "agents 2 n"]
    landmarks: Float[Array, "landmarks 2 n"]
    goal: Int[Array, "agents n"]  # the landmark that the OTHER has to reach
    said: Float[Array, "agents words n"]
    t: Int[Array, " n"]


class Reference(AbstractEnvironment[State]):
    """Two agents, three landmarks; each sees the colour of the landmark that the other has to reach.

        own = -(the other's distance from its landmark),   reward: `local_ratio` of own, the rest the mean

    An agent sees its velocity, where landmarks are from here, that colour, and the other's newest
    word of ten. Of 50 actions, a does move a % 5 and says a // 5; continuous actions have five
    dimensions that move and ten that speak.
    """

    spec: Spec
    local_ratio: float

    def __init__(self, continuous: bool = False, local_ratio: float = 0.5, horizon: int = 25):
        observations.check(horizon=horizon)
        observations.check_share(local_ratio)
        self.local_ratio = local_ratio
        actions = physics.MOVES + WORDS if continuous else physics.MOVES * WORDS
        bounds = (0.0, 1.0) if continuous else None
        self.spec = Spec(("agent_0", "agent_1"), 21, actions, horizon, bounds=bounds)

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[State, Observation]:
        pos, landmarks = (
            observations.anywhere(key, "agents", 2, n),
            observations.anywhere(key, "landmarks", LANDMARKS, n),
        )
        goal = jr.randint(named(key, "goal"), (2, n), 0, LANDMARKS)
        silence = jnp.zeros((2, WORDS, n), pos.dtype)
        state = State(pos, jnp.zeros_like(pos), landmarks, goal, silence, jnp.zeros(n, int))
        return state, self.observe(state)

    def step(self, state: State, action: Action, key: PRNGKeyArray) -> tuple[State, Step]:
        pos, vel = physics.move(state.pos, state.vel, physics.thrust(action))
        said = observations.spoken(action, physics.MOVES, WORDS, pos.dtype)
        state = State(pos, vel, state.landmarks, state.goal, said, state.t + 1)
        own = -physics.length(pos[::-1] - self.targets(state))
        reward = ((1 - self.local_ratio) * (own[0] + own[1]) / 2 + self.local_ratio * own).T
        over = state.t >= self.spec.horizon
        team = self.spec.team_mean(reward)
        return state, Step(self.observe(state), reward, team, jnp.zeros_like(over), over)

    def targets(self, state: State) -> Float[Array, "agents 2 n"]:
        """Where each wants the other to be."""
        return jnp.take_along_axis(state.landmarks, state.goal[:, None], axis=0)

    def observe(self, state: State) -> Observation:
        colour = jnp.moveaxis(jnp.asarray(COLOURS, state.pos.dtype)[state.goal], -1, 1)
        there = observations.rows(observations.between(state.pos, state.landmarks))
        seen = jnp.concatenate([state.vel, there, colour, state.said[::-1]], axis=1)
        return observations.observation(seen, state.t, self.spec.actions)

    def scene(self, state: State) -> Scene:
        lit = jnp.any(jnp.arange(LANDMARKS)[:, None, None] == state.goal, axis=1)
        return Scene(
            agents=state.pos,
            objects=state.landmarks,
            agent_radii=(0.05, 0.05),
            object_radii=(0.05,) * LANDMARKS,
            highlighted=lit,
            words=observations.word(state.said),
            links=jnp.stack([state.pos, self.targets(state)[::-1]], axis=1),
            object_colours=("red", "green", "blue"),
        )
