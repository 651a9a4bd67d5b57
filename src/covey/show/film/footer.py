"""Below the arena: what a followed agent is worth to its critics, and the schedules of the run's training."""

import numpy as np
from jaxtyping import Float

from ...text import signed
from ..playback import Episode, Replay
from . import marks
from .arena import colours
from .curve import Curve
from .marks import write
from .theme import MUTED, PAGE, PLACES, TEXT, Picture

HEIGHT, HEAD, GAP = 170, 40, 40  # pixels
MOST = 4  # boxes side by side


class Box:
    """A curve with its name and newest value above it; one of training is drawn to its end at once."""

    def __init__(self, name: str, values: Float[np.ndarray, " known"], colour: str, width: int, whole: bool):
        self.name, self.values, self.colour, self.width, self.whole = name, values, colour, width, whole
        moments = len(values) + (not whole)
        self.curve = Curve(values[:, None], (colour,), width, HEIGHT - HEAD, moments)

    def draw(self, picture: Picture, moment: int, left: int) -> None:
        now = len(self.values) - 1 if self.whole else min(moment, len(self.values) - 1)
        number = signed(self.values[now])
        room = self.width - marks.font(25, True).getlength(number) - 16
        write(picture, marks.fitted(self.name, 22, False, room), left, 16, 22, MUTED)
        write(picture, number, left + self.width, 16, 25, self.colour, bold=True, side=1)
        self.curve.draw(picture, now, left, HEAD)


class Footer:
    """Boxes side by side over a page's whole width."""

    def __init__(self, replay: Replay, episode: Episode, width: int):
        told = [(f"{name} in training", x, TEXT, True) for name, x in replay.course.items()]
        if replay.follow is not None:
            who, colour = replay.spec.names[replay.follow.agent], colours(replay.spec)[replay.follow.agent]
            for name, column in replay.follow.columns.items():
                told.append((f"{name} of {who}", episode.gauges[name][:, column], colour, False))
        told = told[:MOST]
        self.room = (width + GAP) // len(told)
        self.boxes = [Box(name, x, colour, self.room - GAP, whole) for name, x, colour, whole in told]

    def draw(self, picture: Picture, moment: int) -> None:
        picture[:] = PLACES[PAGE]
        for i, box in enumerate(self.boxes):
            box.draw(picture, moment, i * self.room)


def has_any(replay: Replay) -> bool:
    return bool(replay.course or replay.follow)
