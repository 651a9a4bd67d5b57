"""A picture of a moment of football, from the positions that the game tells."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

_PIXELS = 460  # from the middle of the pitch to a goal line
_TWICE = 2  # drawn so much larger, and made smaller for smooth edges
_HALF_WIDTH = 0.42  # of the pitch, in the game's units: a goal line is 1 from the middle
_RIM = (1.06, 0.47)  # what is shown beyond the lines
_GOAL = (0.044, 0.03)  # half its width, and its depth
_BOX = (0.3, 0.24)  # of the penalty area: its depth, half its width
_CIRCLE = 0.13
_PLAYER = 0.032
_BALL = 0.013
_LINE = "#3d5145"
_GRASS = "#1c2c23"
_SIDES = ("#4fa3e3", "#e2605c")  # blue plays from left to right
_OTHERS = ("#2b587b", "#793635")  # whom no agent controls
_WHITE = "#f4f7f9"


class _Pitch:
    """A pitch to draw on, in the game's units; y grows downwards, as in the game."""

    def __init__(self):
        self.scale = _PIXELS * _TWICE
        size = (round(2 * _RIM[0] * self.scale), round(2 * _RIM[1] * self.scale))
        self.image = Image.new("RGB", size, _GRASS)
        self.draw = ImageDraw.Draw(self.image)
        self.font = ImageFont.load_default(round(1.4 * _PLAYER * self.scale))
        self._lines()

    def at(self, x: float, y: float) -> tuple[float, float]:
        return (x + _RIM[0]) * self.scale, (y + _RIM[1]) * self.scale

    def box(self, left: float, top: float, right: float, bottom: float) -> None:
        self.draw.rectangle((*self.at(left, top), *self.at(right, bottom)), outline=_LINE, width=2 * _TWICE)

    def disc(self, x: float, y: float, radius: float, **colours: Any) -> None:
        self.draw.ellipse((*self.at(x - radius, y - radius), *self.at(x + radius, y + radius)), **colours)

    def _lines(self) -> None:
        self.box(-1.0, -_HALF_WIDTH, 1.0, _HALF_WIDTH)
        self.draw.line(
            (*self.at(0.0, -_HALF_WIDTH), *self.at(0.0, _HALF_WIDTH)), fill=_LINE, width=2 * _TWICE
        )
        self.disc(0.0, 0.0, _CIRCLE, outline=_LINE, width=2 * _TWICE)
        for side in (-1.0, 1.0):
            near, deep = sorted((side, side * (1 - _BOX[0])))
            self.box(near, -_BOX[1], deep, _BOX[1])
            near, deep = sorted((side, side * (1 + _GOAL[1])))
            self.box(near, -_GOAL[0], deep, _GOAL[0])

    def player(self, place: Float[np.ndarray, "2"], colour: str, label: str, has_ball: bool) -> None:
        x, y = map(float, place)
        rim = {"outline": _WHITE, "width": 2 * _TWICE} if has_ball else {}
        self.disc(x, y, _PLAYER, fill=colour, **rim)
        self.draw.text(self.at(x, y), label, fill=_WHITE, font=self.font, anchor="mm")

    def ball(self, x: float, y: float, height: float) -> None:
        """Draw the ball above its shadow; heights are in metres, some 50 to a half of the pitch."""
        self.disc(x, y, 0.8 * _BALL, fill="#0f1813")
        self.disc(x, y - height / 50, _BALL, fill=_WHITE)

    def picture(self) -> UInt8[np.ndarray, "height width 3"]:
        size = (self.image.width // _TWICE, self.image.height // _TWICE)
        return np.asarray(self.image.resize(size, Image.Resampling.LANCZOS))


def draw_football(
    names: Sequence[str], seen: Sequence[Mapping[str, Any]]
) -> UInt8[np.ndarray, "height width 3"]:
    """Return a moment of a game as its agents see it; players of agents have the agents' numbers.

    An agent on the right sees the game turned round, as if it played from left to right.
    """
    pitch = _Pitch()
    turn = -1 if names[0].startswith("right") else 1
    each = enumerate(zip(names, seen, strict=True))
    labels = {(int(name.startswith("right")), own["active"]): str(i) for i, (name, own) in each}
    own = seen[0]
    owner = (own["ball_owned_team"], own["ball_owned_player"])
    for relative, team in enumerate(("left_team", "right_team")):
        side = relative if turn == 1 else 1 - relative
        for k, place in enumerate(own[team]):
            label = labels.get((side, k), "")
            colour = (_SIDES if label else _OTHERS)[side]
            pitch.player(turn * np.asarray(place), colour, label, owner == (relative, k))
    x, y, height = map(float, own["ball"])
    pitch.ball(turn * x, turn * y, height)
    return pitch.picture()
