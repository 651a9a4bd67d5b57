"""simple_speaker_listener_v4 of mpe2 1.1.1: one knows where to go, the other can go there."""

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ...core import AbstractEnvironment, Action, Observation, Spec, Step
from ...core.scene import Scene
from ...ops import named
from . import observations, physics

WORDS = 3
COLOURS = np.array([[0.65, 0.15, 0.15], [0.15, 0.65, 0.15], [0.15, 0.15, 0.65]])  # of landmarks
LEGAL = np.arange(physics.MOVES) < np.array([[WORDS], [physics.MOVES]])


class State(eqx.Module):
    pos: Float[Array, "agents 2 n"]
    vel: Float[Array, "agents 2 n"]
    landmarks: Float[Array, "landmarks 2 n"]
    goal: Int[Array, " n"]
    said: Float[Array, "1 words n"]
    t: Int[Array, " n"]


class SpeakerListener(AbstractEnvironment[State]):
    """The speaker sees the colour of the goal, and says one of three words; the listener hears it.

        both: -d^2, the listener's distance from the goal

    The speaker cannot move, and sees nothing else; its observation ends with zeros, and of the five
    actions (or dimensions) it has three. The listener sees its velocity, where landmarks are from
    here, and the newest word.
    """

    spec: Spec

    def __init__(self, continuous: bool = False, horizon: int = 25):
        observations.check(horizon=horizon)
        bounds = (0.0, 1.0) if continuous else None
        self.spec = Spec(("speaker_0", "listener_0"), 11, physics.MOVES, horizon, bounds=bounds)

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[State, Observation]:
        pos, landmarks = (
            observations.anywhere(key, "agents", 2, n),
            observations.anywhere(key, "landmarks", WORDS, n),
        )
        goal = jr.randint(named(key, "goal"), (n,), 0, WORDS)
        silence = jnp.zeros((1, WORDS, n), pos.dtype)
        state = State(pos, jnp.zeros_like(pos), landmarks, goal, silence, jnp.zeros(n, int))
        return state, self.observe(state)

    def step(self, state: State, action: Action, key: PRNGKeyArray) -> tuple[State, Step]:
        force = physics.thrust(action).at[0].set(0.0)
        pos, vel = physics.move(state.pos, state.vel, force)
        said = observations.spoken(action[:, :1], 0, WORDS, pos.dtype)
        state = State(pos, vel, state.landmarks, state.goal, said, state.t + 1)
        target = jnp.take_along_axis(state.landmarks, state.goal[None, None], axis=0)[0]
        reward = jnp.broadcast_to(-physics.square(pos[1] - target)[:, None], (len(state.t), 2))
        over = state.t >= self.spec.horizon
        team = self.spec.team_mean(reward)
        return state, Step(self.observe(state), reward, team, jnp.zeros_like(over), over)

    def observe(self, state: State) -> Observation:
        n = len(state.t)
        colour = jnp.asarray(COLOURS.T, state.pos.dtype)[:, state.goal]
        speaker = jnp.concatenate([colour, jnp.zeros((self.spec.features - len(colour), n), colour.dtype)])
        there = (state.landmarks - state.pos[1]).reshape(-1, n)
        listener = jnp.concatenate([state.vel[1], there, state.said[0]])
        return observations.observation(jnp.stack([speaker, listener]), state.t, LEGAL)

    def scene(self, state: State) -> Scene:
        target = jnp.take_along_axis(state.landmarks, state.goal[None, None], axis=0)
        word = observations.word(state.said)
        return Scene(
            agents=state.pos,
            objects=state.landmarks,
            agent_radii=(0.075, 0.075),
            object_radii=(0.04,) * WORDS,
            highlighted=jnp.arange(WORDS)[:, None] == state.goal,
            words=jnp.concatenate([word, jnp.full_like(word, -1)]),
            links=jnp.stack([state.pos[1:], target], axis=1),
            object_colours=("red", "green", "blue"),
        )
