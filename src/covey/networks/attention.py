"""Attention: over agents at a moment, or over moments."""

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
        part = lambda name: Linear(width, width, key=named(key, name))
        self.query, self.key, self.value, self.out = map(part, ("query", "key", "value", "out"))
        self.heads = heads

    def __call__(
        self, x: Float[Array, "*b n d"], mask: Bool[Array, "*b n"]
    ) -> tuple[Float[Array, "*b n d"], Float[Array, "*b heads n n"]]:
        """Only those in the mask are attended to. Also returns how much of each."""
        apart = lambda y: jnp.swapaxes(y.reshape(*y.shape[:-1], self.heads, -1), -2, -3)
        q, k, v = (apart(layer(x)) for layer in (self.query, self.key, self.value))
        alike = q @ jnp.swapaxes(k, -1, -2) / q.shape[-1] ** 0.5
        mask = jnp.broadcast_to(mask[..., None, None, :], alike.shape)
        weight = jax.nn.softmax(masked(alike, mask), axis=-1)
        return self.out(jnp.swapaxes(weight @ v, -2, -3).reshape(x.shape)), weight


class Block(eqx.Module):
    """A Transformer's layer, normalised first: x + attention(x), then x + MLP(x). Its outcome is normalised,
    too: what adds up without it grows as its weights do."""

    attention: Attention
    mlp: MLP

    def __init__(self, width: int, heads: int, *, key: PRNGKeyArray):
        self.attention = Attention(width, heads, key=named(key, "attention"))
        self.mlp = MLP(width, 2 * width, width, key=named(key, "mlp"))

    def __call__(self, x: Float[Array, "*b n d"], mask: Bool[Array, "*b n"]) -> Float[Array, "*b n d"]:
        x = x + self.attention(layer_norm(x), mask)[0]
        return layer_norm(x + self.mlp(layer_norm(x)))
