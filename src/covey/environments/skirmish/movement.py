"""Movement: routes, going around others, pushing apart, and the edges of the ground."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from .maps import SIZE, Gate, Terrain
from .roster import Roster, UnitStats
from .state import Forces, Orders, change, over_rows
from .targeting import CALL_PERIOD, CALL_RADIUS, Aim, is_ally

_MARGIN = 0.12  # a unit goes around others that are nearer than this, ahead of it
_AHEAD = 0.35  # the cosine from which on another one is ahead
_STUBBORN = 0.15  # the weight with which a unit that attacks gives way
_CROWD = 5.0  # a blocked unit turns to the side on which fewer stand in front of it, up to so far away
_PROGRESS = 0.5  # a unit that gets on by less than this share of its stride is stuck
_TURN = 0.7071  # the cosine and sine of the angle by which it turns
_SETTLING = 6  # times at the end of a step that everybody settles on the ground
_SETTLING_PUSHES = 4  # each time
_NEAR_PASSAGE = 1.2
_EDGE = 1e-3


class _Ahead(NamedTuple):
    """The units ahead of a unit: whether one is in its way, how many more stand right than left."""

    blocked: Bool[Array, "units n"]
    left: Float[Array, "units n"]
    called: Bool[Array, "units n"]


class Point(NamedTuple):
    """A place, or a direction, for each unit."""

    x: Float[Array, "units n"]
    y: Float[Array, "units n"]

    @property
    def length(self) -> Float[Array, "units n"]:
        return jnp.sqrt(self.x**2 + self.y**2)

    def where(self, condition: Bool[Array, "units n"], otherwise: "Point") -> "Point":
        return Point(jnp.where(condition, self.x, otherwise.x), jnp.where(condition, self.y, otherwise.y))


def march(
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
    solid = forces.alive & ~stats.above if roster.above else forces.alive
    reacts = bool(len(forces.called))
    cries = hit & ~is_ally(roster) & (forces.quiet <= 0) if reacts else hit
    ahead = _look_ahead(roster, stats, forces, direction, solid, cries)
    around = ahead.blocked & ~stats.above if roster.above else ahead.blocked
    direction = _turn_aside(direction, ahead).where(around, direction)
    stride = stats.speed * walks
    moved = Point(forces.x + direction.x * stride, forces.y + direction.y * stride)
    busy = (forces.windup > 0) | (forces.backswing > 0)
    weight = jnp.where(busy & ~walks, _STUBBORN, 1.0)
    moved = push_apart(stats, moved, solid, weight)
    moved = _keep_on_ground(roster, terrain, stats, Point(forces.x, forces.y), moved)
    moved = moved.where(forces.alive, Point(forces.x, forces.y))
    changes: dict[str, Array] = {"x": moved.x, "y": moved.y}
    if reacts:
        way = (moved.x - forces.x) ** 2 + (moved.y - forces.y) ** 2
        changes["stuck"] = walks & (way < (_PROGRESS * stats.speed) ** 2)
        changes["called"] = ahead.called | hit
        changes["quiet"] = jnp.where(cries, CALL_PERIOD, jnp.maximum(forces.quiet - 1.0, 0.0))
    return change(forces, **changes)


def settle(roster: Roster, terrain: Terrain, stats: UnitStats, forces: Forces) -> Forces:
    """Return the forces after a step's last overlaps have been pushed apart."""
    solid = forces.alive & ~stats.above if roster.above else forces.alive
    busy = (forces.windup > 0) | (forces.backswing > 0)
    weight = jnp.where(busy, _STUBBORN, 1.0)
    old = Point(forces.x, forces.y)

    def settle_once(_: Any, pos: Point) -> Point:
        pushed = jax.lax.fori_loop(0, _SETTLING_PUSHES, lambda _, p: push_apart(stats, p, solid, weight), pos)
        return _keep_on_ground(roster, terrain, stats, pos, pushed)

    moved = jax.lax.fori_loop(0, _SETTLING, settle_once, old).where(forces.alive, old)
    return change(forces, x=moved.x, y=moved.y)


