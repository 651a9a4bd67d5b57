"""Hand-made battles: two lists of units at given places, loop by loop, without random delays."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from covey.config.making import make_environment
from covey.environments.skirmish.battle import Field, advance, renumber_targets, take_orders
from covey.environments.skirmish.maps import SIZE, Gate, Group, Terrain, find_terrain
from covey.environments.skirmish.roster import Roster, make_roster
from covey.environments.skirmish.state import Orders, start_forces
from covey.environments.skirmish.targeting import first_target
from covey.environments.skirmish.units import read_units

TABLE = read_units("lotv").units
OPEN = find_terrain("square")


def battle(name, **settings):
    """Return the world `skirmish/NAME` with these settings."""
    return make_environment(f"skirmish/{name}", settings)[0]


def still(unit):
    """Return a type that does not recover by itself."""
    return replace(unit, race="nobody")


def make_field(allies, enemies, terrain=OPEN, reacting=False):
    """Return the field of a battle between two lists of types, or of their names."""
    types = lambda side: [TABLE[unit] if isinstance(unit, str) else unit for unit in side]
    return Field(make_roster(types(allies), types(enemies)), terrain, reacting)


def make_forces(field, places, **values):
    """Return fresh units at places `[units][x, y]`, in one copy; `values` replaces fields."""
    pos = jnp.asarray(places, jnp.float32)[..., None]
    fresh = start_forces(field.roster, field.roster.kinds[:, None], pos, field.reacting)
    return replace(fresh, **{key: jnp.asarray(x, jnp.float32)[:, None] for key, x in values.items()})


def make_orders(field, targets=None, directions=None):
    """Return orders in one copy: each unit's target, -1 for none, and direction. Nobody acts by itself."""
    units = field.roster.units
    target = jnp.asarray([-1] * units if targets is None else targets)[:, None]
    direction = jnp.zeros((units, 2)) if directions is None else jnp.asarray(directions, jnp.float32)
    return Orders(direction[..., None], target, jnp.zeros((units, 2, 1)), jnp.ones((units, 1), bool))


@partial(jax.jit, static_argnums=(0, 5))
def history(field, kinds, forces, orders, delays, loops):
    """Return the forces before the first loop and after each, stacked."""
    stats = field.roster.stats(kinds)
    first = first_target(field.roster, stats)
    start = renumber_targets(take_orders(field, forces, orders), first)

    def tick(forces, _):
        after = advance(field, kinds, stats, forces, orders, delays)
        return after, after

    _, later = jax.lax.scan(tick, start, jnp.arange(loops))
    everything = jax.tree.map(lambda x, xs: jnp.concatenate([x[None], xs]), start, later)
    return jax.vmap(renumber_targets, (0, None))(everything, -first)


def play(field, forces, orders, loops):
    """Return what happens in so many loops, in one copy; arrays are `[loops + 1, units]`."""
    kinds = jnp.asarray(field.roster.kinds)[:, None]
    told = history(field, kinds, forces, orders, jnp.zeros((field.roster.units, 1)), loops)
    return jax.tree.map(lambda x: np.asarray(x)[..., 0], told)


def ends(told):
    """Return where units stand after the last loop of `play`, `[units, 2]`."""
    return np.stack([told.x[-1], told.y[-1]], axis=-1)


def points(told):
    """Return health and shield together."""
    return told.health + told.shield


# One attacker and one victim of any type, so that all pairs are copies of one battle.
NEEDLE = replace(TABLE["marine"], name="needle", damage=1.0)
TYPES = tuple(still(unit) for unit in (*TABLE.values(), NEEDLE))
NAMES = [unit.name for unit in TYPES]
PAIR = Field(Roster(TYPES, 1, 1, None), OPEN, False)


def reach(attacker, victim):
    """Return the distance of centres at which a weapon just reaches."""
    a = TYPES[NAMES.index(attacker)]
    b = TYPES[NAMES.index(victim)]
    return a.range + a.radius + b.radius


def play_pairs(pairs, distances, loops, **values):
    """Return what happens to pairs (attacker, victim) that begin so far apart, in `[loops + 1, 2, n]`.

    The attacker, in the west, has its order; the victim stands still, and nobody recovers health.
    """
    n = len(pairs)
    kinds = jnp.array([[NAMES.index(a), NAMES.index(b)] for a, b in pairs]).T
    pos = np.full((2, 2, n), 16.0, np.float32)
    pos[0, 0] = 8.0
    pos[1, 0] = 8.0 + np.asarray(distances)
    forces = start_forces(PAIR.roster, kinds, jnp.asarray(pos), False)
    forces = replace(forces, **{key: jnp.broadcast_to(jnp.asarray(x), (2, n)) for key, x in values.items()})
    target = jnp.broadcast_to(jnp.array([[0], [-1]]), (2, n))
    orders = Orders(jnp.zeros((2, 2, n)), target, jnp.zeros((2, 2, 1)), jnp.ones((2, n), bool))
    told = history(PAIR, kinds, forces, orders, jnp.zeros((2, n)), loops)
    return jax.tree.map(np.asarray, told)


class Duel(NamedTuple):
    """One unit fights another one that stands still, until that one is dead."""

    hits: int
    first: int  # the loop of the first hit; the attack begins in loop 0
    last: int


@cache
def duels(pairs):
    """Return the duels of pairs (attacker, victim)."""
    loops = 600
    told = play_pairs(pairs, [reach(a, b) - 0.05 for a, b in pairs], loops)
    left = points(told)[:, 1]
    found = {}
    for i, pair in enumerate(pairs):
        assert left[-1, i] == 0, f"{pair} is not over in {loops} loops"
        when = np.flatnonzero(left[1:, i] < left[:-1, i])
        found[pair] = Duel(len(when), int(when[0]), int(when[-1]))
    return found


def flipped(field):
    """Return the map with left and right exchanged: x becomes 32 - x."""
    mirror = lambda point: (SIZE - point[0], point[1])
    groups = lambda side: tuple(Group(g.unit, g.count, mirror(g.point)) for g in side)
    order = field.order
    if not isinstance(order, str):
        points = order if isinstance(order[0], Sequence) else [order]
        points = [mirror(point) for point in points]
        order = points if isinstance(field.order[0], Sequence) else points[0]
    terrain = field.terrain
    gate = terrain.gate and _flip_gate(terrain.gate)
    return replace(
        field,
        terrain=Terrain(terrain.walkable[::-1], terrain.cliffs[::-1], terrain.height[::-1], gate),
        order=order,
        allies=groups(field.allies),
        enemies=groups(field.enemies),
    )


def _flip_gate(gate):
    a, b = gate.normal
    turn = lambda point: (SIZE - point[0], point[1])
    passages = tuple((turn(near), turn(beyond)) for near, beyond in gate.passages)
    return Gate((-a, b), gate.offset - a * SIZE, passages)
