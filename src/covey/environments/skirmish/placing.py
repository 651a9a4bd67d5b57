"""Start places: units that are created at one point stand side by side around it."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from ...errors import SettingError
from .maps import SIZE, Group, Terrain
from .units import UnitType

_STEP = 0.5  # of the grid of places
_REACH = 8.0


def spiral(step: float = _STEP) -> Float[np.ndarray, "places 2"]:
    """Return offsets from a point, the nearest first; ties go to the upper, then to the left."""
    line = np.arange(-_REACH, _REACH + step / 2, step)
    places = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
    order = np.lexsort((places[:, 0], -places[:, 1], (places**2).sum(axis=1)))
    return places[order]


_OFFSETS = spiral()


def place_units(
    groups: Sequence[Group], units: Sequence[UnitType], terrain: Terrain
) -> Float[np.ndarray, "units 2"]:
    """Return a place for each unit in the order of creation: the free place nearest to its group's point."""
    points = [group.point for group in groups for _ in range(group.count)]
    placed: list[tuple[np.ndarray, UnitType]] = []
    for unit, point in zip(units, points, strict=True):
        spots = _OFFSETS + np.array(point)
        free = _walkable(spots, terrain) | unit.flies
        for place, other in placed:
            if other.flies == unit.flies:
                gap = np.hypot(*(spots - place).T)
                free &= gap >= unit.separation + other.separation - 1e-6
        if not free.any():
            problem = f"has no room for a {unit.name} near {list(point)}"
            raise SettingError("terrain", problem, "move the start, or make the ground wider")
        placed.append((spots[int(np.argmax(free))], unit))
    return np.array([place for place, _ in placed], np.float32).reshape(-1, 2)


def _walkable(spots: Float[np.ndarray, "places 2"], terrain: Terrain) -> Bool[np.ndarray, " places"]:
    inside = ((spots >= 0) & (spots < SIZE)).all(axis=1)
    cell = np.clip(spots.astype(int), 0, SIZE - 1)
    return inside & terrain.walkable[cell[:, 0], cell[:, 1]]


def sort_allies(
    units: Sequence[UnitType], places: Float[np.ndarray, "units 2"], types: Sequence[str]
) -> list[int]:
    """Return the order in which SMAC numbers allies: by type, then x, then y."""
    rank = {name: i for i, name in enumerate(types)}
    key = lambda i: (rank.get(units[i].name, 0), float(places[i, 0]), float(places[i, 1]))
    return sorted(range(len(units)), key=key)
