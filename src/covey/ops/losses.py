"""Losses, and their named terms."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float


def surrogate(ratio: Float[Array, "*b"], advantage: Float[Array, "*b"], clip: float) -> Float[Array, "*b"]:
    """min(rho A, clip(rho, 1 - eps, 1 + eps) A) (Schulman et al., 2017): no gain from going further."""
    return jnp.minimum(ratio * advantage, jnp.clip(ratio, 1 - clip, 1 + clip) * advantage)


def huber(error: Float[Array, "*b"], delta: float) -> Float[Array, "*b"]:
    """Half the square; a straight line beyond delta (Huber, 1964)."""
    size = jnp.minimum(jnp.abs(error), delta)
    return size * (jnp.abs(error) - 0.5 * size)


def clipped_value_loss(
    value: Float[Array, "*b"], old: Float[Array, "*b"], goal: Float[Array, "*b"], clip: float, delta: float
) -> Float[Array, "*b"]:
    """max(h(G - V), h(G - V_clipped)), V_clipped within `clip` of the old value; clip = 0: h(G - V)."""
    plain = huber(goal - value, delta)
    near = old + jnp.clip(value - old, -clip, clip)
    return jnp.maximum(plain, huber(goal - near, delta)) if clip else plain


def total(
    values: Mapping[str, Float[Array, "*b"]], **weights: Float[Array, ""] | float
) -> Float[Array, "*b"]:
    """A loss of several terms, each value times its weight.

    Names stay visible in the program, so that the effect audit knows the terms and which have a gradient.
    """
    return sum((weight * term(name)(values[name]) for name, weight in weights.items()), jnp.zeros(()))


def term(name: str) -> Callable[[Float[Array, "*b"]], Float[Array, "*b"]]:
    """Changes nothing but what the program says: "term NAME", and "slope NAME" where it is differentiated."""

    @jax.custom_jvp
    def known(x):
        return checkpoint_name(x, f"term {name}")

    def slope(x, dx):
        if isinstance(dx[0], SymbolicZero):
            return known(x[0]), jnp.zeros_like(x[0])
        return checkpoint_name(known(x[0]), f"slope {name}"), dx[0]

    known.defjvp(slope, symbolic_zeros=True)
    return known
