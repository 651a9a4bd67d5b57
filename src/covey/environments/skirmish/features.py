"""SMAC's language: legal actions and observations, field by field in SMAC's order.

Everything is computed for one side, so that either side can be a team of agents. Arrays are `[..., n]`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped

from .maps import SIZE, Terrain
from .movement import walkable
from .state import Forces
from .views import (
    DIRECTIONS,
    FIRST_MOVE,
    FIRST_TARGET,
    NO_OP,
    ORDER_RANGE,
    SIGHT,
    Shown,
    ShownMoment,
    SideView,
    bars,
    one_hot_rows,
)

_AROUND = ((0, 4), (0, -4), (4, 0), (-4, 0), (2, 2), (-2, -2), (2, -2), (-2, 2))  # SMAC's eight points
_TINY = 1e-7


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
    view: SideView, shown: Shown, terrain: Terrain, moment: ShownMoment
) -> Bool[Array, "own actions n"]:
    """Return what each unit may do: the dead only nothing, the living anything but that."""
    stats = moment.stats
    forces = moment.forces
    facing = moment.facing
    own = view.ranks.own
    alive = forces.alive[own]
    x = forces.pos[own, 0]
    y = forces.pos[own, 1]
    # SMAC cuts off decimals, so that just beyond 0 is still the first cell.
    moves = [walkable(terrain.walkable, jnp.trunc(x + dx), jnp.trunc(y + dy)) for dx, dy in DIRECTIONS]
    reach = ORDER_RANGE
    if shown.use_unit_ranges:
        reach = jnp.maximum(stats.range, shown.min_attack_range)[own][:, None]
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


def observe(
    view: SideView, shown: Shown, terrain: Terrain, moment: ShownMoment, legal: Bool[Array, "own actions n"]
) -> Float[Array, "own features n"]:
    """Return each agent's observation: moves, foes, friends, itself; zeros for the dead and the unseen."""
    forces = moment.forces
    own = view.ranks.own
    alive = forces.alive[own]
    blocks = [
        _moves(view, shown, terrain, forces, legal),
        _observe_foes(view, shown, moment, legal),
        _observe_friends(view, shown, moment),
    ]
    itself = bars(moment, own, view.own_shield) if shown.obs_own_health else []
    if shown.obs_own_pos:
        itself += [forces.x[own] / SIZE, forces.y[own] / SIZE]
    if shown.conic_fov:
        itself += [*looking(shown.looks, moment.facing)]
    itself += one_hot_rows(moment, view.own_codes, view.bits, own)
    if itself:
        blocks.append(jnp.stack(itself, axis=1))
    features = jnp.where(alive[:, None], jnp.concatenate(blocks, axis=1), 0.0)
    if not shown.obs_timestep_number:
        return features
    # SMAC appends the clock after the rest, so that even the dead read it.
    clock = jnp.broadcast_to(moment.clock, (len(alive), 1, moment.n))
    return jnp.concatenate([features, clock], axis=1)


def _observe_foes(
    view: SideView, shown: Shown, moment: ShownMoment, legal: Bool[Array, "own actions n"]
) -> Float[Array, "own fields n"]:
    foes = view.ranks.foes
    sight = find_others(moment.forces, view.ranks.own, foes)
    reach = sight_range(view, shown, moment)
    seen = _seen(shown, sight, reach, moment.facing) & moment.forces.alive[foes][None]
    told = bars(moment, foes, view.foe_shield) if shown.obs_all_health else []
    told += one_hot_rows(moment, view.foe_codes, view.bits, foes)
    return entity_rows(sight, seen, reach, attackable_bits(view, shown, moment, legal), told)


def _observe_friends(view: SideView, shown: Shown, moment: ShownMoment) -> Float[Array, "own fields n"]:
    own = view.ranks.own
    alive = moment.forces.alive[own]
    sight = find_others(moment.forces, own, own)
    reach = sight_range(view, shown, moment)
    seen = _seen(shown, sight, reach, moment.facing) & alive[None]
    told = bars(moment, own, view.own_shield) if shown.obs_all_health else []
    told += one_hot_rows(moment, view.own_codes, view.bits, own)
    if shown.obs_last_action:
        told += [1.0 * (moment.last_action == a) for a in range(view.actions)]
    return drop_own_row(entity_rows(sight, seen, reach, seen, told), len(alive))


def sight_range(view: SideView, shown: Shown, moment: ShownMoment) -> Float[Array, "own 1 copies"] | float:
    """Return how far each agent sees."""
    return moment.stats.sight[view.ranks.own][:, None] if shown.use_unit_ranges else SIGHT


def attackable_bits(
    view: SideView, shown: Shown, moment: ShownMoment, legal: Bool[Array, "own actions n"]
) -> Bool[Array, "own foes n"]:
    """Return which foes' rows are marked. A medic's slots name friends, and SMAC marks foes by them."""
    foes = view.ranks.foes.stop - view.ranks.foes.start
    bits = legal[:, view.first_target : view.first_target + foes]
    if view.heals_by_slot and not shown.obs_heal_bits:
        bits = bits & ~moment.stats.healer[view.ranks.own][:, None]
    return bits


def looking(looks: int, facing: Int[Array, "own n"]) -> tuple[Float[Array, "own n"], Float[Array, "own n"]]:
    """Return the directions into which agents look, as x and y."""
    angles = 2 * np.pi * np.arange(looks) / looks
    x, y = (jnp.asarray(np.round(f(angles), 9), jnp.float32)[facing] for f in (np.cos, np.sin))
    return x, y


def _in_cone(
    shown: Shown, sight: Sight, near: Bool[Array, "own others n"], facing: Int[Array, "looking n"]
) -> Bool[Array, "own others n"]:
    """Return who of the near ones stands within the angle into which an agent looks, as SMACv2 computes it.

    It compares arc tangents, which are the same for opposite directions, and makes up for it by the side
    on which the other stands. So an agent that looks east or west sees both ways.
    """
    if not shown.conic_fov:
        return near
    x, y = (part[:, None] for part in looking(shown.looks, facing))
    right = sight.dx > 0
    aside = lambda x: jnp.where(right, jnp.maximum(x, _TINY), jnp.minimum(x, -_TINY))
    angle = jnp.arctan(sight.dy / aside(sight.dx)) - jnp.arctan(y / aside(x))
    return near & (jnp.abs(angle) < np.pi / shown.looks)


def _seen(
    shown: Shown, sight: Sight, reach: Float[Array, "own 1 copies"] | float, facing: Int[Array, "looking n"]
) -> Bool[Array, "own others n"]:
    near = sight.distance <= reach if shown.conic_fov else sight.distance < reach
    return _in_cone(shown, sight, near, facing)


def _moves(
    view: SideView, shown: Shown, terrain: Terrain, forces: Forces, legal: Bool[Array, "own actions n"]
) -> Float[Array, "own fields n"]:
    rows = [legal[:, FIRST_MOVE:FIRST_TARGET].astype(jnp.float32)]
    x = jnp.floor(forces.pos[view.ranks.own, 0]).astype(jnp.int32)
    y = jnp.floor(forces.pos[view.ranks.own, 1]).astype(jnp.int32)
    if shown.obs_pathing_grid:
        rows.append(jnp.stack([_cell(terrain.walkable, x + dx, y + dy) for dx, dy in _AROUND], axis=1))
    if shown.obs_terrain_height:
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
