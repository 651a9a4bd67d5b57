"""The panel's legend of a battle: each side's unit types, how many still stand, and their health."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ...core import Spec
from ...core.scene import UnitLook
from . import sprites, theme
from .battlefield import ENEMY, Army
from .silhouettes import unit_sprite
from .sprites import stamp, write_text
from .theme import ARENA, CLIFF, MUTED, PLAIN, RAMPS, TEXT, Picture

_TOP = 76  # pixels above the rows
_ROW = 40
_PAD = 18
_ICON = 14.0  # pixels of a silhouette's radius
_CORNER = 12


class _Side(NamedTuple):
    """A side's name and colour; by moment, its share of health and, by type, how many stand."""

    name: str
    colour: str
    health: Float[np.ndarray, " moments"]
    standing: Int[np.ndarray, "moments types"]
    looks: tuple[UnitLook, ...]


class StandingForces:
    """The sides of a battle, next to each other."""

    def __init__(self, spec: Spec, army: Army, width: int):
        self.width = width
        lone = len(spec.teams) == 1
        members = {"allies" if lone else team: list(spec.members(team)) for team in spec.teams}
        colours = [theme.team_colour(i) for i in range(len(members))]
        if len(army.names) > spec.agents:
            members["enemies"] = list(range(spec.agents, len(army.names)))
            colours.append(ENEMY)
        self.sides = [
            _count_side(army, name, units, colour)
            for (name, units), colour in zip(members.items(), colours, strict=True)
        ]
        self.height = _TOP + _ROW * max(len(side.looks) for side in self.sides) + _PAD // 2
        box = sprites.rounded_alpha(width - 2, self.height - 2, _CORNER) > 0.5
        self.box = sprites.Sprite(np.full(box.shape, PLAIN[ARENA], np.uint8), box)

    def draw(self, picture: Picture, moment: int, top: int) -> None:
        stamp(picture, self.box, self.width / 2, top + self.height / 2)
        column = self.width // len(self.sides)
        for i, side in enumerate(self.sides):
            _draw_side(picture, side, moment, i * column + _PAD, (i + 1) * column - _PAD, top)


def _count_side(army: Army, name: str, units: list[int], colour: str) -> _Side:
    look = army.look[:, units]
    types = np.unique(look)
    alive = army.health[:, units] > 0
    standing = np.stack([(alive & (look == t)).sum(axis=1) for t in types], axis=1)
    most = np.array([type_.health + type_.shield for type_ in army.looks])[look].sum(axis=1)
    health = (army.health + army.shield)[:, units].sum(axis=1) / most
    return _Side(name, colour, health, standing, tuple(army.looks[t] for t in types))


def _draw_side(picture: Picture, side: _Side, moment: int, left: int, right: int, top: int) -> None:
    count = f"{side.standing[moment].sum()}/{side.standing[0].sum()}"
    room = right - left - sprites.font(26, True).getlength(count) - 8
    write_text(picture, sprites.fit_text(side.name, 22, False, room), left, top + 28, 22, MUTED, ARENA)
    write_text(picture, count, right, top + 28, 26, side.colour, ARENA, bold=True, side=1)
    width = right - left
    picture[top + 52 : top + 60, left:right] = PLAIN[CLIFF]
    ink = RAMPS[side.colour, ARENA][-1]
    picture[top + 52 : top + 60, left : left + round(width * min(1.0, float(side.health[moment])))] = ink
    for row, look in enumerate(side.looks):
        y = top + _TOP + _ROW * row + _ROW / 2
        stamp(picture, unit_sprite(look.shape, _ICON, side.colour, ARENA), left + _ICON, y)
        name = sprites.fit_text(look.name, 21, False, width - 2 * _ICON - 46)
        write_text(picture, name, left + 2 * _ICON + 12, y, 21, TEXT, ARENA)
        write_text(picture, str(side.standing[moment, row]), right, y, 22, TEXT, ARENA, bold=True, side=1)
