"""What is shown of a world that cannot be looked at: who did what, and what it was paid."""

import numpy as np
from jaxtyping import Float, Shaped

from ...core import Spec
from . import marks, theme
from .arena import SIDE, colours, outside
from .marks import stamp
from .theme import ARENA, MUTED, PLACES, TEXT, Number, Picture

COLUMNS, ROWS = 12, 24  # steps and agents seen at once
NAMES, HEAD, MARGIN = 190, 60, 36  # pixels


def choice(action: Shaped[np.ndarray, "*dims"]) -> str:
    """An action by its number; of a continuous one, the first two dimensions."""
    if not action.shape:
        return str(action)
    return "  ".join(f"{x:.1f}".replace("-", "−") for x in action[:2])


class Table:
    """Agents as rows, the last steps as columns; brighter is better paid."""

    smooth = False

    def __init__(
        self,
        spec: Spec,
        action: Shaped[np.ndarray, "steps agents *dims"],
        reward: Float[np.ndarray, "steps agents"],
    ):
        self.spec, self.action, self.colours = spec, action, colours(spec)
        self.columns, self.rows = min(COLUMNS, spec.horizon), min(ROWS, spec.agents)
        self.width = min(150.0, (SIDE - NAMES - 2 * MARGIN) / self.columns)
        self.height = min(110.0, (SIDE - HEAD - 2 * MARGIN) / self.rows)
        self.left = (SIDE - NAMES - self.columns * self.width) / 2 + NAMES
        self.top = (SIDE - HEAD - self.rows * self.height) / 2 + HEAD
        low, high = reward.min(initial=0.0), reward.max(initial=0.0)
        self.bright = (reward - low) / max(high - low, 1e-9)

    def draw(self, picture: Picture, time: Number) -> None:
        picture[:] = PLACES[ARENA]
        for i, name in enumerate(self.spec.names[: self.rows]):
            name, y = marks.fitted(name, 24, False, NAMES - 20), self.top + (i + 0.5) * self.height
            marks.write(picture, name, self.left - 20, y, 24, self.colours[i], ARENA, side=1)
        first = max(0, int(time) - self.columns)
        for column, step in enumerate(range(first, first + self.columns)):
            x = self.left + (column + 0.5) * self.width
            marks.write(picture, str(step + 1), x, self.top - 28, 20, MUTED, ARENA, side=0.5)
            for i in range(self.rows):
                self.draw_cell(picture, i, step, step < int(time), x)
        picture[outside()] = PLACES[theme.PAGE]

    def draw_cell(self, picture: Picture, i: int, step: int, done: bool, x: Number) -> None:
        y, box = self.top + (i + 0.5) * self.height, (self.width - 6, self.height - 6, 10.0)
        if not done:
            stamp(picture, marks.rounded(*box, MUTED, ARENA, 1 / theme.TOP), x, y)
            return
        said = choice(np.asarray(self.action[step, i]))
        strength = (3 + round(9 * float(self.bright[step, i]))) / theme.TOP
        size = int(min(30, 0.5 * self.height, 1.3 * self.width / max(len(said), 2)))
        if strength > 0.5:
            stamp(picture, marks.plate(*box, said, size, self.colours[i], ARENA, strength), x, y)
        else:
            stamp(picture, marks.rounded(*box, self.colours[i], ARENA, strength), x, y)
            marks.write(picture, said, x, y, size, TEXT, ARENA, bold=True, side=0.5)
