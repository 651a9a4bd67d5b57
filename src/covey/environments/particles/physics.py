"""The physics that particle worlds share, as in mpe2 1.1.1. Arrays end with n, the copies.

Positions move first, with the old velocity: x += v dt; then v = (1 - damping) v + F dt.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from ...core import Action

DT, DAMPING, CONTACT, MARGIN = 0.1, 0.25, 100.0, 1e-3


def thrust(action: Action, acceleration: float = 5.0) -> Float[Array, "agents 2 n"]:
    """0 nothing, 1 -x, 2 +x, 3 -y, 4 +y; or, with continuous actions, how much of each."""
    a = jnp.moveaxis(action, 0, -1)
    if a.ndim == 3:
        axis = lambda low, high: a[:, high] - a[:, low]
    else:
        axis = lambda low, high: 1.0 * (a == high) - 1.0 * (a == low)
    return acceleration * jnp.stack([axis(1, 2), axis(3, 4)], axis=1)


def length(x: Float[Array, "*b 2 n"]) -> Float[Array, "*b n"]:
    return jnp.sqrt(jnp.sum(x**2, axis=-2))


def contact(gap: Float[Array, "2 n"], touch: float) -> Float[Array, "2 n"]:
    """The force along `gap`, a soft spring from where two bodies are `touch` apart."""
    d = length(gap)
    return CONTACT * MARGIN * jnp.logaddexp(0.0, (touch - d) / MARGIN) / d * gap


def move(
    pos: Float[Array, "agents 2 n"], vel: Float[Array, "agents 2 n"], force: Float[Array, "agents 2 n"]
) -> tuple[Float[Array, "agents 2 n"], Float[Array, "agents 2 n"]]:
    return pos + DT * vel, (1 - DAMPING) * vel + DT * force
