"""The units of a battle as arrays: allies first, then enemies. The last axis is n copies, or 1 for all."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped

from .units import LOOPS_PER_SECOND, UnitType

UnitNumbers = Float[Array, "units _"]  # n copies, or 1 where all have the same
UnitFlags = Bool[Array, "units _"]
Kinds = Int[Array, "units copies"] | Int[np.ndarray, "units copies"]


class UnitStats(eqx.Module):
    """Each unit's numbers. Times are in loops, speeds in lengths a loop, rates in amounts a loop."""

    health: UnitNumbers
    shield: UnitNumbers
    armour: UnitNumbers
    range: UnitNumbers
    scan: UnitNumbers
    slop: UnitNumbers
    period: UnitNumbers
    windup: UnitNumbers
    backswing: UnitNumbers
    beam: UnitNumbers
    interval: UnitNumbers  # between the two hits of one attack; 0: there is one hit
    missile: UnitNumbers  # speed; 0: hits are instant
    speed: UnitNumbers
    radius: UnitNumbers
    separation: UnitNumbers
    regeneration: UnitNumbers
    heals: UnitNumbers
    health_rate: UnitNumbers
    energy: UnitNumbers
    energy_limit: UnitNumbers
    energy_rate: UnitNumbers
    cooldown_scale: UnitNumbers
    sight: UnitNumbers
    armed: UnitFlags
    above: UnitFlags  # flies, or walks over others and over cliffs
    flies: UnitFlags
    hits_air: UnitFlags
    healer: UnitFlags
    biological: UnitFlags
    explodes: UnitFlags
    sweeps: UnitFlags  # hits along a line


_LOOPS = float(LOOPS_PER_SECOND)
_NUMBERS: dict[str, Callable[[UnitType], float]] = {
    "health": lambda u: u.health,
    "shield": lambda u: u.shield,
    "armour": lambda u: u.armour,
    "range": lambda u: u.range,
    "scan": lambda u: u.scan,
    "slop": lambda u: u.slop,
    "period": lambda u: u.period * _LOOPS,
    "windup": lambda u: u.windup * _LOOPS,
    "backswing": lambda u: u.backswing * _LOOPS,
    "beam": lambda u: u.beam * _LOOPS,
    "interval": lambda u: u.hit_interval * _LOOPS if u.hits == 2 else 0.0,
    "missile": lambda u: u.missile / _LOOPS,
    "speed": lambda u: u.speed / _LOOPS,
    "radius": lambda u: u.radius,
    "separation": lambda u: u.separation,
    "regeneration": lambda u: u.regeneration / _LOOPS,
    "heals": lambda u: u.heals / _LOOPS,
    "health_rate": lambda u: u.health_rate,
    "energy": lambda u: u.energy,
    "energy_limit": lambda u: u.energy_limit,
    "energy_rate": lambda u: u.energy_rate / _LOOPS,
    "cooldown_scale": lambda u: u.cooldown_scale,
    "sight": lambda u: u.sight,
}
_FLAGS: dict[str, Callable[[UnitType], bool]] = {
    "armed": lambda u: u.damage > 0,
    "above": lambda u: u.flies or u.walks_over,
    "flies": lambda u: u.flies,
    "hits_air": lambda u: u.hits_air,
    "healer": lambda u: u.heals > 0,
    "biological": lambda u: "biological" in u.attributes,
    "explodes": lambda u: u.explodes,
    "sweeps": lambda u: u.splash == "line",
}


@dataclass(frozen=True, eq=False)
class Roster:
    """The types that may fight, and how many units each side has.

    `kinds` has each unit's index in `types`; None where an episode draws it.
    """

    types: tuple[UnitType, ...]
    allies: int
    enemies: int
    kinds: Int[np.ndarray, " units"] | None

    @property
    def units(self) -> int:
        """The number of units on both sides."""
        return self.allies + self.enemies

    def any(self, test: Callable[[UnitType], bool]) -> bool:
        """Return whether a type that may fight passes a test: what no unit does is not computed."""
        return any(map(test, self.types))

    @cached_property
    def medics(self) -> bool:
        return self.any(lambda u: u.heals > 0)

    @cached_property
    def missiles(self) -> bool:
        return self.any(lambda u: u.missile > 0)

    @cached_property
    def shields(self) -> bool:
        return self.any(lambda u: u.shield > 0)

    @cached_property
    def armour(self) -> bool:
        return self.any(lambda u: u.armour > 0)

    @cached_property
    def double_hits(self) -> bool:
        return self.any(lambda u: u.hits == 2)

    @cached_property
    def sweepers(self) -> bool:
        return self.any(lambda u: u.splash == "line")

    @cached_property
    def bombs(self) -> bool:
        return self.any(lambda u: u.explodes)

    @cached_property
    def regenerates(self) -> bool:
        return self.any(lambda u: u.regeneration > 0)

    @cached_property
    def above(self) -> bool:
        """Whether some unit is above the others, in nobody's way."""
        return self.any(lambda u: u.flies or u.walks_over)

    @cached_property
    def damage(self) -> Float[np.ndarray, "types types"]:
        """The damage of one hit: row by attacker, column by target."""
        table = [[a.damage_to(b) for b in self.types] for a in self.types]
        return np.array(table, np.float32)

    def table(self, name: str) -> Shaped[np.ndarray, " types"]:
        """Return a number or flag of each type."""
        if name in _NUMBERS:
            return np.array([_NUMBERS[name](u) for u in self.types], np.float32)
        return np.array([_FLAGS[name](u) for u in self.types], bool)

    def stats(self, kinds: Kinds) -> UnitStats:
        """Return the numbers of units of these types: constants where no episode draws types."""
        return UnitStats(**{name: self._of_units(name, kinds) for name in (*_NUMBERS, *_FLAGS)})

    def _of_units(self, name: str, kinds: Kinds) -> Shaped[Array, "units _"]:
        table = self.table(name)
        if self.kinds is not None:
            return jnp.asarray(table[self.kinds][:, None])
        if (table == table[0]).all():
            return jnp.full((self.units, 1), table[0])
        # Selects, because XLA vectorises no look-up by index on CPUs.
        pick = lambda found, kind: jnp.where(jnp.asarray(kinds) == kind, table[kind], found)
        return reduce(pick, range(1, len(table)), jnp.full(kinds.shape, table[0]))

    def fixed(self, name: str) -> Shaped[np.ndarray, " units"]:
        """Return a number or flag of each unit where types are fixed."""
        assert self.kinds is not None
        return self.table(name)[self.kinds]


def make_roster(allies: Sequence[UnitType], enemies: Sequence[UnitType]) -> Roster:
    """Return the roster of two sides whose types are fixed."""
    types = distinct([*allies, *enemies])
    kinds = np.array([types.index(unit) for unit in (*allies, *enemies)], np.int32)
    return Roster(types, len(allies), len(enemies), kinds)


def distinct(units: Iterable[UnitType]) -> tuple[UnitType, ...]:
    """Return each type once, in the order in which they first appear."""
    types: list[UnitType] = []
    for unit in units:
        if unit not in types:
            types.append(unit)
    return tuple(types)
