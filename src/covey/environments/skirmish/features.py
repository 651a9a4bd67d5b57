"""SMAC's language: legal actions, observations and the state, field by field in SMAC's order.

Everything is computed for one side, so that either side can be a team of agents. Arrays are `[..., n]`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped

from .maps import SIZE, BattleMap, Terrain
from .movement import walkable
from .roster import Kinds, Roster, UnitStats
from .state import Forces
from .targeting import Ranks
from .units import UnitType

NO_OP = 0
STOP = 1
FIRST_MOVE = 2
FIRST_TARGET = 6
DIRECTIONS = np.array([[0, 1], [0, -1], [1, 0], [-1, 0]], np.float32)  # north, south, east, west
SIGHT = 9.0
ORDER_RANGE = 6.0
_AROUND = ((0, 4), (0, -4), (4, 0), (-4, 0), (2, 2), (-2, -2), (2, -2), (-2, 2))  # SMAC's eight points


class Shown(NamedTuple):
    """The parts of observations and states that can be chosen; SMAC's defaults."""

    all_health: bool = True
    own_health: bool = True
    heal_bits: bool = True  # foes' rows of a medic are marked by the friends that it can heal
    last_action: bool = False
    pathing_grid: bool = False
    terrain_height: bool = False
    timestep: bool = False
    own_position: bool = False  # SMACv2 shows an agent its own place
    unit_ranges: bool = False  # SMACv2: sight and order range by type
    least_range: float = 2.0  # SMACv2: the least order range by type
    looks: int = 0  # SMACv2: the directions into which an agent can look; 0: it sees all around
    state_last_action: bool = True
    state_timestep: bool = False

    @property
    def cone(self) -> bool:
        return self.looks > 0


@dataclass(frozen=True, eq=False)
class SideView:
    """One side, as its observations describe it.

    `own_codes` and `foe_codes` give the place of each type in a one-hot, by its index in the roster; `()`
    where observations tell no types.
    """

    ranks: Ranks
    own_codes: tuple[int, ...]
    foe_codes: tuple[int, ...]
    bits: int
    own_shield: bool
    foe_shield: bool
    actions: int
    first_target: int  # the action whose target is the first foe
    slots: int  # targets that actions can name
    heals_by_slot: bool  # medics name friends by the slots of foes


def make_view(battle_map: BattleMap, roster: Roster, ranks: Ranks, looks: int) -> SideView:
    """Return the view of a side: the allies' or, with the sides exchanged, the enemies'."""
    ally = ranks.own.start == 0
    codes = {True: battle_map.ally_types, False: battle_map.enemy_types}
    own, foes = (_codes(roster, codes[side]) for side in (ally, not ally))
    own_units = _types(roster, ranks.own)
    foe_units = _types(roster, ranks.foes)
    own_count = roster.allies if ally else roster.enemies
    foe_count = roster.units - own_count
    heals = any(unit.heals > 0 for unit in own_units)
    slots = max(foe_count, own_count if heals else 0)
    return SideView(
        ranks=ranks,
        own_codes=own,
        foe_codes=foes,
        bits=len(battle_map.ally_types),
        own_shield=any(unit.race == "protoss" for unit in own_units),
        foe_shield=any(unit.race == "protoss" for unit in foe_units),
        actions=FIRST_TARGET + looks + slots,
        first_target=FIRST_TARGET + looks,
        slots=slots,
        heals_by_slot=heals,
    )


def attackable_bits(
    view: SideView, shown: Shown, stats: UnitStats, legal: Bool[Array, "own actions n"]
) -> Bool[Array, "own foes n"]:
    """Return which foes' rows are marked. A medic's slots name friends, and SMAC marks foes by them."""
    foes = view.ranks.foes.stop - view.ranks.foes.start
    bits = legal[:, view.first_target : view.first_target + foes]
    if view.heals_by_slot and not shown.heal_bits:
        bits = bits & ~stats.healer[view.ranks.own][:, None]
    return bits


def _types(roster: Roster, rows: slice) -> tuple[UnitType, ...]:
    """Return the types that may stand in these rows."""
    if roster.kinds is None:
        return roster.types
    return tuple(roster.types[i] for i in sorted(set(roster.kinds[rows].tolist())))


def _codes(roster: Roster, order: tuple[str, ...]) -> tuple[int, ...]:
    """Return the place in a one-hot of each type of the roster; -1 where the order does not name it."""
    return tuple(order.index(u.name) if u.name in order else -1 for u in roster.types) if order else ()


class Sight(NamedTuple):
    """Who is where, seen from each unit of a side: `[own, others, n]`."""

    dx: Float[Array, "own others n"]
    dy: Float[Array, "own others n"]
    distance: Float[Array, "own others n"]