def _wish(
    roster: Roster, terrain: Terrain, stats: UnitStats, forces: Forces, orders: Orders, aim: Aim
) -> tuple[Point, Bool[Array, "units n"]]:
    """Return where each unit wants to go, and who walks."""
    chases = aim.present & (aim.gap > stats.range)
    order = Point(orders.direction[:, 0], orders.direction[:, 1])
    ordered = (order.x != 0) | (order.y != 0)
    way = Point(aim.dx, aim.dy)
    marches = jnp.zeros_like(chases)
    if len(forces.called):
        march = Point(orders.goal[:, 0] - forces.x, orders.goal[:, 1] - forces.y)
        way = way.where(chases, march)
        marches = ~aim.present & ~orders.obeys
    if terrain.gate is not None:
        way = _route(roster, terrain.gate, stats, forces, way)
    distance = way.length
    scale = 1.0 / jnp.maximum(distance, 1e-6)
    marches &= distance > stats.speed
    direction = order.where(ordered, Point(way.x * scale, way.y * scale))
    pinned = (forces.windup > 0) | (forces.backswing > 0)
    return direction, forces.alive & (ordered | ((chases | marches) & ~pinned))


def _route(roster: Roster, gate: Gate, stats: UnitStats, forces: Forces, way: Point) -> Point:
    """Return the way to walk: straight, or to the end of a passage to the side where the goal is."""
    beyond = lambda x, y: gate.normal[0] * x + gate.normal[1] * y > gate.offset
    here = beyond(forces.x, forces.y)
    crosses = here != beyond(forces.x + way.x, forces.y + way.y)
    if roster.above:
        crosses &= ~stats.above
    cost = jnp.full(here.shape, jnp.inf)
    straight = way
    for near, far in gate.passages:
        to = lambda end: Point(end[0] - forces.x, end[1] - forces.y)
        enter = to(far).where(here, to(near))
        leave = to(near).where(here, to(far))
        rest = Point(straight.x - leave.x, straight.y - leave.y)
        length = enter.length + rest.length
        axis = Point(leave.x - enter.x, leave.y - enter.y)
        scale = 1.0 / jnp.maximum(axis.length, 1e-6)
        along = -(enter.x * axis.x + enter.y * axis.y) * scale
        beside = jnp.abs(enter.x * axis.y - enter.y * axis.x) * scale
        inside = (along > -_NEAR_PASSAGE / 2) & (beside < _NEAR_PASSAGE)
        better = crosses & (length < cost)
        cost = jnp.where(better, length, cost)
        way = leave.where(inside, enter).where(better, way)
    return way


def _look_ahead(
    roster: Roster,
    stats: UnitStats,
    forces: Forces,
    direction: Point,
    solid: Bool[Array, "units n"],
    cries: Bool[Array, "units n"],
) -> _Ahead:
    """Return who is in each unit's way, and which units a friend's call for help reaches."""
    shape = forces.x.shape
    listens = bool(len(forces.called))

    def look(seen: _Ahead, x: Any, y: Any, solid: Any, size: Any, cries: Any, radius: Any) -> _Ahead:
        dx = x - forces.x
        dy = y - forces.y
        squared = dx**2 + dy**2
        touch = stats.separation + size + _MARGIN
        ahead = dx * direction.x + dy * direction.y
        near = solid & (ahead > 0) & (squared < _CROWD**2)
        blocks = near & (squared < touch**2) & (ahead**2 > _AHEAD**2 * squared)
        side = direction.x * dy - direction.y * dx
        # Who stands straight ahead, as a unit's own target may, is on neither side: rounding must not decide.
        aside = near & (side**2 > 1e-6 * squared)
        left = jnp.where(aside, -jnp.sign(side), 0.0) - jnp.where(blocks, 0.01 * side, 0.0)
        called = seen.called
        if listens:
            called = called | (cries & (squared <= (CALL_RADIUS + stats.radius + radius) ** 2))
        return _Ahead(seen.blocked | blocks, seen.left + left, called)

    nothing = jnp.zeros(shape, bool)
    rows = (forces.x, forces.y, solid, stats.separation, cries, stats.radius)
    return over_rows(look, _Ahead(nothing, jnp.zeros(shape), nothing), *rows)


