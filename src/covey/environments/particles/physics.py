"""The physics that particle worlds share, as in mpe2 1.1.1. Arrays end with n, the copies.

Positions move first, with the old velocity: x += v dt; then v = (1 - damping) v + F dt.
"""

from collections.abc import Callable
from functools import reduce
from itertools import combinations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from ...core import Action

DT, DAMPING, CONTACT, MARGIN = 0.1, 0.25, 100.0, 1e-3
MOVES = 5  # the first five of an agent's actions, or of their dimensions
Each = float | tuple[float, ...]  # alike for all agents, or one for each


def column(x: Each) -> float | Float[np.ndarray, "agents 1 1"]:
    """Beside arrays `[agents, 2, n]`, and of their precision."""
    return x if isinstance(x, float) else np.array(x)[:, None, None]


def thrust(action: Action, acceleration: Each = 5.0) -> Float[Array, "agents 2 n"]:
    """0 nothing, 1 -x, 2 +x, 3 -y, 4 +y; or, with continuous actions, how much of each.

    What follows the moves is for saying something: see `sight.spoken`.
    """
    a = jnp.moveaxis(action, 0, -1)
    if a.ndim == 3:
        axis = lambda low, high: a[:, high] - a[:, low]
    else:
        a = a % MOVES
        axis = lambda low, high: 1.0 * (a == high) - 1.0 * (a == low)
    force = jnp.stack([axis(1, 2), axis(3, 4)], axis=1)
    return jnp.asarray(column(acceleration), force.dtype) * force


def fold(f: Callable[[Array, Array], Array], x: Shaped[Array, "k *rest"]) -> Shaped[Array, "*rest"]:
    """f over a short first axis, spelt out: compilers for CPUs vectorise no other reduction."""
    return reduce(f, x)


def square(x: Float[Array, "*b 2 n"]) -> Float[Array, "*b n"]:
    """Of the length."""
    return x[..., 0, :] ** 2 + x[..., 1, :] ** 2


def length(x: Float[Array, "*b 2 n"]) -> Float[Array, "*b n"]:
    return jnp.sqrt(square(x))


def contact(gap: Float[Array, "2 n"], touch: float) -> Float[Array, "2 n"]:
    """The force along `gap`, a soft spring from where two bodies are `touch` apart.

    mpe2's k logaddexp(0, x / k), but for its log1p: what the plain logarithm loses lies below rounding.
    """
    d = length(gap)
    x = (touch - d) / MARGIN
    press = jnp.maximum(x, 0.0) + jnp.log(1.0 + jnp.exp(-jnp.abs(x)))
    return CONTACT * MARGIN * press / d * gap


def collide(
    force: Float[Array, "agents 2 n"],
    pos: Float[Array, "agents 2 n"],
    radii: tuple[float, ...],
    obstacles: Float[Array, "obstacles 2 n"] | None = None,
    size: float = 0.0,
) -> Float[Array, "agents 2 n"]:
    """`force`, and what agents do to each other and obstacles to agents."""
    push = list(force)
    for i, j in combinations(range(len(push)), 2):
        hit = contact(pos[i] - pos[j], radii[i] + radii[j])
        push[i], push[j] = push[i] + hit, push[j] - hit
    for obstacle in () if obstacles is None else obstacles:
        push = [p + contact(x - obstacle, r + size) for p, x, r in zip(push, pos, radii, strict=True)]
    return jnp.stack(push)


def move(
    pos: Float[Array, "agents 2 n"],
    vel: Float[Array, "agents 2 n"],
    force: Float[Array, "agents 2 n"],
    fastest: Each | None = None,
) -> tuple[Float[Array, "agents 2 n"], Float[Array, "agents 2 n"]]:
    """A step of dt; no agent leaves it faster than its `fastest`."""
    pos, vel = pos + DT * vel, (1 - DAMPING) * vel + DT * force
    if fastest is not None:
        speed, top = length(vel)[:, None], jnp.asarray(column(fastest), vel.dtype)
        vel = jnp.where(speed > top, vel / speed * top, vel)
    return pos, vel