def find_others(forces: Forces, own: slice, others: slice) -> Sight:
    offset = forces.pos[others][None] - forces.pos[own][:, None]
    dx = offset[:, :, 0]
    dy = offset[:, :, 1]
    return Sight(dx, dy, jnp.sqrt(dx**2 + dy**2))


def legal_actions(
    view: SideView,
    shown: Shown,
    terrain: Terrain,
    stats: UnitStats,
    forces: Forces,
    facing: Int[Array, "looking n"],
) -> Bool[Array, "own actions n"]:
    """Return what each unit may do: the dead only nothing, the living anything but that."""
    own = view.ranks.own
    alive = forces.alive[own]
    x = forces.pos[own, 0]
    y = forces.pos[own, 1]
    # SMAC cuts off decimals, so that just beyond 0 is still the first cell.
    moves = [walkable(terrain.walkable, jnp.trunc(x + dx), jnp.trunc(y + dy)) for dx, dy in DIRECTIONS]
    reach = ORDER_RANGE
    if shown.unit_ranges:
        reach = jnp.maximum(stats.range, shown.least_range)[own][:, None]
    within = lambda sight: _in_cone(shown, sight, sight.distance <= reach, facing)
    targets = within(find_others(forces, own, view.ranks.foes)) & forces.alive[view.ranks.foes][None]
    targets = _pad(targets, view.slots, 1)
    if view.heals_by_slot:
        patients = within(find_others(forces, own, own)) & (alive & ~stats.flies[own])[None]
        healer = stats.healer[own][:, None]
        targets = jnp.where(healer, _pad(patients, view.slots, 1), targets)
    rows = [jnp.zeros_like(alive), jnp.ones_like(alive), *moves, *[jnp.ones_like(alive)] * shown.looks]
    living = jnp.concatenate([jnp.stack(rows, axis=1), targets], axis=1)
    dead = (np.arange(living.shape[1]) == NO_OP)[None, :, None]
    return jnp.where(alive[:, None], living, dead)


def _pad(x: Shaped[Array, "..."], length: int, axis: int) -> Shaped[Array, "..."]:
    widths = [(0, 0)] * x.ndim
    widths[axis] = (0, length - x.shape[axis])
    return jnp.pad(x, widths)


def one_hot_rows(codes: tuple[int, ...], bits: int, kinds: Kinds, n: int) -> list[Float[Array, "units n"]]:
    """Return a row of each unit for each bit of its type."""
    places = jnp.asarray(np.array(codes or (0,), np.int32))[kinds]
    return [jnp.broadcast_to(1.0 * (places == bit), (len(kinds), n)) for bit in range(bits)]


def bars(stats: UnitStats, forces: Forces, rows: slice, shield: bool) -> list[Float[Array, "units n"]]:
    """Return health, and shield, as shares."""
    health = forces.health[rows] / stats.health[rows]
    most = jnp.maximum(stats.shield[rows], 1e-6)
    return [health, forces.shield[rows] / most] if shield else [health]


def observe(
    view: SideView,
    shown: Shown,
    terrain: Terrain,
    kinds: Kinds,
    stats: UnitStats,
    forces: Forces,
    legal: Bool[Array, "own actions n"],
    last_action: Int[Array, "own n"],
    clock: Float[Array, " n"],
    facing: Int[Array, "looking n"],
) -> Float[Array, "own features n"]:
    """Return each agent's observation: moves, foes, friends, itself; zeros for the dead and the unseen."""
    own = view.ranks.own
    n = forces.pos.shape[-1]
    alive = forces.alive[own]
    range_ = stats.sight[own][:, None] if shown.unit_ranges else SIGHT
    kinds = jnp.asarray(kinds)
    blocks = [_moves(view, shown, terrain, forces, legal)]
    foes = view.ranks.foes
    sight = find_others(forces, own, foes)
    seen = _seen(shown, sight, range_, facing) & forces.alive[foes][None]
    told = bars(stats, forces, foes, view.foe_shield) if shown.all_health else []
    told += one_hot_rows(view.foe_codes, view.bits, kinds[foes], n)
    attackable = attackable_bits(view, shown, stats, legal)
    blocks.append(entity_rows(sight, seen, range_, attackable, told))
    sight = find_others(forces, own, own)
    seen = _seen(shown, sight, range_, facing) & alive[None]
    told = bars(stats, forces, own, view.own_shield) if shown.all_health else []
    told += one_hot_rows(view.own_codes, view.bits, kinds[own], n)
    if shown.last_action:
        told += [1.0 * (last_action == a) for a in range(view.actions)]
    rows = entity_rows(sight, seen, range_, seen, told)
    blocks.append(drop_own_row(rows, len(alive)))
    itself = bars(stats, forces, own, view.own_shield) if shown.own_health else []
    if shown.own_position:
        itself += [forces.pos[own, 0] / SIZE, forces.pos[own, 1] / SIZE]
    if shown.cone:
        itself += [*looking(shown.looks, facing)]
    itself += one_hot_rows(view.own_codes, view.bits, kinds[own], n)
    if itself:
        blocks.append(jnp.stack(itself, axis=1))
    features = jnp.where(alive[:, None], jnp.concatenate(blocks, axis=1), 0.0)
    if not shown.timestep:
        return features
    # SMAC appends the clock after the rest, so that even the dead read it.
    clock = jnp.broadcast_to(clock, (len(alive), 1, n))
    return jnp.concatenate([features, clock], axis=1)


