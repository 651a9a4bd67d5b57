"""simple_reference_v3 of mpe2 1.1.1: each agent knows where the other has to go; both speak and move."""

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ...core import AbstractEnvironment, Action, Observation, Scene, Spec, Step
from ...ops import named
from ...ranges import Count, Unit
from . import observations, physics

_WORDS = 10
_LANDMARKS = 3
_LANDMARK_COLOURS = np.array([[0.75, 0.25, 0.25], [0.25, 0.75, 0.25], [0.25, 0.25, 0.75]])


class ReferenceState(eqx.Module):
    pos: Float[Array, "agents 2 n"]
    vel: Float[Array, "agents 2 n"]
    landmarks: Float[Array, "landmarks 2 n"]
    goal: Int[Array, "agents n"]  # the landmark that the OTHER agent has to reach
    words: Float[Array, "agents words n"]  # the newest
    t: Int[Array, " n"]


class Reference(AbstractEnvironment[ReferenceState]):
    """Two agents, three landmarks; each sees the colour of the landmark that the other has to reach.

        own = -(the other's distance from its landmark),   reward: `local_ratio` of own, the rest the mean

    An agent observes its velocity, the landmarks relative to itself, that colour, and the other's newest
    word of ten. Of 50 actions, a does move a % 5 and says word a // 5; continuous actions have five
    dimensions that move and ten that speak.
    """

    spec: Spec
    local_ratio: float

    def __init__(self, continuous: bool = False, local_ratio: Unit = 0.5, horizon: Count = 25):
        self.local_ratio = local_ratio
        actions = physics.MOVES + _WORDS if continuous else physics.MOVES * _WORDS
        bounds = (0.0, 1.0) if continuous else None
        self.spec = Spec(("agent_0", "agent_1"), 21, actions, horizon, bounds=bounds)

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[ReferenceState, Observation]:
        pos = observations.uniform_positions(key, "agents", 2, n)
        landmarks = observations.uniform_positions(key, "landmarks", _LANDMARKS, n)
        goal = jr.randint(named(key, "goal"), (2, n), 0, _LANDMARKS)
        silence = jnp.zeros((2, _WORDS, n), pos.dtype)
        state = ReferenceState(pos, jnp.zeros_like(pos), landmarks, goal, silence, jnp.zeros(n, int))
        return state, self.observe(state)

    def step(self, state: ReferenceState, action: Action, key: PRNGKeyArray) -> tuple[ReferenceState, Step]:
        pos, vel = physics.move(state.pos, state.vel, physics.thrust(action))
        words = observations.spoken_words(action, physics.MOVES, _WORDS, pos.dtype)
        state = ReferenceState(pos, vel, state.landmarks, state.goal, words, state.t + 1)
        own = -physics.length(pos[::-1] - self.goal_positions(state))
        reward = ((1 - self.local_ratio) * (own[0] + own[1]) / 2 + self.local_ratio * own).T
        over = state.t >= self.spec.horizon
        team = self.spec.team_mean(reward)
        return state, Step(self.observe(state), reward, team, jnp.zeros_like(over), over)

    def goal_positions(self, state: ReferenceState) -> Float[Array, "agents 2 n"]:
        """Return, for each agent, the place that the other agent has to reach."""
        return jnp.take_along_axis(state.landmarks, state.goal[:, None], axis=0)

    def observe(self, state: ReferenceState) -> Observation:
        colour = jnp.moveaxis(jnp.asarray(_LANDMARK_COLOURS, state.pos.dtype)[state.goal], -1, 1)
        to_landmarks = observations.flatten_rows(observations.displacements(state.pos, state.landmarks))
        features = jnp.concatenate([state.vel, to_landmarks, colour, state.words[::-1]], axis=1)
        return observations.make_observation(features, state.t, self.spec.actions)

    def scene(self, state: ReferenceState) -> Scene:
        highlighted = jnp.any(jnp.arange(_LANDMARKS)[:, None, None] == state.goal, axis=1)
        return Scene(
            agents=state.pos,
            objects=state.landmarks,
            agent_radii=(0.05, 0.05),
            object_radii=(0.05,) * _LANDMARKS,
            highlighted=highlighted,
            words=observations.loudest_word(state.words),
            links=jnp.stack([state.pos, self.goal_positions(state)[::-1]], axis=1),
            object_colours=("red", "green", "blue"),
        )
