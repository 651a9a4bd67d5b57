"""Movement: routes, going around others, pushing apart, and the edges of the ground."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from .maps import SIZE, Terrain
from .roster import Roster, UnitStats
from .state import Forces, Orders, change, over_rows
from .targeting import CALL_RADIUS, Aim

_MARGIN = 0.12  # a unit goes around others that are nearer than this, ahead of it
_AHEAD = 0.35  # the cosine from which on another one is ahead
_STUBBORN = 0.15  # the weight with which a unit that attacks gives way
_CROWD = 5.0  # a blocked unit turns to the side on which fewer stand in front of it, up to so far away
_TURN = 0.7071  # the cosine and sine of the angle by which it turns
_PUSHES = 2  # times a loop that overlapping units push each other apart
_NEAR_PASSAGE = 1.2
_EDGE = 1e-3


class _Ahead(NamedTuple):
    """The units ahead of a unit: whether one is in its way, how many more stand right than left."""

    blocked: Bool[Array, "units n"]
    left: Float[Array, "units n"]
    called: Bool[Array, "units n"]


def move(
    roster: Roster,
    terrain: Terrain,
    stats: UnitStats,
    forces: Forces,
    orders: Orders,
    aim: Aim,
    hit: Bool[Array, "units n"],
) -> Forces:
    """Return the forces after everybody has walked for a loop."""
    direction, walks = _wish(roster, terrain, stats, forces, orders, aim)
    solid = forces.alive & ~stats.heavy if roster.over else forces.alive
    ahead = _look_ahead(roster, stats, forces, direction, solid, hit)
    around = ahead.blocked & ~stats.heavy if roster.over else ahead.blocked
    direction = jnp.where(around[:, None], _turn_aside(direction, ahead), direction)
    moved = forces.pos + direction * (stats.speed * walks)[:, None]
    busy = (forces.windup > 0) | (forces.backswing > 0)
    weight = jnp.where(busy & ~walks, _STUBBORN, 1.0)
    for _ in range(_PUSHES):
        moved = moved + _push(stats, moved, solid, weight)
    moved = _keep_on_ground(roster, terrain, stats, forces.pos, moved)
    pos = jnp.where(forces.alive[:, None], moved, forces.pos)
    if not len(forces.called):
        return change(forces, pos=pos)
    return change(forces, pos=pos, called=ahead.called)


def _wish(
    roster: Roster, terrain: Terrain, stats: UnitStats, forces: Forces, orders: Orders, aim: Aim
) -> tuple[Float[Array, "units 2 n"], Bool[Array, "units n"]]:
    """Return where each unit wants to go, and who walks."""
    reach = stats.range
    chases = aim.present & (aim.gap > reach)
    ordered = (orders.direction[:, 0] != 0) | (orders.direction[:, 1] != 0)
    goal = jnp.where(chases[:, None], forces.pos + aim.offset, orders.goal)
    marches = ~aim.present & ~orders.obeys if len(forces.called) else jnp.zeros_like(chases)
    goal = _route(roster, terrain, stats, forces.pos, goal)
    way = goal - forces.pos
    distance = jnp.sqrt(way[:, 0] ** 2 + way[:, 1] ** 2)
    toward = way / jnp.maximum(distance, 1e-6)[:, None]
    marches &= distance > stats.speed
    direction = jnp.where(ordered[:, None], orders.direction, toward)
    pinned = (forces.windup > 0) | (forces.backswing > 0)
    walks = forces.alive & (ordered | ((chases | marches) & ~pinned))
    return direction, walks


def _route(
    roster: Roster,
    terrain: Terrain,
    stats: UnitStats,
    pos: Float[Array, "units 2 n"],
    goal: Float[Array, "units 2 n"],
) -> Float[Array, "units 2 n"]:
    """Return the point to walk to: the goal, or the end of a passage to the side where it is."""
    gate = terrain.gate
    if gate is None:
        return goal
    beyond = lambda p: gate.normal[0] * p[:, 0] + gate.normal[1] * p[:, 1] > gate.offset
    here = beyond(pos)
    crosses = here != beyond(goal)
    if roster.over:
        crosses &= ~stats.crosses
    cost = jnp.full(here.shape, jnp.inf)
    point = goal
    for passage in gate.passages:
        near, far = (jnp.asarray(end, jnp.float32)[:, None] for end in passage)
        enter = jnp.where(here[:, None], far, near)
        leave = jnp.where(here[:, None], near, far)
        length = _length(pos - enter) + _length(goal - leave)
        axis = leave - enter
        axis = axis / jnp.maximum(_length(axis), 1e-6)[:, None]
        offset = pos - enter
        along = offset[:, 0] * axis[:, 0] + offset[:, 1] * axis[:, 1]
        beside = jnp.abs(offset[:, 0] * axis[:, 1] - offset[:, 1] * axis[:, 0])
        inside = (along > -_NEAR_PASSAGE / 2) & (beside < _NEAR_PASSAGE)
        better = crosses & (length < cost)
        cost = jnp.where(better, length, cost)
        point = jnp.where(better[:, None], jnp.where(inside[:, None], leave, enter), point)
    return point


def _length(x: Float[Array, "units 2 n"]) -> Float[Array, "units n"]:
    return jnp.sqrt(x[:, 0] ** 2 + x[:, 1] ** 2)


def _look_ahead(
    roster: Roster,
    stats: UnitStats,
    forces: Forces,
    direction: Float[Array, "units 2 n"],
    solid: Bool[Array, "units n"],
    hit: Bool[Array, "units n"],
) -> _Ahead:
    """Return who is in each unit's way, and which units a friend's call for help reaches."""
    x = forces.pos[:, 0]
    y = forces.pos[:, 1]
    n = forces.pos.shape[-1]
    numbers = jnp.arange(roster.units)[:, None]
    size = jnp.broadcast_to(stats.separation, x.shape)
    radius = jnp.broadcast_to(stats.radius, x.shape)
    listens = bool(len(forces.called))
    enemy = np.arange(roster.units)[:, None] >= roster.allies
    cries = hit & enemy

    def look(seen, number, place, solid, other_size, cries, other_radius):
        dx = place[0] - x
        dy = place[1] - y
        squared = dx**2 + dy**2
        touch = size + other_size + _MARGIN
        ahead = dx * direction[:, 0] + dy * direction[:, 1]
        blocks = solid & (number != numbers) & (squared < touch**2)
        blocks &= (ahead > 0) & (ahead**2 > _AHEAD**2 * squared)
        side = direction[:, 0] * dy - direction[:, 1] * dx
        crowd = solid & (squared < _CROWD**2) & (ahead > 0)
        left = jnp.where(crowd, -jnp.sign(side), 0.0)
        called = seen.called
        if listens:
            reach = CALL_RADIUS + radius + other_radius
            called = called | (cries & (squared <= reach**2))
        return _Ahead(seen.blocked | blocks, seen.left + left, called)

    nothing = jnp.zeros((roster.units, n), bool)
    start = _Ahead(nothing, jnp.zeros((roster.units, n)), nothing)
    return over_rows(look, start, jnp.arange(roster.units), forces.pos, solid, size, cries, radius)


def _turn_aside(direction: Float[Array, "units 2 n"], ahead: _Ahead) -> Float[Array, "units 2 n"]:
    """Return directions turned by 45 degrees to the side on which fewer units stand.

    With as many on both, a unit turns to the side that is higher on the map, so that a battle and its mirror
    image go on alike.
    """
    x = direction[:, 0]
    y = direction[:, 1]
    tie = jnp.where(x >= 0, 1.0, -1.0)
    turn = jnp.where(ahead.left == 0, tie, jnp.sign(ahead.left))
    return _TURN * jnp.stack([x - turn * y, y + turn * x], axis=1)


def _push(
    stats: UnitStats,
    pos: Float[Array, "units 2 n"],
    solid: Bool[Array, "units n"],
    weight: Float[Array, "units n"],
) -> Float[Array, "units 2 n"]:
    """Return how far each unit is pushed by those that it overlaps; who attacks hardly gives way."""
    x = pos[:, 0]
    y = pos[:, 1]
    size = jnp.broadcast_to(stats.separation, x.shape)
    numbers = jnp.arange(len(pos), dtype=jnp.float32)[:, None]

    def shove(total, number, place, other_solid, other_size, other_weight):
        dx = x - place[0]
        dy = y - place[1] + (numbers - number) * 1e-5  # so that units at one place part
        squared = dx**2 + dy**2
        distance = jnp.sqrt(jnp.maximum(squared, 1e-12))
        overlap = size + other_size - distance
        share = weight / (weight + other_weight)
        acts = solid & other_solid & (overlap > 0) & (number != numbers)
        force = jnp.where(acts, overlap * share / distance, 0.0)
        return total[0] + force * dx, total[1] + force * dy

    zeros = jnp.zeros(x.shape)
    rows = (jnp.arange(len(pos), dtype=jnp.float32), pos, solid, size, weight)
    return jnp.stack(over_rows(shove, (zeros, zeros), *rows), axis=1)


def walkable(
    cells: Bool[np.ndarray, "32 32"], x: Float[Array, "*b"], y: Float[Array, "*b"]
) -> Bool[Array, "*b"]:
    """Return whether points lie on cells of a terrain; nothing beyond the map does."""
    column = jnp.floor(x).astype(jnp.int32)
    row = jnp.floor(y).astype(jnp.int32)
    inside = (column >= 0) & (column < SIZE) & (row >= 0) & (row < SIZE)
    index = jnp.clip(column, 0, SIZE - 1) * SIZE + jnp.clip(row, 0, SIZE - 1)
    return inside & jnp.asarray(cells.reshape(-1))[index]


def _keep_on_ground(
    roster: Roster,
    terrain: Terrain,
    stats: UnitStats,
    old: Float[Array, "units 2 n"],
    new: Float[Array, "units 2 n"],
) -> Float[Array, "units 2 n"]:
    """Return places on the ground: a unit keeps the coordinate that would lead it off."""
    bounds = terrain.rectangle
    if bounds is not None:
        low = np.array([bounds[0], bounds[2]], np.float32)[:, None]
        high = np.array([bounds[1], bounds[3]], np.float32)[:, None] - _EDGE
        held = jnp.clip(new, low, high)
    else:
        held = _step_by_axes(terrain.walkable, old, new)
        if roster.over:
            across = _step_by_axes(terrain.walkable | terrain.cliffs, old, new)
            held = jnp.where(stats.crosses[:, None], across, held)
    if roster.any(lambda unit: unit.flies):
        held = jnp.where(stats.flies[:, None], jnp.clip(new, 0.0, SIZE - _EDGE), held)
    return held


def _step_by_axes(
    cells: Bool[np.ndarray, "32 32"], old: Float[Array, "units 2 n"], new: Float[Array, "units 2 n"]
) -> Float[Array, "units 2 n"]:
    x = jnp.where(walkable(cells, new[:, 0], old[:, 1]), new[:, 0], old[:, 0])
    y = jnp.where(walkable(cells, x, new[:, 1]), new[:, 1], old[:, 1])
    return jnp.stack([x, y], axis=1)
