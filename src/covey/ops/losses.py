"""Losses, and their named terms."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

from ..parts import Number, is_off
from .watching import show_ratio


def surrogate(ratio: Float[Array, "*b"], advantage: Float[Array, "*b"], clip: Number) -> Float[Array, "*b"]:
    """Return PPO's min(rho A, clip(rho, 1 - eps, 1 + eps) A) (Schulman et al., 2017)."""
    show_ratio(ratio)
    return jnp.minimum(ratio * advantage, jnp.clip(ratio, 1 - clip, 1 + clip) * advantage)


def huber(error: Float[Array, "*b"], delta: Number) -> Float[Array, "*b"]:
    """Return half the square, and a straight line beyond delta (Huber, 1964)."""
    size = jnp.minimum(jnp.abs(error), delta)
    return size * (jnp.abs(error) - 0.5 * size)


def clipped_value_loss(
    value: Float[Array, "*b"], old: Float[Array, "*b"], goal: Float[Array, "*b"], clip: Number, delta: Number
) -> Float[Array, "*b"]:
    """Return max(h(G - V), h(G - V_clipped)), V_clipped within `clip` of the old; clip = 0: h(G - V)."""
    plain = huber(goal - value, delta)
    near = old + jnp.clip(value - old, -clip, clip)
    return plain if is_off(clip) else jnp.maximum(plain, huber(goal - near, delta))


def total(
    values: Mapping[str, Float[Array, "*b"]], **weights: Float[Array, ""] | float
) -> Float[Array, "*b"]:
    """Return a loss of several terms, each value times its weight.

    Names stay visible in the program, so that the effect audit finds the terms and which have a gradient.
    """
    return sum((weight * term(name)(values[name]) for name, weight in weights.items()), jnp.zeros(()))


def term(name: str) -> Callable[[Float[Array, "*b"]], Float[Array, "*b"]]:
    """Return an identity that names a loss term in the program, for the effect audit.

    The program says "term NAME", and "slope NAME" where the term is differentiated.
    """

    @jax.custom_jvp
    def identity(x):
        return checkpoint_name(x, f"term {name}")

    def slope(x, dx):
        if isinstance(dx[0], SymbolicZero):
            return identity(x[0]), jnp.zeros_like(x[0])
        return checkpoint_name(identity(x[0]), f"slope {name}"), dx[0]

    identity.defjvp(slope, symbolic_zeros=True)
    return identity
