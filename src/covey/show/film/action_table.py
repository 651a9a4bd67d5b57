"""A table in place of an arena, for worlds that have no scene: who did what, and the rewards."""

import numpy as np
from jaxtyping import Float, Shaped

from ...core import Spec
from . import sprites, theme
from .arena import SIDE, field_corners
from .signs import agent_colours
from .sprites import stamp, write_text
from .theme import ARENA, MUTED, PLAIN, TEXT, Picture, Real

_MOST_COLUMNS = 12  # steps shown at once
_MOST_ROWS = 24  # agents
_NAMES = 190  # pixels left of the cells
_STEPS = 60  # pixels above the cells
_MARGIN = 36


def _action_text(action: Shaped[np.ndarray, "*dims"]) -> str:
    """Write an action's number; of a continuous action, the first two dimensions."""
    if not action.shape:
        return str(action)
    return "  ".join(f"{x:.1f}".replace("-", "−") for x in action[:2])


class ActionTable:
    """Agents as rows, the last steps as columns; a brighter cell had a greater reward."""

    smooth = False  # nothing moves between two moments

    def __init__(
        self,
        spec: Spec,
        action: Shaped[np.ndarray, "steps agents *dims"],
        reward: Float[np.ndarray, "steps agents"],
    ):
        self.spec = spec
        self.action = action
        self.colours = agent_colours(spec)
        self.columns = min(_MOST_COLUMNS, spec.horizon)
        self.rows = min(_MOST_ROWS, spec.agents)
        self.width = min(150.0, (SIDE - _NAMES - 2 * _MARGIN) / self.columns)
        self.height = min(110.0, (SIDE - _STEPS - 2 * _MARGIN) / self.rows)
        self.left = (SIDE - _NAMES - self.columns * self.width) / 2 + _NAMES
        self.top = (SIDE - _STEPS - self.rows * self.height) / 2 + _STEPS
        low = reward.min(initial=0.0)
        high = reward.max(initial=0.0)
        self.brightness = (reward - low) / max(high - low, 1e-9)

    def draw(self, picture: Picture, time: Real) -> None:
        picture[:] = PLAIN[ARENA]
        for i, name in enumerate(self.spec.names[: self.rows]):
            name = sprites.fit_text(name, 24, False, _NAMES - 20)
            y = self.top + (i + 0.5) * self.height
            write_text(picture, name, self.left - 20, y, 24, self.colours[i], ARENA, side=1)
        first = max(0, int(time) - self.columns)
        for column, step in enumerate(range(first, first + self.columns)):
            x = self.left + (column + 0.5) * self.width
            write_text(picture, str(step + 1), x, self.top - 28, 20, MUTED, ARENA, side=0.5)
            for i in range(self.rows):
                self._draw_cell(picture, i, step, step < int(time), x)
        picture[field_corners()] = PLAIN[theme.PAGE]

    def _draw_cell(self, picture: Picture, i: int, step: int, done: bool, x: Real) -> None:
        y = self.top + (i + 0.5) * self.height
        box = (self.width - 6, self.height - 6, 10.0)
        if not done:
            stamp(picture, sprites.rounded(*box, MUTED, ARENA, 1 / theme.RAMP_STEPS), x, y)
            return
        text = _action_text(np.asarray(self.action[step, i]))
        strength = (3 + round(9 * float(self.brightness[step, i]))) / theme.RAMP_STEPS
        size = int(min(30, 0.5 * self.height, 1.3 * self.width / max(len(text), 2)))
        colour = self.colours[i]
        if strength > 0.5:
            stamp(picture, sprites.plate(*box, text, size, colour, ARENA, strength), x, y)
        else:
            stamp(picture, sprites.rounded(*box, colour, ARENA, strength), x, y)
            write_text(picture, text, x, y, size, TEXT, ARENA, bold=True, side=0.5)
