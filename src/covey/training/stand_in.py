"""The shapes of a world that is a Python program, for what is compiled around it."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import PRNGKeyArray, PyTree

from ..core import AbstractEnvironment, Action, Observation, Spec, Step
from .rows import RowLayout


class StandIn(AbstractEnvironment[None]):
    """The shapes of a host world, from which the trainer plans. Its observations are zeros."""

    spec: Spec
    counts: tuple[str, ...] = eqx.field(static=True, default=())

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[None, Observation]:
        agents = (n, self.spec.agents)
        return None, Observation(
            agents=jnp.zeros((*agents, self.spec.features), self.spec.feature_type),
            state=jnp.zeros((n, self.spec.state)),
            legal=jnp.ones((*agents, self.spec.actions), bool),
            alive=jnp.ones(agents, bool),
            first=jnp.ones(n, bool),
        )

    def step(self, state: None, action: Action, key: PRNGKeyArray) -> tuple[None, Step]:
        n = action.shape[0]
        reward = jnp.zeros((n, self.spec.agents))
        over = jnp.zeros(n, bool)
        counts = {name: jnp.zeros(n) for name in self.counts}
        return None, Step(self.reset(key, n)[1], reward, self.spec.team_mean(reward), over, over, counts)


def outcome_layout(world: StandIn) -> RowLayout:
    """Return the layout of one copy's outcome."""
    spec = world.spec
    action = jax.ShapeDtypeStruct((1, *spec.action_shape), spec.action_type)
    return RowLayout(one_copy(jax.eval_shape(lambda action: world.step(None, action, jr.key(0))[1], action)))


def one_copy(tree: PyTree) -> PyTree[jax.ShapeDtypeStruct]:
    """Return the shapes of one copy's arrays, from those of n."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), tree)
