"""A battle from one side: what its agents are shown, and how actions and one-hots are numbered."""

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ...ranges import Members, NonNegative
from .maps import BattleMap
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


class Shown(NamedTuple):
    """The parts of observations and states that can be chosen; SMAC's defaults."""

    obs_all_health: bool = True
    obs_own_health: bool = True
    obs_heal_bits: bool = True  # foes' rows of a medic are marked by the friends that it can heal
    obs_last_action: bool = False
    obs_pathing_grid: bool = False
    obs_terrain_height: bool = False
    obs_timestep_number: bool = False
    obs_own_pos: bool = False  # SMACv2 shows an agent its own place
    use_unit_ranges: bool = False  # SMACv2: sight and order range by type
    min_attack_range: NonNegative = 2.0  # SMACv2: the least order range by type
    conic_fov: bool = False  # SMACv2: an agent sees and attacks in one direction only
    num_fov_actions: Members = 12  # SMACv2: the directions into which it can look
    state_last_action: bool = True
    state_timestep_number: bool = False

    @property
    def looks(self) -> int:
        """The number of actions that look somewhere."""
        return self.num_fov_actions if self.conic_fov else 0


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


def _types(roster: Roster, rows: slice) -> tuple[UnitType, ...]:
    """Return the types that may stand in these rows."""
    if roster.kinds is None:
        return roster.types
    return tuple(roster.types[i] for i in sorted(set(roster.kinds[rows].tolist())))


def _codes(roster: Roster, order: tuple[str, ...]) -> tuple[int, ...]:
    """Return the place in a one-hot of each type of the roster; -1 where the order does not name it."""
    return tuple(order.index(u.name) if u.name in order else -1 for u in roster.types) if order else ()


class ShownMoment(NamedTuple):
    """A battle at one moment, for the observations of one side."""

    kinds: Kinds
    stats: UnitStats
    forces: Forces
    last_action: Int[Array, "own n"]
    clock: Float[Array, " n"]  # the share of the steps that are over
    facing: Int[Array, "looking n"]  # no rows where agents see all around

    @property
    def n(self) -> int:
        """The number of copies."""
        return self.clock.shape[-1]


def one_hot_rows(
    moment: ShownMoment, codes: tuple[int, ...], bits: int, rows: slice
) -> list[Float[Array, "units n"]]:
    """Return a row of each unit for each bit of its type."""
    kinds = jnp.asarray(moment.kinds)[rows]
    places = jnp.asarray(np.array(codes or (0,), np.int32))[kinds]
    return [jnp.broadcast_to(1.0 * (places == bit), (len(kinds), moment.n)) for bit in range(bits)]


def bars(moment: ShownMoment, rows: slice, shield: bool) -> list[Float[Array, "units n"]]:
    """Return health, and shield, as shares."""
    forces = moment.forces
    health = forces.health[rows] / moment.stats.health[rows]
    most = jnp.maximum(moment.stats.shield[rows], 1e-6)
    return [health, forces.shield[rows] / most] if shield else [health]
