"""A battle: one loop of 1/16 s after another, for n copies at once.

A loop aims, attacks, moves and recovers, in this order; all that happens in one part happens at once.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from .maps import Terrain
from .movement import march, settle
from .roster import Kinds, Roster, UnitStats
from .state import Forces, Orders, change
from .targeting import acquire, aim_at, first_target
from .weapons import attack, land, recover

LOOPS = 8  # of a step
_EARLIEST = -1.0  # loops that a random weapon delay adds
_LATEST = 2.0


class Field(NamedTuple):
    """The fixed part of a battle: the units, the ground, and whether enemies react by themselves."""

    roster: Roster
    terrain: Terrain
    reacting: bool


def draw_delays(key: PRNGKeyArray, roster: Roster, n: int) -> Float[Array, "units n"]:
    """Return the random delay of each unit's next attack, in loops."""
    return jax.random.uniform(key, (roster.units, n), minval=_EARLIEST, maxval=_LATEST)


def take_orders(field: Field, forces: Forces, orders: Orders) -> Forces:
    """Return the forces with new orders: one that differs breaks off an attack, its rest and its second hit.

    The same target again changes nothing.
    """
    moves = (orders.direction[:, 0] != 0) | (orders.direction[:, 1] != 0)
    changed = orders.obeys & (moves | (orders.target != forces.target))
    clear = lambda timer: jnp.where(changed, 0.0, timer)
    changes = {"windup": clear(forces.windup), "backswing": clear(forces.backswing)}
    if field.roster.double_hits:
        changes["second"] = clear(forces.second)
    target = jnp.where(orders.obeys, orders.target, forces.target)
    nobody = jnp.full_like(forces.fired, -1)
    return change(forces, target=target, fired=nobody, **changes)


def renumber_targets(forces: Forces, first: Int[Array, "units copies"]) -> Forces:
    """Return the forces with `first` added to the numbers of targets."""
    number = lambda target: jnp.where(target >= 0, target + first, -1)
    flight = number(forces.flight_target) if len(forces.flight_target) else forces.flight_target
    return change(forces, target=number(forces.target), fired=number(forces.fired), flight_target=flight)


def fight(
    field: Field,
    kinds: Kinds,
    forces: Forces,
    orders: Orders,
    delays: Float[Array, "units n"],
    loops: int = LOOPS,
) -> Forces:
    """Return the forces after a step.

    Between steps targets go by their place on their side; within a step, by one number for all.
    """
    stats = field.roster.stats(kinds)
    first = first_target(field.roster, stats)
    forces = renumber_targets(take_orders(field, forces, orders), first)
    loop = lambda _, forces: advance(field, kinds, stats, forces, orders, delays)
    forces = jax.lax.fori_loop(0, loops, loop, forces)
    return renumber_targets(settle(field.roster, field.terrain, stats, forces), -first)


def advance(
    field: Field,
    kinds: Kinds,
    stats: UnitStats,
    forces: Forces,
    orders: Orders,
    delays: Float[Array, "units n"],
) -> Forces:
    """Return the forces after one loop."""
    roster = field.roster
    if field.reacting:
        forces = acquire(roster, stats, forces, orders)
    aim = aim_at(roster, stats, forces, forces.target)
    forces, strikes = attack(roster, stats, forces, aim, delays)
    forces, hit = land(roster, kinds, stats, forces, strikes)
    forces = march(roster, field.terrain, stats, forces, orders, aim, hit)
    return recover(roster, stats, forces, aim)
