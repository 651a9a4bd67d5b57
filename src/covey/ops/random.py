"""Keys from names."""

import zlib
from typing import TypeVar

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Int, Key, PRNGKeyArray, PyTree

from .collectives import PART

P = TypeVar("P")


def named(key: PRNGKeyArray, *names: str | int | Int[Array, ""]) -> PRNGKeyArray:
    """A key of its own for whatever bears this name.

    Keys come from names, never from a place in a split: so an added part moves no other's draw.
    """
    for name in names:
        key = jr.fold_in(key, zlib.crc32(name.encode()) if isinstance(name, str) else name)
    return key


def each(key: PRNGKeyArray, x: PyTree[Array]) -> Key[Array, " b"]:
    """A key for each example of a batch, of this device's share of it: the same whoever computes it."""
    size = jax.tree.leaves(x)[0].shape[0]
    try:
        place = jax.lax.axis_index(PART) * size + jnp.arange(size)
    except NameError:
        place = jnp.arange(size)
    return jax.vmap(jr.fold_in, (None, 0))(key, place)
