"""simple_tag_v3 of mpe2 1.1.1: slow adversaries hunt fast prey among obstacles."""

import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from ...core import AbstractEnvironment, Action, Observation, Spec, Step
from ...core.scene import Scene
from . import observations
from .chase import TOUCH, Chase, State
from .physics import fold


class Tag(AbstractEnvironment[State]):
    """Adversaries hunt, prey flees; every adversary is paid for every contact of any of them.

        adversary: 10 (contacts of all),    prey: -10 (own contacts) - sum over axes of bound(|x|)

    Contact: closer than .125. bound is 0 inside .9, then 10 (x - .9), from 1 on min(exp(2x - 2), 10).
    Everybody sees its own velocity and position, where obstacles and others are from here, and the
    velocities of (other) prey; what prey sees ends with zeros. `captures` counts contacts.
    """

    spec: Spec
    chase: Chase

    def __init__(
        self,
        adversaries: int = 3,
        prey: int = 1,
        obstacles: int = 2,
        continuous: bool = False,
        horizon: int = 25,
    ):
        self.chase = Chase(adversaries, prey, obstacles)
        self.spec = self.chase.spec(continuous, horizon)

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[State, Observation]:
        state = self.chase.begin(key, n)
        apart = observations.between(state.pos, state.pos)
        return state, observations.observation(self.chase.seen(state, apart), state.t)

    def step(self, state: State, action: Action, key: PRNGKeyArray) -> tuple[State, Step]:
        state = self.chase.advance(state, action)
        apart = observations.between(state.pos, state.pos)
        close = 1.0 * (self.chase.near(apart) < TOUCH**2)
        caught = fold(jnp.add, close)
        captures = fold(jnp.add, caught)
        hunters = jnp.broadcast_to(10 * captures, (self.chase.adversaries, *captures.shape))
        prey = -10 * caught - self.chase.strayed(state)
        reward = jnp.concatenate([hunters, prey]).T
        obs = observations.observation(self.chase.seen(state, apart), state.t)
        over = state.t >= self.spec.horizon
        team = self.spec.team_mean(reward)
        return state, Step(obs, reward, team, jnp.zeros_like(over), over, {"captures": captures})

    def scene(self, state: State) -> Scene:
        return self.chase.scene(state)
