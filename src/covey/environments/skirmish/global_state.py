"""The global state, as SMAC builds it."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .features import Shown, View, bars, looking, one_hot_rows
from .maps import SIZE
from .roster import Kinds, UnitStats
from .state import Forces


def global_state(
    view: View,
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
    place = lambda rows: [(forces.pos[rows, axis] - SIZE / 2) / SIZE for axis in range(2)]
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


def charge(stats: UnitStats, forces: Forces, rows: slice) -> Float[Array, "units n"]:
    """Return the cooldown, or a healer's energy, as SMAC scales it."""
    value = jnp.maximum(forces.cooldown[rows], 0.0)
    if len(forces.energy):
        value = jnp.where(stats.healer[rows], forces.energy[rows], value)
    return value / stats.cooldown_scale[rows]
