"""The state, as SMAC builds it, and each agent's own, as MAPPO's authors do."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from .features import (
    FIRST_MOVE,
    FIRST_TARGET,
    SIGHT,
    Shown,
    SideView,
    attackable_bits,
    bars,
    drop_own_row,
    entity_rows,
    find_others,
    looking,
    one_hot_rows,
)
from .maps import SIZE
from .roster import Kinds, UnitStats
from .state import Forces


def global_state(
    view: SideView,
    shown: Shown,
    kinds: Kinds,
    stats: UnitStats,
    forces: Forces,
    last_action: Int[Array, "own n"],
    clock: Float[Array, " n"],
    facing: Int[Array, "looking n"],
) -> Float[Array, "state n"]:
    """Return SMAC's state: the own side, the foes, last actions; the dead are zeros."""
    own = view.ranks.own
    foes = view.ranks.foes
    n = forces.pos.shape[-1]
    kinds = jnp.asarray(kinds)
    place = lambda rows: _from_middle(forces, rows)
    health, *shield = bars(stats, forces, own, view.own_shield)
    allies = [health, charge(stats, forces, own), *place(own), *shield]
    allies += looking(shown.looks, facing) if shown.cone else []
    allies += one_hot_rows(view.own_codes, view.bits, kinds[own], n)
    health, *shield = bars(stats, forces, foes, view.foe_shield)
    enemies = [health, *place(foes), *shield, *one_hot_rows(view.foe_codes, view.bits, kinds[foes], n)]
    blocks = []
    for rows, fields in ((own, allies), (foes, enemies)):
        stacked = jnp.stack(fields, axis=1)
        blocks.append(jnp.where(forces.alive[rows][:, None], stacked, 0.0).reshape(-1, n))
    if shown.state_last_action:
        hot = last_action[:, None] == np.arange(view.actions)[:, None]
        blocks.append(1.0 * hot.reshape(-1, n))
    if shown.state_timestep:
        blocks.append(jnp.broadcast_to(clock, (1, n)))
    return jnp.concatenate(blocks)


def _from_middle(forces: Forces, rows: slice) -> list[Float[Array, "units n"]]:
    return [(forces.pos[rows, axis] - SIZE / 2) / SIZE for axis in range(2)]


def agent_states(
    view: SideView,
    shown: Shown,
    kinds: Kinds,
    stats: UnitStats,
    forces: Forces,
    legal: Bool[Array, "own actions n"],
    last_action: Int[Array, "own n"],
    clock: Float[Array, " n"],
) -> Float[Array, "own fields n"]:
    """Return the state as each agent has its own with MAPPO's authors (Yu et al., 2022).

    Friends, foes, moves, itself, its number: like an observation, but nobody is out of sight, and places are
    told from the middle of the map too. The dead have zeros beside their numbers.
    """
    own = view.ranks.own
    foes = view.ranks.foes
    n = forces.pos.shape[-1]
    kinds = jnp.asarray(kinds)
    reach = stats.sight[own][:, None] if shown.unit_ranges else SIGHT
    hot = [1.0 * (last_action == a) for a in range(view.actions)] if shown.state_last_action else []
    alive = forces.alive[own]
    bars_of = lambda rows, shield: bars(stats, forces, rows, shield) if shown.all_health else []
    types = one_hot_rows(view.own_codes, view.bits, kinds[own], n)

    sight = find_others(forces, own, own)
    place = _from_middle(forces, own)
    told = [charge(stats, forces, own), *bars_of(own, view.own_shield), *place, *types, *hot]
    marks = sight.distance < reach
    rows = entity_rows(sight, jnp.broadcast_to(alive[None], marks.shape), reach, marks, told)
    friends = drop_own_row(rows, len(alive))

    sight = find_others(forces, own, foes)
    near = sight.distance < reach
    foe_types = one_hot_rows(view.foe_codes, view.bits, kinds[foes], n)
    told = [1.0 * near, *bars_of(foes, view.foe_shield), *foe_types, *_from_middle(forces, foes)]
    marks = attackable_bits(view, shown, stats, legal)
    there = jnp.broadcast_to(forces.alive[foes][None], near.shape)
    enemies = entity_rows(sight, there, reach, marks, told)

    zero = jnp.zeros_like(last_action, jnp.float32)
    itself = bars(stats, forces, own, view.own_shield) if shown.own_health else []
    itself = [zero + 1.0, zero, zero, zero, *itself, *place, *types, *hot]
    moves = legal[:, FIRST_MOVE:FIRST_TARGET].astype(jnp.float32)
    state = jnp.concatenate([friends, enemies, moves, jnp.stack(itself, axis=1)], axis=1)
    state = jnp.where(alive[:, None], state, 0.0)
    numbers = jnp.broadcast_to(jnp.eye(len(alive))[..., None], (len(alive), len(alive), n))
    clocks = [jnp.broadcast_to(clock, (len(alive), 1, n))] if shown.state_timestep else []
    return jnp.concatenate([state, numbers, *clocks], axis=1)


def charge(stats: UnitStats, forces: Forces, rows: slice) -> Float[Array, "units n"]:
    """Return the cooldown, or a healer's energy, as SMAC scales it."""
    value = jnp.maximum(forces.cooldown[rows], 0.0)
    if len(forces.energy):
        value = jnp.where(stats.healer[rows], forces.energy[rows], value)
    return value / stats.cooldown_scale[rows]
