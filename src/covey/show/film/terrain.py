"""The ground of a battle, and the part of it that a film shows."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from ...core.scene import SceneGround
from .theme import ARENA, CLIFF, CLIFF_EDGE, GRID, HIGH_GROUND, PAGE, PLAIN, Picture

_GRID = 2  # units of the world between two lines
_EDGE = 3  # pixels of a line along a cliff
_HATCH = 28  # pixels between two lines across a cliff
_HATCH_WIDTH = 8

_GROUNDS = {".": PLAIN[ARENA], "+": PLAIN[HIGH_GROUND], "#": PLAIN[CLIFF]}


class View(NamedTuple):
    """A square of the world on a picture of `side` pixels."""

    middle: Float[np.ndarray, "2"]
    half: float  # of its side, in the units of the world
    side: int

    @property
    def scale(self) -> float:
        """The pixels of a unit of the world."""
        return self.side / 2 / self.half

    def pixels(self, x: Float[np.ndarray, "*b 2"]) -> Float[np.ndarray, "*b 2"]:
        """Turn the world's coordinates, in which y points up, into pixels."""
        return self.side / 2 + self.scale * (x - self.middle) * np.array([1, -1])

    def world(self) -> tuple[Float[np.ndarray, " side"], Float[np.ndarray, " side"]]:
        """Return the world's x of the picture's columns, and the world's y of its rows."""
        offset = (np.arange(self.side) + 0.5 - self.side / 2) / self.scale
        return self.middle[0] + offset, self.middle[1] - offset


def draw_ground(view: View, ground: SceneGround | None) -> Picture:
    """Draw walkable ground with a grid, and cliffs with a bright edge."""
    field = np.full((view.side, view.side), PLAIN[ARENA], np.uint8)
    if ground is not None:
        field = _cells(view, ground)
    x, y = view.world()
    width = 2 / view.scale
    walkable = field != PLAIN[CLIFF]
    on_line = lambda at: (at + width / 2) % _GRID < width
    field[walkable & (on_line(x)[None] | on_line(y)[:, None])] = PLAIN[GRID]
    down, right = np.indices(field.shape, sparse=True)
    field[~walkable & ((down + right) % _HATCH < _HATCH_WIDTH)] = PLAIN[PAGE]
    field[_grow(walkable, _EDGE) & ~walkable] = PLAIN[CLIFF_EDGE]
    return field


def _grow(shape: Bool[np.ndarray, "h w"], reach: int) -> Bool[np.ndarray, "h w"]:
    """Return the shape and what is at most `reach` pixels beside it."""
    grown = shape.copy()
    grown[:, reach:] |= shape[:, :-reach]
    grown[:, :-reach] |= shape[:, reach:]
    wide = grown.copy()
    grown[reach:] |= wide[:-reach]
    grown[:-reach] |= wide[reach:]
    return grown


def _cells(view: View, ground: SceneGround) -> Picture:
    """Colour each pixel by the cell under it; beyond the rows there is cliff."""
    kinds = np.array([[_GROUNDS[sign] for sign in row] for row in ground.rows], np.uint8)
    kinds = np.pad(kinds[::-1], 1, constant_values=PLAIN[CLIFF])
    places = (at - corner for at, corner in zip(view.world(), ground.corner, strict=True))
    cells = (np.floor(place / ground.cell).astype(int) + 1 for place in places)
    columns, rows = (np.clip(cell, 0, n - 1) for cell, n in zip(cells, kinds.shape[::-1], strict=True))
    return kinds[rows[:, None], columns[None]]
