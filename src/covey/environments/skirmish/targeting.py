"""The choice of targets: what was ordered, what a unit finds by itself, whom a healer heals."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .roster import Roster, UnitStats
from .state import Forces, Orders, change, choose_row, over_rows

SCAN_PERIOD = 4  # loops between two looks for a target; the game's own number is not known
CALL_RADIUS = 4.0  # how far a call for help reaches, from edge to edge


class Aim(NamedTuple):
    """Each unit's target: whether it has one, the way there, and the gap between edges."""

    number: Int[Array, "units n"]
    present: Bool[Array, "units n"]
    offset: Float[Array, "units 2 n"]
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


def _both(roster: Roster, f) -> Array:
    """Return f of each side, one below the other."""
    return jnp.concatenate([f(side) for side in sides(roster)])


def look_up(
    roster: Roster, x: Float[Array, "units copies"], index: Int[Array, "units n"], friends: bool = False
) -> Float[Array, "units n"]:
    """Return a number of each unit's target: on the other side, or among friends."""
    x = jnp.broadcast_to(x, (roster.units, index.shape[-1]))
    return _both(roster, lambda side: choose_row(x[side.own if friends else side.foes], index[side.own]))


def aim_at(roster: Roster, stats: UnitStats, forces: Forces, index: Int[Array, "units n"]) -> Aim:
    """Return the aim at targets that were chosen; the dead, and what a weapon cannot hit, are none."""

    def look(x):
        found = look_up(roster, x, index)
        return jnp.where(stats.healer, look_up(roster, x, index, True), found) if roster.medics else found

    alive = look(forces.alive.astype(jnp.float32)) > 0
    present = (index >= 0) & alive & forces.alive
    if roster.over:
        flies = look(stats.flies.astype(jnp.float32)) > 0
        present &= ~flies | stats.hits_air
    offset = jnp.stack([look(forces.pos[:, 0]), look(forces.pos[:, 1])], axis=1) - forces.pos
    distance = jnp.sqrt(offset[:, 0] ** 2 + offset[:, 1] ** 2)
    radius = look(stats.radius)
    return Aim(index, present, offset, distance - radius - stats.radius)


class _Nearest(NamedTuple):
    gap: Float[Array, "units n"]
    number: Int[Array, "units n"]


def _nearest(
    stats: UnitStats, forces: Forces, side: Ranks, allowed: Bool[Array, "units n"], hits_air: bool
) -> _Nearest:
    """Return the nearest living foe of each unit of a side, of those that are allowed."""
    own = side.own
    foes = side.foes
    x = forces.pos[own, 0]
    y = forces.pos[own, 1]
    ready = forces.alive[foes] & allowed[foes]
    n = forces.pos.shape[-1]
    radius = jnp.broadcast_to(stats.radius, (len(forces.pos), n))
    flies = jnp.broadcast_to(stats.flies, (len(forces.pos), n))

    def closer(best, number, place, ready, size, flying):
        distance = jnp.sqrt((place[0] - x) ** 2 + (place[1] - y) ** 2) - size
        fits = ready & (~flying | stats.hits_air[own]) if hits_air else ready
        distance = jnp.where(fits, distance, jnp.inf)
        better = distance < best.gap
        return _Nearest(jnp.where(better, distance, best.gap), jnp.where(better, number, best.number))

    start = _Nearest(jnp.full(x.shape, jnp.inf), jnp.full(x.shape, -1))
    numbers = jnp.arange(len(ready))
    best = over_rows(closer, start, numbers, forces.pos[foes], ready, radius[foes], flies[foes])
    return _Nearest(best.gap - stats.radius[own], best.number)


def acquire(roster: Roster, stats: UnitStats, forces: Forces, orders: Orders, loop: Int[Array, ""]) -> Forces:
    """Return the forces after units that react by themselves have looked for targets.

    A unit keeps its target until that one is dead. One that cannot reach its target with its weapon takes the
    nearest that it can reach instead. One without a target takes the nearest in sight of its scan; where a
    friend nearby was hit, the nearest of those who hit.
    """
    _, enemy = sides(roster)
    own = enemy.own
    aim = aim_at(roster, stats, forces, forces.target)
    everybody = jnp.ones_like(forces.alive)
    near = _nearest(stats, forces, enemy, everybody, roster.over)
    caller = _nearest(stats, forces, enemy, forces.struck, roster.over)
    has = aim.present[own]
    held = has & ((aim.gap <= stats.range)[own] | (forces.windup[own] > 0))
    looks = (loop + jnp.arange(roster.enemies)[:, None]) % SCAN_PERIOD == 0
    reachable = near.gap <= stats.range[own]
    sighted = near.gap <= stats.scan[own]
    swap = looks & ~held & jnp.where(has, reachable, sighted)
    helps = ~has & ~swap & forces.called[own] & (caller.number >= 0)
    target = jnp.where(has, forces.target[own], -1)
    target = jnp.where(swap, near.number, jnp.where(helps, caller.number, target))
    if roster.medics:
        target = jnp.where(stats.healer[own], _choose_patient(stats, forces, enemy), target)
    target = jnp.where(orders.obeys[own], orders.target[own], target)
    return change(forces, target=jnp.concatenate([forces.target[enemy.foes], target]))


def _choose_patient(stats: UnitStats, forces: Forces, side: Ranks) -> Int[Array, "units n"]:
    """Return the friend within scan that has the least share of its health; -1 where all are whole."""
    own = side.own
    share = forces.health[own] / stats.health[own]
    ready = (share > 0) & (share < 1) & stats.biological[own]
    x = forces.pos[own, 0]
    y = forces.pos[own, 1]
    reach = stats.scan[own] + stats.radius[own]
    radius = jnp.broadcast_to(stats.radius[own], share.shape)

    def weaker(best, number, place, ready, share, size):
        distance = jnp.sqrt((place[0] - x) ** 2 + (place[1] - y) ** 2) - size
        better = ready & (distance <= reach) & (share < best.gap)
        return _Nearest(jnp.where(better, share, best.gap), jnp.where(better, number, best.number))

    start = _Nearest(jnp.full(x.shape, jnp.inf), jnp.full(x.shape, -1))
    return over_rows(weaker, start, jnp.arange(len(share)), forces.pos[own], ready, share, radius).number
