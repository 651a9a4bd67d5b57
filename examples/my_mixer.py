"""A mixer of your own, in which the state decides how much each agent's value counts.

    Q_tot = n sum_i w_i(s) Q_i + V(s),      w(s) = softmax(W s + b)

All weights are positive, so the agents' own best actions are still the team's. Train it with

    covey train qmix spread mixer=examples/my_mixer.py:Weighted mixer.hidden=64
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from covey.networks import MLP, AbstractMixer, Choices, Linear
from covey.ops import named


class Weighted(AbstractMixer):
    share: Linear
    value: MLP

    def __init__(self, agents: int, world: int, actions: int, *, hidden: int = 32, key: PRNGKeyArray):
        self.share = Linear(world, agents, key=named(key, "share"))
        self.value = MLP(world, hidden, 1, key=named(key, "value"))

    def __call__(self, choices: Choices, world: Float[Array, "*b world"]) -> Float[Array, "*b k"]:
        q = choices.chosen
        weight = q.shape[-1] * jax.nn.softmax(self.share(world))
        return jnp.sum(weight * q, axis=-1, keepdims=True) + self.value(world)