def looking(looks: int, facing: Int[Array, "own n"]) -> tuple[Float[Array, "own n"], Float[Array, "own n"]]:
    """Return the directions into which agents look, as x and y."""
    angles = 2 * np.pi * np.arange(looks) / looks
    x, y = (jnp.asarray(np.round(f(angles), 9), jnp.float32)[facing] for f in (np.cos, np.sin))
    return x, y


_TINY = 1e-7


def _in_cone(
    shown: Shown, sight: Sight, near: Bool[Array, "own others n"], facing: Int[Array, "looking n"]
) -> Bool[Array, "own others n"]:
    """Return who of the near ones stands within the angle into which an agent looks, as SMACv2 computes it.

    It compares arc tangents, which are the same for opposite directions, and makes up for it by the side
    on which the other stands. So an agent that looks east or west sees both ways.
    """
    if not shown.cone:
        return near
    x, y = (part[:, None] for part in looking(shown.looks, facing))
    right = sight.dx > 0
    aside = lambda x: jnp.where(right, jnp.maximum(x, _TINY), jnp.minimum(x, -_TINY))
    angle = jnp.arctan(sight.dy / aside(sight.dx)) - jnp.arctan(y / aside(x))
    return near & (jnp.abs(angle) < np.pi / shown.looks)


def _seen(
    shown: Shown, sight: Sight, reach: Float[Array, "own 1 copies"] | float, facing: Int[Array, "looking n"]
) -> Bool[Array, "own others n"]:
    near = sight.distance <= reach if shown.cone else sight.distance < reach
    return _in_cone(shown, sight, near, facing)


def _moves(
    view: SideView, shown: Shown, terrain: Terrain, forces: Forces, legal: Bool[Array, "own actions n"]
) -> Float[Array, "own fields n"]:
    rows = [legal[:, FIRST_MOVE:FIRST_TARGET].astype(jnp.float32)]
    x = jnp.floor(forces.pos[view.ranks.own, 0]).astype(jnp.int32)
    y = jnp.floor(forces.pos[view.ranks.own, 1]).astype(jnp.int32)
    if shown.pathing_grid:
        rows.append(jnp.stack([_cell(terrain.walkable, x + dx, y + dy) for dx, dy in _AROUND], axis=1))
    if shown.terrain_height:
        here = (*_AROUND, (0, 0))
        rows.append(jnp.stack([_cell(terrain.height, x + dx, y + dy) for dx, dy in here], axis=1))
    return jnp.concatenate(rows, axis=1)


def _cell(
    grid: Shaped[np.ndarray, "32 32"], column: Int[Array, "own n"], row: Int[Array, "own n"]
) -> Float[Array, "own n"]:
    """Return the numbers of cells; 1 beyond the map, as SMAC has it."""
    inside = (column >= 0) & (column < SIZE) & (row >= 0) & (row < SIZE)
    index = jnp.clip(column, 0, SIZE - 1) * SIZE + jnp.clip(row, 0, SIZE - 1)
    return jnp.where(inside, jnp.asarray(grid.reshape(-1), jnp.float32)[index], 1.0)


def entity_rows(
    sight: Sight,
    seen: Bool[Array, "own others n"],
    reach: Float[Array, "own 1 copies"] | float,
    marks: Bool[Array, "own others n"],
    told: Sequence[Float[Array, "... others n"]],
) -> Float[Array, "own fields n"]:
    """Return one block of fields for each other unit: mark, distance, x, y, and what it tells of itself."""
    near = [1.0 * marks, sight.distance / reach, sight.dx / reach, sight.dy / reach]
    fields = [*near, *(jnp.broadcast_to(x, seen.shape) for x in told)]
    rows = jnp.stack([jnp.where(seen, x, 0.0) for x in fields], axis=2)
    return rows.reshape(rows.shape[0], -1, rows.shape[-1])


def drop_own_row(rows: Float[Array, "own fields n"], count: int) -> Float[Array, "own rest n"]:
    """Return each unit's rows of its own side without the one for itself."""
    n = rows.shape[-1]
    each = rows.reshape(count, count, -1, n)
    return jnp.stack([jnp.concatenate([row[:i], row[i + 1 :]]).reshape(-1, n) for i, row in enumerate(each)])
