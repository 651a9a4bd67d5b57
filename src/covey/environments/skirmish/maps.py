"""The maps: who fights whom, and on which ground, read from YAML."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from ... import yaml_text
from ...errors import SettingError
from .units import DATA

SIZE = 32  # cells of a side of every map
CUSTOM = "custom"  # the map whose parts are there to be replaced


@dataclass(frozen=True)
class Group:
    """Units of one type that start around one point."""

    unit: str
    count: int
    point: tuple[float, float]


class Gate(NamedTuple):
    """A line that cuts a terrain in two, and the passages through it.

    A point p is beyond where normal · p > offset. Each passage has a point on this side and one beyond.
    """

    normal: tuple[float, float]
    offset: float
    passages: tuple[tuple[tuple[float, float], tuple[float, float]], ...]


@dataclass(frozen=True, eq=False)
class Terrain:
    """The ground of a map, in cells `[x, y]` of one unit."""

    walkable: Bool[np.ndarray, "32 32"]
    cliffs: Bool[np.ndarray, "32 32"]  # only colossi step there
    height: Float[np.ndarray, "32 32"]
    gate: Gate | None = None

    @property
    def rectangle(self) -> tuple[int, int, int, int] | None:
        """The bounds of the walkable cells, where these fill a rectangle: x from and to, y from and to."""
        x = np.flatnonzero(self.walkable.any(axis=1))
        y = np.flatnonzero(self.walkable.any(axis=0))
        bounds = (int(x[0]), int(x[-1]) + 1, int(y[0]), int(y[-1]) + 1)
        full = self.walkable[bounds[0] : bounds[1], bounds[2] : bounds[3]].all()
        return bounds if full else None


class TeamDraw(NamedTuple):
    """Teams that are drawn anew for each episode, as SMACv2 draws them."""

    allies: int
    enemies: int
    types: tuple[str, ...]
    weights: tuple[float, ...]
    not_alone: tuple[str, ...]  # no team is made of these only


@dataclass(frozen=True)
class BattleMap:
    """A map: two sides, the ground, the enemies' order, the limit of steps.

    `order` is a point to attack-move to, two points (to a random place between them), "units" (attack the
    allies themselves) or "stand". `kind` is SMAC's map type. One-hots of types follow `ally_types` and
    `enemy_types`; `()` where observations tell none. With `draw` the sides are drawn, and have no groups.
    """

    name: str
    kind: str
    limit: int
    terrain: Terrain
    order: Any
    allies: tuple[Group, ...]
    enemies: tuple[Group, ...]
    ally_types: tuple[str, ...]
    enemy_types: tuple[str, ...]
    draw: TeamDraw | None = None


@cache
def _library() -> Mapping[str, Any]:
    return yaml_text.read_file(DATA / "maps.yaml")


def map_names() -> tuple[str, ...]:
    """Return the names of SMAC's maps."""
    return tuple(_library()["maps"])


def random_map_names() -> tuple[str, ...]:
    """Return the names of SMACv2's scenarios."""
    section = _library()["random"]
    return tuple(f"{race}_{a}_vs_{b}" for race in section["races"] for a, b in section["sizes"])


def find_map(name: str) -> BattleMap:
    """Return one of SMAC's maps, or one of SMACv2's scenarios, such as terran_5_vs_5."""
    if name in _library()["maps"]:
        return _fixed_map(name, _library()["maps"][name])
    if name == CUSTOM:
        return _fixed_map(name, _library()[CUSTOM])
    race, _, sizes = name.partition("_")
    if race in _library()["random"]["races"] and re.fullmatch(r"[1-9]\d*_vs_[1-9]\d*", sizes):
        return _random_map(name, race, *map(int, sizes.split("_vs_")))
    known = ", ".join((*map_names(), *random_map_names(), CUSTOM))
    raise SettingError("map", "is no map", f"set one of {known}", value=name)


def _fixed_map(name: str, entry: Mapping[str, Any]) -> BattleMap:
    kinds = _library()["kinds"].get(entry["kind"], {"allies": (), "enemies": ()})
    return BattleMap(
        name=name,
        kind=entry["kind"],
        limit=entry["limit"],
        terrain=find_terrain(entry["terrain"]),
        order=entry["order"],
        allies=_groups(entry["allies"]),
        enemies=_groups(entry["enemies"]),
        ally_types=tuple(kinds["allies"]),
        enemy_types=tuple(kinds["enemies"]),
    )


