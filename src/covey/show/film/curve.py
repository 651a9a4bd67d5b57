"""Small curves: values over an episode, drawn as far as the episode has gone."""

import numpy as np
from jaxtyping import Float, Int

from . import sprites
from .sprites import Alpha, stamp
from .theme import PAGE, PLAIN, TRACK, Picture

_PAD = 6  # pixels at every edge
_THICK = 4.0  # pixels of a line


class ValueCurve:
    """Lines of k values in a box whose width is an episode's moments; the last of these may have no value."""

    def __init__(
        self,
        values: Float[np.ndarray, "known k"],
        colours: tuple[str, ...],
        width: int,
        height: int,
        moments: int,
    ):
        self.colours = colours
        self.width = width
        self.height = height
        values = values.astype(np.float64)
        finite = values[np.isfinite(values)]
        low = finite.min() if finite.size else 0.0
        high = finite.max() if finite.size else 0.0
        if high - low < 1e-9:
            low = low - 1
            high = high + 1
        self.y = _PAD + (height - 1 - 2 * _PAD) * (high - values) / (high - low)
        self.x = np.linspace(_PAD, width - 1 - _PAD, moments)[: len(values)]
        self.zero = _PAD + (height - 1 - 2 * _PAD) * high / (high - low) if low < 0 < high else None
        self.lines = [
            sprites.make_sprite(self._line(y), colour, PAGE)
            for y, colour in zip(self.y.T, colours, strict=True)
        ]

    def _line(self, y: Float[np.ndarray, " moments"]) -> Alpha:
        """Return the share of each pixel that a line covers; it has gaps where values are not finite."""
        away = np.full((self.height, self.width), np.inf)
        rows = np.arange(self.height)[:, None]
        for i in np.flatnonzero(np.isfinite(y[:-1]) & np.isfinite(y[1:])):
            start = (self.x[i], y[i])
            end = (self.x[i + 1], y[i + 1])
            columns = np.arange(max(0, int(start[0] - _THICK)), min(self.width, int(end[0] + _THICK) + 1))
            near = away[:, columns[0] : columns[-1] + 1]
            np.minimum(near, _distance_to_segment(columns, rows, start, end), out=near)
        return sprites.coverage(away - _THICK / 2)

    def draw(self, picture: Picture, moment: int, left: int, top: int) -> None:
        """Draw the lines up to `moment`, and a dot there."""
        box = picture[top : top + self.height, left : left + self.width]
        if self.zero is not None:
            box[round(self.zero) : round(self.zero) + 2] = PLAIN[TRACK]
        now = min(moment, len(self.x) - 1)
        end = round(self.x[now]) + 1
        for line, y, colour in zip(self.lines, self.y.T, self.colours, strict=True):
            np.copyto(box[:, _PAD:end], line.ink[:, _PAD:end], where=line.shown[:, _PAD:end])
            if np.isfinite(y[now]):
                stamp(box, sprites.disc(6.0, colour, PAGE), self.x[now], y[now])


def _distance_to_segment(
    x: Int[np.ndarray, " columns"],
    y: Int[np.ndarray, "rows 1"],
    start: tuple[float, float],
    end: tuple[float, float],
) -> Float[np.ndarray, "rows columns"]:
    """Return the distance of points to the line between two others."""
    a, b = start
    c, d = np.subtract(end, start)
    share = np.clip(((x - a) * c + (y - b) * d) / max(c * c + d * d, 1e-9), 0, 1)
    return np.hypot(x - a - share * c, y - b - share * d)
