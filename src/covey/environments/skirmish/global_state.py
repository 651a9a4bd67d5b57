"""The state, as SMAC builds it, and each agent's own, as MAPPO's authors do."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from .features import attackable_bits, drop_own_row, entity_rows, find_others, looking, sight_range
from .maps import SIZE
from .state import Forces
from .views import FIRST_MOVE, FIRST_TARGET, Shown, ShownMoment, SideView, bars, one_hot_rows


def global_state(view: SideView, shown: Shown, moment: ShownMoment) -> Float[Array, "state n"]:
    """Return SMAC's state: the own side, the foes, last actions; the dead are zeros."""
    own = view.ranks.own
    foes = view.ranks.foes
    forces = moment.forces
    health, *shield = bars(moment, own, view.own_shield)
    allies = [health, charge(moment, own), *_from_middle(forces, own), *shield]
    allies += looking(shown.looks, moment.facing) if shown.conic_fov else []
    allies += one_hot_rows(moment, view.own_codes, view.bits, own)
    health, *shield = bars(moment, foes, view.foe_shield)
    enemies = [health, *_from_middle(forces, foes), *shield]
    enemies += one_hot_rows(moment, view.foe_codes, view.bits, foes)
    blocks = []
    for rows, fields in ((own, allies), (foes, enemies)):
        stacked = jnp.stack(fields, axis=1)
        blocks.append(jnp.where(forces.alive[rows][:, None], stacked, 0.0).reshape(-1, moment.n))
    if shown.state_last_action:
        hot = moment.last_action[:, None] == np.arange(view.actions)[:, None]
        blocks.append(1.0 * hot.reshape(-1, moment.n))
    if shown.state_timestep_number:
        blocks.append(moment.clock[None])
    return jnp.concatenate(blocks)


def _from_middle(forces: Forces, rows: slice) -> list[Float[Array, "units n"]]:
    return [(forces.pos[rows, axis] - SIZE / 2) / SIZE for axis in range(2)]


def agent_states(
    view: SideView, shown: Shown, moment: ShownMoment, legal: Bool[Array, "own actions n"]
) -> Float[Array, "own fields n"]:
    """Return the state as each agent has its own with MAPPO's authors (Yu et al., 2022).

    Friends, foes, moves, itself, its number: like an observation, but nobody is out of sight, and places are
    told from the middle of the map too. The dead have zeros beside their numbers.
    """
    own = view.ranks.own
    foes = view.ranks.foes
    forces = moment.forces
    last_action = moment.last_action
    n = moment.n
    reach = sight_range(view, shown, moment)
    hot = [1.0 * (last_action == a) for a in range(view.actions)] if shown.state_last_action else []
    alive = forces.alive[own]
    bars_of = lambda rows, shield: bars(moment, rows, shield) if shown.obs_all_health else []
    types = one_hot_rows(moment, view.own_codes, view.bits, own)

    sight = find_others(forces, own, own)
    place = _from_middle(forces, own)
    told = [charge(moment, own), *bars_of(own, view.own_shield), *place, *types, *hot]
    marks = sight.distance < reach
    rows = entity_rows(sight, jnp.broadcast_to(alive[None], marks.shape), reach, marks, told)
    friends = drop_own_row(rows, len(alive))

    sight = find_others(forces, own, foes)
    near = sight.distance < reach
    foe_types = one_hot_rows(moment, view.foe_codes, view.bits, foes)
    told = [1.0 * near, *bars_of(foes, view.foe_shield), *foe_types, *_from_middle(forces, foes)]
    marks = attackable_bits(view, shown, moment, legal)
    there = jnp.broadcast_to(forces.alive[foes][None], near.shape)
    enemies = entity_rows(sight, there, reach, marks, told)

    zero = jnp.zeros_like(last_action, jnp.float32)
    itself = bars(moment, own, view.own_shield) if shown.obs_own_health else []
    itself = [zero + 1.0, zero, zero, zero, *itself, *place, *types, *hot]
    moves = legal[:, FIRST_MOVE:FIRST_TARGET].astype(jnp.float32)
    state = jnp.concatenate([friends, enemies, moves, jnp.stack(itself, axis=1)], axis=1)
    state = jnp.where(alive[:, None], state, 0.0)
    numbers = jnp.broadcast_to(jnp.eye(len(alive))[..., None], (len(alive), len(alive), n))
    clocks = [jnp.broadcast_to(moment.clock, (len(alive), 1, n))] if shown.state_timestep_number else []
    return jnp.concatenate([state, numbers, *clocks], axis=1)


def charge(moment: ShownMoment, rows: slice) -> Float[Array, "units n"]:
    """Return the cooldown, or a healer's energy, as SMAC scales it."""
    forces = moment.forces
    stats = moment.stats
    value = jnp.maximum(forces.cooldown[rows], 0.0)
    if len(forces.energy):
        value = jnp.where(stats.healer[rows], forces.energy[rows], value)
    return value / stats.cooldown_scale[rows]
