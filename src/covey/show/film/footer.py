"""The boxes below the arena: a followed agent's values, and metrics of the run's training."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from ...text import signed
from ..playback import Episode, Playback
from . import sprites
from .curve import ValueCurve
from .signs import agent_colours
from .sprites import write_text
from .theme import MUTED, PAGE, PLAIN, TEXT, Picture

FOOTER_HEIGHT = 170  # pixels
_CAPTION = 40  # pixels above a curve
_SPACE = 40  # pixels between two boxes
_MOST_BOXES = 4


class _Content(NamedTuple):
    """What a box shows; curves of training are drawn to their end at once."""

    name: str
    values: Float[np.ndarray, " known"]
    colour: str
    whole: bool


class CurveBox:
    """A curve with its name and newest value above it."""

    def __init__(self, content: _Content, width: int):
        self.name, self.values, self.colour, self.whole = content
        self.width = width
        moments = len(self.values) + (not self.whole)
        height = FOOTER_HEIGHT - _CAPTION
        self.curve = ValueCurve(self.values[:, None], (self.colour,), width, height, moments)

    def draw(self, picture: Picture, moment: int, left: int) -> None:
        last = len(self.values) - 1
        now = last if self.whole else min(moment, last)
        number = signed(self.values[now])
        room = self.width - sprites.font(25, True).getlength(number) - 16
        write_text(picture, sprites.fit_text(self.name, 22, False, room), left, 16, 22, MUTED)
        write_text(picture, number, left + self.width, 16, 25, self.colour, bold=True, side=1)
        self.curve.draw(picture, now, left, _CAPTION)


class Footer:
    """Boxes side by side over the whole width of a page."""

    def __init__(self, playback: Playback, episode: Episode, width: int):
        contents = _contents(playback, episode)[:_MOST_BOXES]
        self.room = (width + _SPACE) // len(contents)
        self.boxes = [CurveBox(content, self.room - _SPACE) for content in contents]

    def draw(self, picture: Picture, moment: int) -> None:
        picture[:] = PLAIN[PAGE]
        for i, box in enumerate(self.boxes):
            box.draw(picture, moment, i * self.room)


def _contents(playback: Playback, episode: Episode) -> list[_Content]:
    contents = [_Content(f"{name} in training", x, TEXT, True) for name, x in playback.training.items()]
    if playback.follow is not None:
        agent = playback.follow.agent
        colour = agent_colours(playback.spec)[agent]
        for name, column in playback.follow.columns.items():
            title = f"{name} of {playback.spec.names[agent]}"
            contents.append(_Content(title, episode.gauges[name][:, column], colour, False))
    return contents


def has_footer(playback: Playback) -> bool:
    """Return whether there is anything to show below the arena."""
    return bool(playback.training or (playback.follow and playback.follow.columns))
