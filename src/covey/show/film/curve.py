"""Small curves: a value over an episode, drawn as far as the episode has gone."""

import numpy as np
from jaxtyping import Float, Int

from . import marks
from .marks import Alpha, stamp
from .theme import PAGE, PLACES, TRACK, Picture

PAD = 6  # pixels above and below


class Curve:
    """Lines of k values in a box as wide as an episode's moments, the last of which may have none."""

    def __init__(
        self,
        values: Float[np.ndarray, "known k"],
        colours: tuple[str, ...],
        width: int,
        height: int,
        moments: int,
    ):
        self.colours, self.width, self.height = colours, width, height
        values = values.astype(np.float64)
        known = values[np.isfinite(values)]
        low, high = (known.min(), known.max()) if known.size else (0.0, 0.0)
        low, high = (low - 1, high + 1) if high - low < 1e-9 else (low, high)
        self.y = PAD + (height - 1 - 2 * PAD) * (high - values) / (high - low)
        self.x = np.linspace(PAD, width - 1 - PAD, moments)[: len(values)]
        self.zero = PAD + (height - 1 - 2 * PAD) * high / (high - low) if low < 0 < high else None
        self.lines = [
            marks.mark(self.line(y), colour, PAGE) for y, colour in zip(self.y.T, colours, strict=True)
        ]

    def line(self, y: Float[np.ndarray, " moments"], thick: float = 4.0) -> Alpha:
        """How much of each pixel a line of this thickness covers; none where values are unknown."""
        away = np.full((self.height, self.width), np.inf)
        rows = np.arange(self.height)[:, None]
        for i in np.flatnonzero(np.isfinite(y[:-1]) & np.isfinite(y[1:])):
            start, end = (self.x[i], y[i]), (self.x[i + 1], y[i + 1])
            columns = np.arange(max(0, int(start[0] - thick)), min(self.width, int(end[0] + thick) + 1))
            near = away[:, columns[0] : columns[-1] + 1]
            np.minimum(near, from_segment(columns, rows, start, end), out=near)
        return marks.within(away - thick / 2)

    def draw(self, picture: Picture, moment: int, left: int, top: int) -> None:
        """As far as `moment`, with a dot where it is."""
        box = picture[top : top + self.height, left : left + self.width]
        if self.zero is not None:
            box[round(self.zero) : round(self.zero) + 2] = PLACES[TRACK]
        now = min(moment, len(self.x) - 1)
        end = round(self.x[now]) + 1
        for line, y, colour in zip(self.lines, self.y.T, self.colours, strict=True):
            np.copyto(box[:, PAD:end], line.ink[:, PAD:end], where=line.shown[:, PAD:end])
            if np.isfinite(y[now]):
                stamp(box, marks.disc(6.0, colour, PAGE), self.x[now], y[now])


def from_segment(
    x: Int[np.ndarray, " columns"],
    y: Int[np.ndarray, "rows 1"],
    start: tuple[float, float],
    end: tuple[float, float],
) -> Float[np.ndarray, "rows columns"]:
    """How far points are from the line between two."""
    (a, b), (c, d) = start, np.subtract(end, start)
    share = np.clip(((x - a) * c + (y - b) * d) / max(c * c + d * d, 1e-9), 0, 1)
    return np.hypot(x - a - share * c, y - b - share * d)
