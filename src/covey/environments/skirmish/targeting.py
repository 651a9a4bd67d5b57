"""The choice of targets: what was ordered, what a unit finds by itself, whom a healer heals.

Within a step units go by one number: allies first, then enemies.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from .roster import Roster, UnitStats
from .state import Forces, Orders, change, over_rows

CALL_RADIUS = 4.0  # how far a call for help reaches, from edge to edge
CALL_PERIOD = 32.0  # loops between two calls of a unit


class Aim(NamedTuple):
    """Each unit's target: whether it has one, the way there, and the gap between edges."""

    number: Int[Array, "units n"]
    present: Bool[Array, "units n"]
    dx: Float[Array, "units n"]
    dy: Float[Array, "units n"]
    distance: Float[Array, "units n"]
    gap: Float[Array, "units n"]

    def within(self, reach: Float[Array, "units copies"]) -> Bool[Array, "units n"]:
        return self.present & (self.gap <= reach)


class Ranks(NamedTuple):
    """One side of a battle as the rows of arrays."""

    own: slice
    foes: slice


def sides(roster: Roster) -> tuple[Ranks, Ranks]:
    """Return the allies' and the enemies' rows."""
    allies = slice(0, roster.allies)
    enemies = slice(roster.allies, roster.units)
    return Ranks(allies, enemies), Ranks(enemies, allies)


def is_ally(roster: Roster) -> Bool[np.ndarray, "units 1"]:
    """Mark the allies' rows."""
    return np.arange(roster.units)[:, None] < roster.allies


def first_target(roster: Roster, stats: UnitStats) -> Int[Array, "units copies"]:
    """Return the number of the first unit on the side where each unit's targets stand."""
    first = np.where(is_ally(roster), roster.allies, 0)
    return jnp.where(stats.healer, roster.allies - first, first)


class _Found(NamedTuple):
    present: Bool[Array, "units n"]
    x: Float[Array, "units n"]
    y: Float[Array, "units n"]
    radius: Float[Array, "units n"]


def look_up(x: Float[Array, "units copies"], number: Int[Array, "units n"]) -> Float[Array, "units n"]:
    """Return a number of each unit's target; 0 where it has none."""
    x = jnp.broadcast_to(x, number.shape)
    pick = lambda found, i, row: jnp.where(number == i, row, found)
    return over_rows(pick, jnp.zeros(number.shape, x.dtype), jnp.arange(len(x)), x)


def aim_at(roster: Roster, stats: UnitStats, forces: Forces, number: Int[Array, "units n"]) -> Aim:
    """Return the aim at targets that were chosen; the dead, and what a weapon cannot hit, are none."""
    shape = number.shape
    whole = lambda x: jnp.broadcast_to(x, shape)

    def look(found: _Found, i: Any, alive: Any, x: Any, y: Any, radius: Any, flies: Any) -> _Found:
        this = (number == i) & alive
        if roster.above:
            this &= ~flies | stats.hits_air | stats.healer
        return _Found(
            found.present | this,
            jnp.where(this, x, found.x),
            jnp.where(this, y, found.y),
            jnp.where(this, radius, found.radius),
        )

    start = _Found(jnp.zeros(shape, bool), forces.x, forces.y, whole(stats.radius))
    rows = (jnp.arange(roster.units), forces.alive, forces.x, forces.y, stats.radius, stats.flies)
    found = over_rows(look, start, *rows)
    dx = found.x - forces.x
    dy = found.y - forces.y
    distance = jnp.sqrt(dx**2 + dy**2)
    gap = distance - found.radius - stats.radius
    return Aim(number, found.present & forces.alive, dx, dy, distance, gap)


class _Seen(NamedTuple):
    """What a unit sees when it looks for a target: gaps are to the centre of a unit, less its radius."""

    gap: Float[Array, "units n"]
    number: Int[Array, "units n"]
    caller_gap: Float[Array, "units n"]
    caller: Int[Array, "units n"]


def acquire(roster: Roster, stats: UnitStats, forces: Forces, orders: Orders) -> Forces:
    """Return the forces after units that react by themselves have looked for targets.

    A unit keeps its target until that one is dead. One that is stuck on the way to it takes the nearest that
    it can reach with its weapon instead. One without a target, whose last attack is over, takes the nearest
    in sight of its scan; when it was hit, or heard a call for help, the nearest of those who hit.
    """
    aim = aim_at(roster, stats, forces, forces.target)
    seen = _look_around(roster, stats, forces)
    has = aim.present
    near = seen.gap - stats.radius
    swaps = has & forces.stuck & (aim.gap > stats.range) & (near <= stats.range)
    looks = ~has & (forces.windup <= 0) & (forces.backswing <= 0)
    finds = looks & (near <= stats.scan)
    helps = looks & ~finds & forces.called & (seen.caller >= 0)
    target = jnp.where(has, forces.target, -1)
    target = jnp.where(swaps | finds, seen.number, jnp.where(helps, seen.caller, target))
    if roster.medics:
        target = jnp.where(stats.healer, _choose_patient(roster, stats, forces), target)
    return change(forces, target=jnp.where(orders.obeys, forces.target, target))


def _look_around(roster: Roster, stats: UnitStats, forces: Forces) -> _Seen:
    """Return the nearest living ally, and the nearest of those that have just hit somebody."""
    x = forces.x
    y = forces.y
    allies = slice(0, roster.allies)

    def closer(seen: _Seen, i: Any, px: Any, py: Any, alive: Any, struck: Any, radius: Any, flies: Any):
        gap = jnp.sqrt((px - x) ** 2 + (py - y) ** 2) - radius
        fits = alive & (~flies | stats.hits_air) if roster.above else alive
        better = fits & (gap < seen.gap)
        calls = fits & struck & (gap < seen.caller_gap)
        return _Seen(
            jnp.where(better, gap, seen.gap),
            jnp.where(better, i, seen.number),
            jnp.where(calls, gap, seen.caller_gap),
            jnp.where(calls, i, seen.caller),
        )

    far = jnp.full(x.shape, jnp.inf)
    nobody = jnp.full(x.shape, -1)
    rows = (jnp.arange(roster.units), x, y, forces.alive, forces.struck, stats.radius, stats.flies)
    return over_rows(closer, _Seen(far, nobody, far, nobody), *(row[allies] for row in rows))


class _Patient(NamedTuple):
    share: Float[Array, "units n"]
    number: Int[Array, "units n"]


def _choose_patient(roster: Roster, stats: UnitStats, forces: Forces) -> Int[Array, "units n"]:
    """Return the friend within scan that has the least share of its health; -1 where all are whole."""
    share = forces.health / stats.health
    hurt = (share > 0) & (share < 1) & stats.biological
    reach = stats.scan + stats.radius
    ally = is_ally(roster)

    def weaker(best: _Patient, i: Any, x: Any, y: Any, hurt: Any, share: Any, radius: Any, side: Any):
        distance = jnp.sqrt((x - forces.x) ** 2 + (y - forces.y) ** 2)
        near = distance <= reach + radius
        better = hurt & near & (side == ally) & (share < best.share)
        return _Patient(jnp.where(better, share, best.share), jnp.where(better, i, best.number))

    start = _Patient(jnp.ones(share.shape), jnp.full(share.shape, -1))
    rows = (jnp.arange(roster.units), forces.x, forces.y, hurt, share, stats.radius, jnp.asarray(ally))
    return over_rows(weaker, start, *rows).number
