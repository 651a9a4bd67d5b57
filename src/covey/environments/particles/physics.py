"""The physics of the particle worlds, as in mpe2 1.1.1. The last axis of arrays is n, the copies.

Positions move first, with the old velocity: x += v dt; then v = (1 - damping) v + F dt.
"""

from collections.abc import Callable
from functools import reduce
from itertools import combinations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from ...core import Action

_DT = 0.1
_DAMPING = 0.25
_CONTACT_FORCE = 100.0
_CONTACT_MARGIN = 1e-3
MOVES = 5  # the first five of an agent's actions, or of their dimensions, move it
MOVE_NAMES = ("stay", "left", "right", "down", "up")
PerAgent = float | tuple[float, ...]  # one number for all agents, or one for each


def _as_column(x: PerAgent) -> float | Float[np.ndarray, "agents 1 1"]:
    """Return numbers that broadcast with arrays `[agents, 2, n]` and keep their precision."""
    return x if isinstance(x, float) else np.array(x)[:, None, None]


def thrust(action: Action, acceleration: PerAgent = 5.0) -> Float[Array, "agents 2 n"]:
    """Return the force of each agent's own action.

    Discrete: 0 nothing, 1 -x, 2 +x, 3 -y, 4 +y. Continuous: how much of each. Actions beyond the moves
    speak; see `observations.spoken_words`.
    """
    action = jnp.moveaxis(action, 0, -1)
    if action.ndim == 3:
        axis = lambda low, high: action[:, high] - action[:, low]
    else:
        action = action % MOVES
        axis = lambda low, high: 1.0 * (action == high) - 1.0 * (action == low)
    force = jnp.stack([axis(1, 2), axis(3, 4)], axis=1)
    return jnp.asarray(_as_column(acceleration), force.dtype) * force


def fold(f: Callable[[Array, Array], Array], x: Shaped[Array, "k *rest"]) -> Shaped[Array, "*rest"]:
    """Reduce a short first axis, unrolled: on CPUs, XLA vectorises no other reduction."""
    return reduce(f, x)


def squared_length(x: Float[Array, "*b 2 n"]) -> Float[Array, "*b n"]:
    return x[..., 0, :] ** 2 + x[..., 1, :] ** 2


def length(x: Float[Array, "*b 2 n"]) -> Float[Array, "*b n"]:
    return jnp.sqrt(squared_length(x))


def contact(gap: Float[Array, "2 n"], touch: float) -> Float[Array, "2 n"]:
    """Return the force along `gap`: a soft spring that acts where two bodies are within `touch`.

    mpe2 computes k logaddexp(0, x / k) with log1p; the plain logarithm here differs below rounding.
    """
    distance = length(gap)
    x = (touch - distance) / _CONTACT_MARGIN
    pressure = jnp.maximum(x, 0.0) + jnp.log(1.0 + jnp.exp(-jnp.abs(x)))
    return _CONTACT_FORCE * _CONTACT_MARGIN * pressure / distance * gap


def add_contacts(
    force: Float[Array, "agents 2 n"],
    pos: Float[Array, "agents 2 n"],
    radii: tuple[float, ...],
    obstacles: Float[Array, "obstacles 2 n"] | None = None,
    obstacle_radius: float = 0.0,
) -> Float[Array, "agents 2 n"]:
    """Return `force` plus the forces of agents and obstacles that agents touch."""
    forces = list(force)
    for i, j in combinations(range(len(forces)), 2):
        push = contact(pos[i] - pos[j], radii[i] + radii[j])
        forces[i] = forces[i] + push
        forces[j] = forces[j] - push
    for obstacle in () if obstacles is None else obstacles:
        forces = [
            f + contact(x - obstacle, radius + obstacle_radius)
            for f, x, radius in zip(forces, pos, radii, strict=True)
        ]
    return jnp.stack(forces)


def move(
    pos: Float[Array, "agents 2 n"],
    vel: Float[Array, "agents 2 n"],
    force: Float[Array, "agents 2 n"],
    max_speed: PerAgent | None = None,
) -> tuple[Float[Array, "agents 2 n"], Float[Array, "agents 2 n"]]:
    """Advance by dt; return positions, and velocities of at most `max_speed`."""
    pos = pos + _DT * vel
    vel = (1 - _DAMPING) * vel + _DT * force
    if max_speed is not None:
        speed = length(vel)[:, None]
        limit = jnp.asarray(_as_column(max_speed), vel.dtype)
        vel = jnp.where(speed > limit, vel / speed * limit, vel)
    return pos, vel
