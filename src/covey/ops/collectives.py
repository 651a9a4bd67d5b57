"""What devices that work on one seed exchange."""

from typing import TypeVar

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Shaped

P = TypeVar("P")


PART = "part"  # the axis of devices that work on one seed together


def pooled(x: P) -> P:
    """The mean over the devices that share one seed, in one exchange; `x` itself on a single one."""
    flat, restore = ravel_pytree(x)
    try:
        return restore(jax.lax.pmean(flat, PART))
    except NameError:  # no such axis: nobody to share with
        return x


def shard(x: P) -> P:
    """This device's share of what leads with examples; all of it where it cannot be cut evenly.

    Wherever gradients and means are `pooled`, it only decides who computes what.
    """
    try:
        parts, part = jax.lax.axis_size(PART), jax.lax.axis_index(PART)
    except NameError:
        return x
    size = jax.tree.leaves(x)[0].shape[0]
    if size % parts:
        return x
    size = size // parts
    return jax.tree.map(lambda x: jax.lax.dynamic_slice_in_dim(x, part * size, size), x)


def mean(x: Float[Array, "..."], mask: Shaped[Array, "..."], exact: bool = True) -> Float[Array, ""]:
    """The mean of x where `mask`, which may lack x's last axes.

    Its mean over devices that share a batch is `exact`, at the price of an exchange; what is only
    reported can do without.
    """
    weight = jnp.broadcast_to(mask.reshape(*mask.shape, *[1] * (x.ndim - mask.ndim)), x.shape)
    count = jnp.sum(weight, dtype=x.dtype)
    return jnp.sum(x * weight) / jnp.maximum(pooled(count) if exact else count, 1.0)


def standardised(x: Float[Array, "*b"], mask: Bool[Array, "*b"]) -> Float[Array, "*b"]:
    """Mean 0 and deviation 1 where `mask`."""
    x = x - jnp.mean(x, where=mask)
    return x / (jnp.sqrt(jnp.mean(x**2, where=mask)) + 1e-5)
