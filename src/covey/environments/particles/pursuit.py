"""Five against two: tag in which each is paid for what it does itself, and the team for what counts."""

import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from ...core import AbstractEnvironment, Action, Observation, Spec, Step
from ...core.scene import Scene
from . import observations
from .chase import TOUCH, Chase, State
from .physics import fold


class Pursuit(AbstractEnvironment[State]):
    """`tag` with own rewards, a team reward and a global state.

        adversary i:      -.1 min over prey of d_ij + 10 (own contacts)
        prey j:            .1 sum over adversaries of d_ij - 10 (own contacts) - sum over axes of bound(|x|)
        adversaries' team: -.1 sum over prey of min over adversaries of d_ij + 10 (contacts of all)

    The prey's team reward is the mean over prey. The state: every agent's position, then every
    agent's velocity, then every obstacle's position. Observations, physics and bound are `tag`'s;
    `captures` counts contacts.
    """

    spec: Spec
    chase: Chase

    def __init__(
        self,
        adversaries: int = 5,
        prey: int = 2,
        obstacles: int = 2,
        continuous: bool = False,
        horizon: int = 25,
    ):
        self.chase = Chase(adversaries, prey, obstacles)
        self.spec = self.chase.spec(continuous, horizon, state=4 * (adversaries + prey) + 2 * obstacles)

    def observe(self, state: State, apart: Float[Array, "agents agents 2 n"]) -> Observation:
        whole = jnp.concatenate([state.pos, state.vel, state.obstacles])
        seen = self.chase.seen(state, apart)
        return observations.observation(seen, state.t, state=whole.reshape(-1, whole.shape[-1]))

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[State, Observation]:
        state = self.chase.begin(key, n)
        return state, self.observe(state, observations.between(state.pos, state.pos))

    def step(self, state: State, action: Action, key: PRNGKeyArray) -> tuple[State, Step]:
        state = self.chase.advance(state, action)
        apart = observations.between(state.pos, state.pos)
        near = self.chase.near(apart)
        d, close = jnp.sqrt(near), 1.0 * (near < TOUCH**2)
        caught, caught_by = fold(jnp.add, close), fold(jnp.add, close.swapaxes(0, 1))
        hunters = 10 * caught_by - 0.1 * fold(jnp.minimum, d.swapaxes(0, 1))
        prey = 0.1 * fold(jnp.add, d) - 10 * caught - self.chase.strayed(state)
        captures = fold(jnp.add, caught)
        hunt = 10 * captures - 0.1 * fold(jnp.add, fold(jnp.minimum, d))
        over = state.t >= self.spec.horizon
        step = Step(
            obs=self.observe(state, apart),
            reward=jnp.concatenate([hunters, prey]).T,
            team_reward=jnp.stack([hunt, fold(jnp.add, prey) / self.chase.prey], axis=1),
            terminated=jnp.zeros_like(over),
            truncated=over,
            counts={"captures": captures},
        )
        return state, step

    def scene(self, state: State) -> Scene:
        return self.chase.scene(state)
