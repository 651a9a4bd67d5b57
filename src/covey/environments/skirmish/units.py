"""The table of units: what each can do, read from YAML, with a source for each number."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ... import yaml_text
from ...errors import SettingError

DATA = Path(__file__).parent
TABLES = ("lotv", "liberty")  # the tables that come with the world
LOOPS_PER_SECOND = 16
SHIELD_RATE = 2.0  # a second
SHIELD_DELAY = 10.0  # seconds after the last damage
ZERG_RATE = 0.2734  # health a second
LEAST_DAMAGE = 0.5  # of a hit that passes a shield


@dataclass(frozen=True)
class UnitType:
    """A type of unit. Times are in the game's data seconds, lengths in its units.

    A weapon begins an attack every `period`, hits after `windup`, and pins its owner for `backswing` more,
    unless a new order comes. Ranges are from edge to edge; `slop` is how far a target may step out of range
    once an attack has begun. `splash`: "line" hits across the line of fire, "burst" explodes.
    """

    name: str
    race: str
    attributes: tuple[str, ...]
    health: float
    speed: float
    radius: float  # for ranges
    separation: float  # for collisions
    range: float
    scan: float  # how far it looks for a target by itself
    cooldown_scale: float  # SMAC's divisor of the cooldown, or of the energy
    sight: float  # SMACv2's
    shield: float = 0.0
    armour: float = 0.0
    damage: float = 0.0
    bonus: Mapping[str, float] = field(default_factory=dict)  # by attribute of the target
    hits: int = 1
    hit_interval: float = 0.0
    beam: float = 0.0  # from the wind-up's end to the first hit
    period: float = 0.0
    windup: float = 0.0
    backswing: float = 0.0
    slop: float = 1.0
    missile: float = 0.0  # speed; 0: the hit is instant
    splash: str = ""
    flies: bool = False
    hits_air: bool = False
    walks_over: bool = False  # passes over other ground units and cliffs
    heals: float = 0.0  # health a second
    health_rate: float = 0.0  # energy for one health
    energy: float = 0.0  # at the start
    energy_limit: float = 0.0
    energy_rate: float = 0.0

    def damage_to(self, target: "UnitType") -> float:
        """Return the damage of one hit, before shield and armour."""
        if target.flies and not self.hits_air:
            return 0.0
        extra = (amount for kind, amount in self.bonus.items() if kind in target.attributes)
        return self.damage + sum(extra)

    @property
    def regeneration(self) -> float:
        """The health that comes back by itself, a second."""
        return ZERG_RATE if self.race == "zerg" else 0.0

    @property
    def explodes(self) -> bool:
        return self.splash == "burst"


_FIELDS = {f.name: f for f in fields(UnitType) if f.name != "name"}
_REQUIRED = [name for name in _FIELDS if _FIELDS[name].default is _FIELDS[name].default_factory]


@dataclass(frozen=True)
class UnitTable:
    """Types of units by name, and the source of each of their numbers."""

    units: Mapping[str, UnitType]
    sources: Mapping[str, str]  # by `field` or `unit.field`
    enemies: Mapping[str, UnitType]  # types that are different where enemies have them

    def source(self, unit: str, name: str) -> str | None:
        """Return the source of a unit's number, None where the table names none."""
        return self.sources.get(f"{unit}.{name}") or self.sources.get(name)

    def unit(self, name: str, setting: str, enemy: bool = False) -> UnitType:
        """Return a type as allies or enemies have it, or refuse a name that the table does not have."""
        if name not in self.units:
            problem = f"names no unit of the table: '{name}'"
            raise SettingError(setting, problem, f"use {', '.join(self.units)}")
        return self.enemies.get(name, self.units[name]) if enemy else self.units[name]


@cache
def read_units(data: str) -> UnitTable:
    """Read a table: one that comes with the world by its name, or a file `mine.yaml` of the same form.

    A table with `base` changes one that comes with the world: it lists what differs.
    """
    known = " or ".join(TABLES)
    if data not in TABLES and not data.endswith((".yaml", ".yml")):
        raise SettingError("data", "is no table of units", f"set {known}, or a file mine.yaml", value=data)
    tree = yaml_text.read_named("data", str(DATA / f"{data}.yaml") if data in TABLES else data)
    unknown = set(tree) - {"base", "sources", "units", "enemies"}
    parts = [tree.get(key, {}) for key in ("sources", "enemies")]
    if unknown or not all(isinstance(part, Mapping) for part in (tree.get("units"), *parts)):
        remedy = "give it 'units', and 'base', 'sources' and 'enemies' as needed"
        raise SettingError("data", "holds no table of units", remedy, value=data)
    if tree.get("base", "lotv") not in TABLES:
        raise SettingError("data", f"has the unknown base {tree['base']}", f"make it {known}", value=data)
    base = read_units(tree["base"]) if "base" in tree else UnitTable({}, {}, {})
    units = dict(base.units)
    enemies = dict(base.enemies)
    for name, values in tree["units"].items():
        units[name] = _make_unit(name, values, units.get(name), data)
        if name in enemies:  # what the table says of a type holds for enemies too
            enemies[name] = _make_unit(name, values, enemies[name], data)
    for name, values in parts[1].items():
        enemies[name] = _make_unit(name, values, units.get(name), data)
    sources = {**base.sources, **parts[0]}
    return UnitTable(MappingProxyType(units), MappingProxyType(sources), MappingProxyType(enemies))


def _make_unit(name: str, values: Any, base: UnitType | None, data: str) -> UnitType:
    known = {} if base is None else {key: getattr(base, key) for key in _FIELDS}
    if not isinstance(values, Mapping):
        raise SettingError("data", f"gives {name} {values}", "give it fields, as {health: 45}", value=data)
    values = known | dict(values)
    unknown = sorted(set(values) - set(_FIELDS))
    missing = [key for key in _REQUIRED if key not in values]
    if unknown:
        raise SettingError("data", f"gives {name} the unknown field '{unknown[0]}'", "remove it", value=data)
    if missing:
        raise SettingError("data", f"gives {name} no {', '.join(missing)}", "add it", value=data)
    return UnitType(name=name, **{key: _typed(name, key, value, data) for key, value in values.items()})


def _typed(name: str, key: str, value: Any, data: str) -> Any:
    """Return a value in its field's type, or refuse it. YAML writes 45 for 45.0, and a list for a tuple."""
    kind: Any = _FIELDS[key].type
    make: Callable[[Any], Any] = kind
    if kind in (float, int):
        least = _LEAST.get(key, 0)
        fits = _is_number(value) and value >= least and kind(value) == value
        wanted = f"a number of {least} or more"
    elif kind is bool:
        fits = isinstance(value, bool)
        wanted = "true or false"
    elif key == "bonus":
        fits = isinstance(value, Mapping) and all(map(_is_number, value.values()))
        wanted = "numbers by attribute, as {armoured: 10}"
        make = _bonus
    elif key == "attributes":
        fits = isinstance(value, list | tuple) and all(isinstance(word, str) for word in value)
        wanted = "a list of words, as [light, biological]"
        make = tuple
    else:
        fits = isinstance(value, str) and value in _WORDS.get(key, (value,))
        wanted = " or ".join(map(repr, _WORDS[key])) if key in _WORDS else "a word"
    if not fits:
        raise SettingError("data", f"gives {name} the {key} {value}", f"make it {wanted}", value=data)
    return make(value)


_WORDS = {"splash": ("", "line", "burst")}
_LEAST = {"health": 1, "cooldown_scale": 1, "hits": 1}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _bonus(value: Any) -> dict[str, float]:
    return {kind: float(amount) for kind, amount in value.items()}
