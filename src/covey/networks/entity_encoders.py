"""Encoders of rows of entities: a code for the agent, and one for each entity, in any order of rows."""

import abc
from typing import Annotated

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from ..ops import named
from ..ranges import Between, Width
from .attention import TransformerBlock
from .entity_rows import Entities
from .layers import Linear, as_matrix


class AbstractEncoder(eqx.Module):
    """A code for the agent, and one for each row; made as `Encoder(own, widths, hidden, gain, key=key)`.

    `own` is the width of what is told of the agent itself, `widths` those of the rows of each block.
    """

    code_size: eqx.AbstractVar[int]  # the width of a row's code

    @abc.abstractmethod
    def __call__(
        self, entities: Entities
    ) -> tuple[Float[Array, "*b h"], tuple[Float[Array, "*b _ code"], ...]]:
        """Return the agent's code, and the codes of each block's rows, zeros for rows that are not there."""


class HypernetworkEncoder(AbstractEncoder):
    """The sum of entities' rows, each times a matrix that a hypernetwork makes from it.

    `code` is the width of the hypernetwork's own layer.
    """

    codes: tuple[Linear, ...]
    pool: Linear
    code_size: int = eqx.field(static=True)

    def __init__(
        self,
        own: int,
        widths: tuple[int, ...],
        hidden: int,
        gain: float | None,
        *,
        code: Width = 32,
        key: PRNGKeyArray,
    ):
        self.code_size = code
        layer = lambda n, width: Linear(width, code, gain=gain, key=named(key, "code", n))
        self.codes = tuple(layer(n, width) for n, width in enumerate(widths))
        inputs = own + sum((code + 1) * (width + 1) for width in widths)
        self.pool = Linear(inputs, hidden, gain=gain, key=named(key, "pool"))

    def __call__(self, entities):
        parts = [entities.own]
        codes = []
        for layer, block in zip(self.codes, entities.blocks, strict=True):
            present = block.present[..., None].astype(block.rows.dtype)
            code = jax.nn.relu(as_matrix(layer, block.rows, (layer,))) * present
            product = _products(
                jnp.concatenate([code, present], axis=-1),
                jnp.concatenate([block.rows * present, present], axis=-1),
            )
            parts.append(product)
            codes.append(code)
        x = jnp.concatenate(parts, axis=-1)
        return jax.nn.relu(as_matrix(self.pool, x, (self.pool,))), tuple(codes)


class AttentionEncoder(AbstractEncoder):
    """A Transformer of `blocks` layers over the agent itself and all entities; a code is its output."""

    own: Linear
    rows: tuple[Linear, ...]
    blocks: tuple[TransformerBlock, ...]
    code_size: int = eqx.field(static=True)

    def __init__(
        self,
        own: int,
        widths: tuple[int, ...],
        hidden: int,
        gain: float | None,
        *,
        heads: Width = 4,
        blocks: Annotated[int, Between(1, 100)] = 1,
        key: PRNGKeyArray,
    ):
        self.code_size = hidden
        layer = lambda width, *name: Linear(width, hidden, gain=gain, key=named(key, *name))
        self.own = layer(own, "own")
        self.rows = tuple(layer(width, "row", n) for n, width in enumerate(widths))
        block = lambda n: TransformerBlock(hidden, heads, key=named(key, "block", n))
        self.blocks = tuple(block(n) for n in range(blocks))

    def __call__(self, entities):
        own = as_matrix(self.own, entities.own, (self.own,))[..., None, :]
        tokens = [own]
        masks = [jnp.ones(own.shape[:-1], bool)]
        for layer, block in zip(self.rows, entities.blocks, strict=True):
            tokens.append(as_matrix(layer, block.rows, (layer,)))
            masks.append(block.present)
        x = jnp.concatenate(tokens, axis=-2)
        mask = jnp.concatenate(masks, axis=-1)
        for layer in self.blocks:
            x = layer(x, mask)
        codes = []
        at = 1
        for rows in entities.blocks:
            stop = at + rows.present.shape[-1]
            codes.append(x[..., at:stop, :] * rows.present[..., None])
            at = stop
        return x[..., 0, :], tuple(codes)


def _products(code: Float[Array, "*b n code"], rows: Float[Array, "*b n f"]) -> Float[Array, "*b products"]:
    """Return the sum over rows of all products of a code's number and a field, as a vector."""
    total = jnp.einsum("...nc,...nf->...cf", code, rows)
    return total.reshape(*total.shape[:-2], -1)
