"""Exchanges between devices that work on one seed."""

from typing import TypeVar

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, Shaped

_P = TypeVar("_P")

PART = "part"  # the axis of devices that work on one seed together


def pooled(x: _P) -> _P:
    """Return the mean over the devices that share one seed, in one exchange; `x` itself on a single one."""
    flat, restore = ravel_pytree(x)
    try:
        return restore(jax.lax.pmean(flat, PART))
    except NameError:  # no such axis: this device has the seed to itself
        return x


def agreed(x: Int[Array, ""]) -> Int[Array, ""]:
    """Return the largest x of the devices that share one seed: a number of turns that all of them take."""
    try:
        return jax.lax.pmax(x, PART)
    except NameError:
        return x


def shard(x: _P) -> _P:
    """Return this device's share of a batch, whose first axis is examples; all of it if it divides unevenly.

    Gradients and means are `pooled`, so sharding decides only which device computes which part.
    """
    try:
        parts = jax.lax.axis_size(PART)
        part = jax.lax.axis_index(PART)
    except NameError:
        return x
    size = jax.tree.leaves(x)[0].shape[0]
    if size % parts:
        return x
    size = size // parts
    return jax.tree.map(lambda x: jax.lax.dynamic_slice_in_dim(x, part * size, size), x)


def mean(x: Float[Array, "..."], mask: Shaped[Array, "..."], exact: bool = True) -> Float[Array, ""]:
    """Return the mean of x where `mask`, which may lack x's last axes.

    With `exact`, the count is pooled over devices that share a batch, which costs an exchange; a mean that is
    only reported does without.
    """
    weight = jnp.broadcast_to(mask.reshape(*mask.shape, *[1] * (x.ndim - mask.ndim)), x.shape)
    count = jnp.sum(weight, dtype=x.dtype)
    return jnp.sum(x * weight) / jnp.maximum(pooled(count) if exact else count, 1.0)


def standardised(x: Float[Array, "*b"], mask: Bool[Array, "*b"]) -> Float[Array, "*b"]:
    """Return x with mean 0 and deviation 1 where `mask`."""
    x = x - jnp.mean(x, where=mask)
    return x / (jnp.sqrt(jnp.mean(x**2, where=mask)) + 1e-5)
