"""Random keys made from names."""

import zlib
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Int, Key, PRNGKeyArray, PyTree

from .collectives import PART


def named(key: PRNGKeyArray, *names: str | int | Int[Array, ""]) -> PRNGKeyArray:
    """Return the key that belongs to a name.

    Keys come from names, never from a position in a split, so an added part moves no other draw.
    """
    for name in names:
        key = jr.fold_in(key, zlib.crc32(name.encode()) if isinstance(name, str) else name)
    return key


def is_key(x: Any) -> bool:
    """Say whether an array, or the shape of one, holds random keys."""
    return jnp.issubdtype(x.dtype, jax.dtypes.prng_key)


def plain(x: Any) -> Any:
    """Return random keys as the numbers they are made of, and any other array unchanged."""
    return jr.key_data(x) if is_key(x) else x


def each(key: PRNGKeyArray, x: PyTree[Array]) -> Key[Array, " b"]:
    """Return a key for each example of this device's share of a batch; the sharing does not change it."""
    size = jax.tree.leaves(x)[0].shape[0]
    try:
        position = jax.lax.axis_index(PART) * size + jnp.arange(size)
    except NameError:
        position = jnp.arange(size)
    return jax.vmap(jr.fold_in, (None, 0))(key, position)