def _turn_aside(direction: Point, ahead: _Ahead) -> Point:
    """Return directions turned by 45 degrees to the side on which fewer units stand.

    With as many on both, a unit turns to the side that is higher on the map, so that a battle and its mirror
    image go on alike.
    """
    tie = jnp.where(direction.x >= 0, 1.0, -1.0)
    turn = jnp.where(ahead.left == 0, tie, jnp.sign(ahead.left))
    return Point(_TURN * (direction.x - turn * direction.y), _TURN * (direction.y + turn * direction.x))


def push_apart(
    stats: UnitStats, pos: Point, solid: Bool[Array, "units n"], weight: Float[Array, "units n"]
) -> Point:
    """Return places after overlapping units have pushed each other; who attacks hardly gives way."""
    # Of two weights, 1 and s, the first has the share 1 / (1 + s): linear in their difference.
    slope = (1.0 / (1.0 + _STUBBORN) - 0.5) / (1.0 - _STUBBORN)
    size = jnp.where(solid, stats.separation, -100.0)  # nobody overlaps with who is not there
    order = np.arange(len(weight), dtype=np.float32)[:, None] * 1e-5  # parts units at one place

    def shove(total: Point, x: Any, y: Any, other_size: Any, other_weight: Any) -> Point:
        dx = pos.x - x
        dy = pos.y + order - y
        closeness = jax.lax.rsqrt(jnp.maximum(dx**2 + dy**2, 1e-12))
        share = 0.5 + slope * (weight - other_weight)
        force = jnp.maximum((size + other_size) * closeness - 1.0, 0.0) * share
        return Point(total.x + force * dx, total.y + force * dy)

    return over_rows(shove, pos, pos.x, pos.y + order, size, weight)


def walkable(
    cells: Bool[np.ndarray, "32 32"], x: Float[Array, "*b"], y: Float[Array, "*b"]
) -> Bool[Array, "*b"]:
    """Return whether points lie on cells of a terrain; nothing beyond the map does."""
    column = jnp.floor(x).astype(jnp.int32)
    row = jnp.floor(y).astype(jnp.int32)
    inside = (column >= 0) & (column < SIZE) & (row >= 0) & (row < SIZE)
    index = jnp.clip(column, 0, SIZE - 1) * SIZE + jnp.clip(row, 0, SIZE - 1)
    return inside & jnp.asarray(cells.reshape(-1))[index]


def _keep_on_ground(roster: Roster, terrain: Terrain, stats: UnitStats, old: Point, new: Point) -> Point:
    """Return places on the ground: a unit keeps the coordinate that would lead it off."""
    bounds = terrain.rectangle
    if bounds is not None:
        held = _clip(new, bounds)
    else:
        held = _step_by_axes(terrain.walkable, old, new)
        if roster.above:
            held = _step_by_axes(terrain.walkable | terrain.cliffs, old, new).where(stats.above, held)
    if roster.any(lambda unit: unit.flies):
        held = _clip(new, (0, SIZE, 0, SIZE)).where(stats.flies, held)
    return held


def _clip(pos: Point, bounds: tuple[int, int, int, int]) -> Point:
    return Point(jnp.clip(pos.x, bounds[0], bounds[1] - _EDGE), jnp.clip(pos.y, bounds[2], bounds[3] - _EDGE))


def _step_by_axes(cells: Bool[np.ndarray, "32 32"], old: Point, new: Point) -> Point:
    x = jnp.where(walkable(cells, new.x, old.y), new.x, old.x)
    return Point(x, jnp.where(walkable(cells, x, new.y), new.y, old.y))
