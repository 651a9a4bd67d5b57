"""Scenarios: the units of a battle, their start places, and the enemies' order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ...errors import SettingError
from .maps import BattleMap, Group
from .placing import place_units, sort_allies
from .roster import Kinds, Roster, make_roster
from .units import UnitTable, UnitType

_FORMATION = 6.0  # a group that fits in a square of this side keeps its formation as it marches


class Start(NamedTuple):
    """The start of an episode in n copies."""

    kinds: Kinds  # no rows where the roster fixes them
    pos: Float[Array, "units 2 n"]
    goal: Float[Array, "units 2 n"]


@runtime_checkable
class Scenario(Protocol):
    """Who fights, and where they start."""

    @property
    def roster(self) -> Roster: ...

    @property
    def names(self) -> tuple[str, ...]: ...

    def start(self, key: PRNGKeyArray, n: int) -> Start: ...


def shift_places(
    key: PRNGKeyArray, pos: Float[Array, "units 2 n"], jitter: float
) -> Float[Array, "units 2 n"]:
    """Return places, each moved at random by up to `jitter` along both axes."""
    return pos + jitter * jax.random.uniform(key, pos.shape, minval=-1.0, maxval=1.0) if jitter else pos


@dataclass(frozen=True, eq=False)
class FixedScenario:
    """The same units at the same places in every episode."""

    roster: Roster
    places: Float[np.ndarray, "units 2"]
    goals: tuple[Float[np.ndarray, "units 2"], Float[np.ndarray, "units 2"]]  # a random point between the two
    names: tuple[str, ...]
    jitter: float

    def start(self, key: PRNGKeyArray, n: int) -> Start:
        """Return the start of an episode in each of n copies."""
        share_key, noise_key = jax.random.split(key)
        units = self.roster.units
        pos = jnp.broadcast_to(self.places[..., None], (units, 2, n))
        pos = shift_places(noise_key, pos, self.jitter)
        first, last = self.goals
        goal = jnp.broadcast_to(first[..., None], (units, 2, n))
        if not np.array_equal(first, last):
            share = jax.random.uniform(share_key, (n,))
            goal = goal + (last - first)[..., None] * share
        return Start(jnp.zeros((0, n), jnp.int32), pos, goal)


def fixed_scenario(battle_map: BattleMap, table: UnitTable, jitter: float) -> FixedScenario:
    """Return the scenario of a map."""
    allies = _units(battle_map.allies, table, "allies")
    enemies = _units(battle_map.enemies, table, "enemies", enemy=True)
    terrain = battle_map.terrain
    ally_places = place_units(battle_map.allies, allies, terrain)
    enemy_places = place_units(battle_map.enemies, enemies, terrain)
    order = sort_allies(allies, ally_places, battle_map.ally_types)
    allies = [allies[i] for i in order]
    places = np.concatenate([ally_places[order], enemy_places])
    return FixedScenario(
        roster=make_roster(allies, enemies),
        places=places,
        goals=_goals(battle_map, places, len(allies)),
        names=_names(allies, enemies),
        jitter=jitter,
    )


def _units(groups: Sequence[Group], table: UnitTable, setting: str, enemy: bool = False) -> list[UnitType]:
    if not sum(group.count for group in groups):
        raise SettingError(setting, "names no unit", "name at least one, as {marine: 3}")
    return [table.unit(group.unit, setting, enemy) for group in groups for _ in range(group.count)]


def _names(allies: Sequence[UnitType], enemies: Sequence[UnitType]) -> tuple[str, ...]:
    """Return a name for each unit: its type, and its number on its side."""
    ours = [f"{unit.name}_{i}" for i, unit in enumerate(allies)]
    theirs = [f"enemy_{unit.name}_{i}" for i, unit in enumerate(enemies)]
    return (*ours, *theirs)


def _goals(
    battle_map: BattleMap, places: Float[np.ndarray, "units 2"], allies: int
) -> tuple[Float[np.ndarray, "units 2"], Float[np.ndarray, "units 2"]]:
    """Return the points between which each unit's goal lies. A small group keeps its formation."""
    if isinstance(battle_map.order, str):
        return places, places
    points = np.array(battle_map.order, np.float32).reshape(-1, 2)
    enemies = places[allies:]
    offsets = enemies - enemies.mean(axis=0)
    wide = np.ptp(enemies, axis=0).max(initial=0.0) > _FORMATION
    goals = []
    for point in (points[0], points[-1]):
        goal = places.copy()
        goal[allies:] = point + (0.0 if wide else offsets)
        goals.append(goal)
    return goals[0], goals[1]
