"""A mixer with a defect that no error and no learning curve shows; docs/effect.md finds it.

    covey train qmix spread mixer=examples/detached_mixer.py:Gated

    Q_tot = n sum_i w_i(s) Q_i + V(s),      w(s) = softmax(W s + b)

as in my_mixer.py, but the weights are detached, to keep gradients away from the state. The state takes no
gradient anyway; the stop_gradient cuts off W and b.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from covey.networks import MLP, AbstractMixer, Choices, Linear
from covey.ops import named


class Gated(AbstractMixer):
    gate: Linear
    value: MLP

    def __init__(self, agents: int, world: int, actions: int, *, hidden: int = 32, key: PRNGKeyArray):
        self.gate = Linear(world, agents, key=named(key, "gate"))
        self.value = MLP(world, hidden, 1, key=named(key, "value"))

    def __call__(self, choices: Choices, world: Float[Array, "*b world"]) -> Float[Array, "*b k"]:
        q = choices.chosen
        weight = jax.lax.stop_gradient(q.shape[-1] * jax.nn.softmax(self.gate(world)))
        return jnp.sum(weight * q, axis=-1, keepdims=True) + self.value(world)