def _random_map(name: str, race: str, allies: int, enemies: int) -> BattleMap:
    section = _library()["random"]
    entry = section["races"][race]
    types = tuple(entry["types"])
    return BattleMap(
        name=name,
        kind=f"{race}_gen",
        limit=section["limit"],
        terrain=find_terrain(section["terrain"]),
        order=section["order"],
        allies=(),
        enemies=(),
        ally_types=types,
        enemy_types=types,
        draw=TeamDraw(allies, enemies, types, tuple(entry["weights"]), tuple(entry["not_alone"])),
    )


def _groups(rows: Sequence[Sequence[Any]]) -> tuple[Group, ...]:
    return tuple(Group(unit, count, (float(x), float(y))) for unit, count, x, y in rows)


def find_terrain(name: str) -> Terrain:
    """Return a terrain of the library."""
    terrains = _library()["terrains"]
    if name not in terrains:
        remedy = f"set one of {', '.join(terrains)}, rows of cells, or a file mine.yaml"
        raise SettingError("terrain", "is no terrain", remedy, value=name)
    return make_terrain(terrains[name])


def make_terrain(entry: Mapping[str, Any]) -> Terrain:
    """Return a terrain from an entry of the library's form, or from 32 rows of signs from top to bottom."""
    unknown = sorted(set(entry) - {"rows", "rim", "cliffs", "heights", "gate"})
    if unknown or "rows" not in entry:
        problem = f"has the unknown key '{unknown[0]}'" if unknown else "has no rows"
        raise SettingError("terrain", problem, "give it rows, and rim, cliffs, heights and gate as needed")
    if all(isinstance(row, str) for row in entry["rows"]):
        return _terrain_from_signs(entry["rows"], _gate(entry))
    height = np.ones((SIZE, SIZE), np.float32)
    for first, last, left, right, level in entry.get("heights", ()):
        height[left : right + 1, first : last + 1] = level
    walkable = _cells(entry["rows"]) | _cells(entry.get("rim", ()))
    return Terrain(walkable, _cells(entry.get("cliffs", ())), height, _gate(entry))


_SIGNS = {
    ".": "ground",
    "+": "high ground",
    "#": "nobody walks there",
    "=": "a cliff that only colossi cross",
}
_LOW = 0.5  # the height of ground where there is high ground, too


def _terrain_from_signs(rows: Sequence[str], gate: Gate | None) -> Terrain:
    if len(rows) != SIZE or any(len(row) != SIZE or set(row) - set(_SIGNS) for row in rows):
        signs = ", ".join(f"'{sign}' ({meaning})" for sign, meaning in _SIGNS.items())
        raise SettingError("terrain", "is no map", f"write {SIZE} rows of {SIZE} signs: {signs}")
    cells = np.array([list(row) for row in reversed(rows)]).T
    low = (cells == ".") & (cells == "+").any()
    height = np.where(low, _LOW, 1.0).astype(np.float32)
    return Terrain((cells == ".") | (cells == "+"), cells == "=", height, gate)


def _gate(entry: Mapping[str, Any]) -> Gate | None:
    gate = entry.get("gate")
    if gate is None:
        return None
    passages = tuple((tuple(near), tuple(beyond)) for near, beyond in gate["passages"])
    return Gate(tuple(gate["normal"]), gate["offset"], passages)


def _cells(rows: Sequence[Any]) -> Bool[np.ndarray, "32 32"]:
    """Mark cells `[x, y]` from rows [first row, last row, first cell, last cell]."""
    cells = np.zeros((SIZE, SIZE), bool)
    for row in rows:
        fits = isinstance(row, list | tuple) and len(row) == 4 and all(isinstance(x, int) for x in row)
        if not fits or not (0 <= row[0] <= row[1] < SIZE and 0 <= row[2] <= row[3] < SIZE):
            remedy = f"write [first row, last row, first cell, last cell], numbers from 0 to {SIZE - 1}"
            raise SettingError("terrain", f"has the row {row}", remedy)
        first, last, left, right = row
        cells[left : right + 1, first : last + 1] = True
    return cells
