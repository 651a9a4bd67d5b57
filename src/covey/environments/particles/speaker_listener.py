"""simple_speaker_listener_v4 of mpe2 1.1.1: one agent knows the goal, the other can go there."""

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ...core import AbstractEnvironment, Action, Observation, Scene, Spec, Step
from ...ops import named
from ...ranges import Count
from . import observations, physics

_WORDS = 3  # one for each landmark
_LANDMARK_COLOURS = np.array([[0.65, 0.15, 0.15], [0.15, 0.65, 0.15], [0.15, 0.15, 0.65]])
LEGAL = np.arange(physics.MOVES) < np.array([[_WORDS], [physics.MOVES]])  # of the speaker, of the listener


class SpeakerListenerState(eqx.Module):
    pos: Float[Array, "agents 2 n"]
    vel: Float[Array, "agents 2 n"]
    landmarks: Float[Array, "landmarks 2 n"]
    goal: Int[Array, " n"]
    words: Float[Array, "1 words n"]  # the speaker's newest
    t: Int[Array, " n"]


class SpeakerListener(AbstractEnvironment[SpeakerListenerState]):
    """The speaker sees the colour of the goal and says one of three words; the listener hears it.

        both: -d^2, the listener's distance from the goal

    The speaker cannot move and sees nothing else; zeros fill the rest of its observation, and of the five
    actions (or dimensions) it has three. The listener observes its velocity, the landmarks relative to
    itself, and the newest word.
    """

    spec: Spec

    def __init__(self, continuous: bool = False, horizon: Count = 25):
        bounds = (0.0, 1.0) if continuous else None
        self.spec = Spec(("speaker_0", "listener_0"), 11, physics.MOVES, horizon, bounds=bounds)

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[SpeakerListenerState, Observation]:
        pos = observations.uniform_positions(key, "agents", 2, n)
        landmarks = observations.uniform_positions(key, "landmarks", _WORDS, n)
        goal = jr.randint(named(key, "goal"), (n,), 0, _WORDS)
        silence = jnp.zeros((1, _WORDS, n), pos.dtype)
        state = SpeakerListenerState(pos, jnp.zeros_like(pos), landmarks, goal, silence, jnp.zeros(n, int))
        return state, self.observe(state)

    def goal_position(self, state: SpeakerListenerState) -> Float[Array, "1 2 n"]:
        return jnp.take_along_axis(state.landmarks, state.goal[None, None], axis=0)

    def step(
        self, state: SpeakerListenerState, action: Action, key: PRNGKeyArray
    ) -> tuple[SpeakerListenerState, Step]:
        force = physics.thrust(action).at[0].set(0.0)  # the speaker cannot move
        pos, vel = physics.move(state.pos, state.vel, force)
        words = observations.spoken_words(action[:, :1], 0, _WORDS, pos.dtype)
        state = SpeakerListenerState(pos, vel, state.landmarks, state.goal, words, state.t + 1)
        distance = physics.squared_length(pos[1] - self.goal_position(state)[0])
        reward = jnp.broadcast_to(-distance[:, None], (len(state.t), 2))
        over = state.t >= self.spec.horizon
        team = self.spec.team_mean(reward)
        return state, Step(self.observe(state), reward, team, jnp.zeros_like(over), over)

    def observe(self, state: SpeakerListenerState) -> Observation:
        n = len(state.t)
        colour = jnp.asarray(_LANDMARK_COLOURS.T, state.pos.dtype)[:, state.goal]
        padding = jnp.zeros((self.spec.features - len(colour), n), colour.dtype)
        speaker = jnp.concatenate([colour, padding])
        to_landmarks = (state.landmarks - state.pos[1]).reshape(-1, n)
        listener = jnp.concatenate([state.vel[1], to_landmarks, state.words[0]])
        return observations.make_observation(jnp.stack([speaker, listener]), state.t, LEGAL)

    def scene(self, state: SpeakerListenerState) -> Scene:
        word = observations.loudest_word(state.words)
        return Scene(
            agents=state.pos,
            objects=state.landmarks,
            agent_radii=(0.075, 0.075),
            object_radii=(0.04,) * _WORDS,
            highlighted=jnp.arange(_WORDS)[:, None] == state.goal,
            words=jnp.concatenate([word, jnp.full_like(word, -1)]),
            links=jnp.stack([state.pos[1:], self.goal_position(state)], axis=1),
            object_colours=("red", "green", "blue"),
        )
