"""The physics of VMAS's worlds (1.5.2). The last axis of arrays is n, the copies.

Velocities move first: v = (1 - drag) v + F dt; then x += v dt, with the new velocity. Bodies have mass 1.
"""

from itertools import combinations

import jax.numpy as jnp
from jaxtyping import Array, Float

from ...core import Action
from . import physics

_DT = 0.1
_DRAG = 0.25
AXES = 2  # of a continuous action, in [-1, 1]
CHOICES = 9  # of a discrete one: three for each axis


def drive(action: Action) -> Float[Array, "agents 2 n"]:
    """Return the force of each agent's own action, from -1 to 1 along each axis.

    Discrete action a drives along x by a // 3 and along y by a % 3: 0 not at all, 1 down, 2 up.
    """
    action = jnp.moveaxis(action, 0, -1)
    if action.ndim == 3:
        return action
    axis = lambda choice: 1.0 * (choice == 2) - 1.0 * (choice == 1)
    return jnp.stack([axis(action // 3), axis(action % 3)], axis=1)


def _push_apart(pos: Float[Array, "agents 2 n"], touch: float) -> Float[Array, "agents 2 n"]:
    """Return the forces of agents on those that they touch, none beyond `touch`."""
    forces = list(jnp.zeros_like(pos))
    for i, j in combinations(range(len(forces)), 2):
        gap = pos[i] - pos[j]
        distance = physics.length(gap)
        acts = (distance <= touch) & (distance >= 1e-6)
        push = jnp.where(acts, physics.contact(gap, touch), 0.0)
        forces[i] = forces[i] + push
        forces[j] = forces[j] - push
    return jnp.stack(forces)


def integrate(
    pos: Float[Array, "agents 2 n"],
    vel: Float[Array, "agents 2 n"],
    force: Float[Array, "agents 2 n"],
    substeps: int = 1,
    touch: float | None = None,
    edge: float | None = None,
) -> tuple[Float[Array, "agents 2 n"], Float[Array, "agents 2 n"]]:
    """Advance by dt in `substeps`; return positions and velocities.

    Agents within `touch` of each other push each other apart. Nobody gets beyond `edge` along an axis; the
    velocity there stays as it is.
    """
    vel = (1 - _DRAG) * vel
    for _ in range(substeps):
        pushed = force if touch is None else force + _push_apart(pos, touch)
        vel = vel + _DT / substeps * pushed
        pos = pos + _DT / substeps * vel
        pos = pos if edge is None else jnp.clip(pos, -edge, edge)
    return pos, vel


def count_actions(continuous: bool) -> int:
    """Return the number of an agent's actions, or of their dimensions."""
    return AXES if continuous else CHOICES


def beam_lengths(
    pos: Float[Array, "agents 2 n"], beams: int, reach: float, radius: float
) -> Float[Array, "agents beams n"]:
    """Return how far each of an agent's beams gets, at most `reach`, before it meets another agent."""
    angle = jnp.arange(beams) * (2 * jnp.pi / beams)
    direction = jnp.stack([jnp.cos(angle), jnp.sin(angle)]).astype(pos.dtype)[..., None]
    lengths = []
    for i in range(len(pos)):
        nearest = jnp.full((beams, pos.shape[-1]), reach, pos.dtype)
        for j in range(len(pos)):
            if j != i:
                gap = pos[j] - pos[i]
                along = gap[0] * direction[0] + gap[1] * direction[1]
                aside = gap[0] * direction[1] - gap[1] * direction[0]
                half_chord = radius**2 - aside**2
                hits = (half_chord > 0) & (along > 0)
                entry = along - jnp.sqrt(jnp.where(half_chord > 0, half_chord, 1.0))
                nearest = jnp.where(hits, jnp.minimum(nearest, entry), nearest)
        lengths.append(nearest)
    return jnp.stack(lengths)
