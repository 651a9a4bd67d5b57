"""Attention: over agents at one moment, or over moments."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from ..errors import SettingError
from ..ops import masked, named
from .layers import MLP, Linear, layer_norm


class Attention(eqx.Module):
    """y_i = sum over j of softmax_j(q_i . k_j / sqrt(d)) v_j in several heads (Vaswani et al., 2017)."""

    query: Linear
    key: Linear
    value: Linear
    out: Linear
    heads: int = eqx.field(static=True)

    def __init__(self, width: int, heads: int, *, key: PRNGKeyArray):
        if width % heads:
            problem = f"cannot share a width of {width}"
            raise SettingError("heads", problem, "set `heads` to a divisor of it", value=heads)
        layer = lambda name: Linear(width, width, key=named(key, name))
        self.query = layer("query")
        self.key = layer("key")
        self.value = layer("value")
        self.out = layer("out")
        self.heads = heads

    def __call__(
        self, x: Float[Array, "*b n d"], mask: Bool[Array, "*b n"]
    ) -> tuple[Float[Array, "*b n d"], Float[Array, "*b heads n n"]]:
        """Attend to those in the mask only; return outputs and weights."""
        split_heads = lambda y: jnp.swapaxes(y.reshape(*y.shape[:-1], self.heads, -1), -2, -3)
        query = split_heads(self.query(x))
        key = split_heads(self.key(x))
        value = split_heads(self.value(x))
        score = query @ jnp.swapaxes(key, -1, -2) / query.shape[-1] ** 0.5
        mask = jnp.broadcast_to(mask[..., None, None, :], score.shape)
        weight = jax.nn.softmax(masked(score, mask), axis=-1)
        return self.out(jnp.swapaxes(weight @ value, -2, -3).reshape(x.shape)), weight


class TransformerBlock(eqx.Module):
    """A pre-norm Transformer layer: x + attention(x), then x + MLP(x).

    Its output is normalised too: without that, the residual sum grows with the weights.
    """

    attention: Attention
    mlp: MLP

    def __init__(self, width: int, heads: int, *, key: PRNGKeyArray):
        self.attention = Attention(width, heads, key=named(key, "attention"))
        self.mlp = MLP(width, 2 * width, width, key=named(key, "mlp"))

    def __call__(self, x: Float[Array, "*b n d"], mask: Bool[Array, "*b n"]) -> Float[Array, "*b n d"]:
        x = x + self.attention(layer_norm(x), mask)[0]
        return layer_norm(x + self.mlp(layer_norm(x)))
