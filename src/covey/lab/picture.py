"""Tables side by side in a picture: best entries starred, the agents' choices framed."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..charts import BETTER, INK, PALE_INK, WORSE, draw_payoffs, frame_joint, pyplot, save_figure, star_best
from ..text import shortest
from .choices import GameTable, Joint, rate_choice

_RATING_COLOURS = {"right": BETTER, "a tie": PALE_INK, "wrong": WORSE}
_DOTS = 150  # an inch
# inches: left of all tables, between two, above all of them, above one, below one, below all of them
_LEFT = 0.75
_BETWEEN = 0.42
_TITLE = 0.5
_ABOVE = 0.5
_BELOW = 0.42
_LEGEND = 0.36


class TablePanel(NamedTuple):
    """A table under its name, with the joint actions that agents choose by it; the truth has none."""

    name: str
    table: GameTable
    truth: GameTable
    chosen: list[Joint]
    note: str


def draw_panels(rows: list[list[TablePanel]], title: str, out: Path) -> None:
    """Draw rows of tables of one shape. A third agent's choices stand below each other."""
    height, width, *rest = rows[0][0].truth.shape
    lines = [(panels, cut) for panels in rows for cut in np.ndindex(*rest)]
    columns = max(len(panels) for panels in rows)
    cell = 0.62 if max(height, width) > 4 else 0.72
    right = max(width * cell, 1.9) + _BETWEEN
    down = _ABOVE + height * cell + _BELOW
    size = _whole_dots(_LEFT + columns * right, _TITLE + len(lines) * down + _LEGEND)
    figure = pyplot().figure(figsize=tuple(size), dpi=_DOTS)
    figure.text(0.2 / size[0], 1 - 0.26 / size[1], title, va="center", color=INK, fontsize=11, weight="bold")
    legend = "★  best        □  what agents choose, each by its own best action"
    figure.text(0.2 / size[0], 0.2 / size[1], legend, va="center", color=PALE_INK, fontsize=8.5)
    largest = max(float(np.abs(panel.table).max()) for panels in rows for panel in panels) or 1.0
    for row, (panels, cut) in enumerate(lines):
        first = 1 if panels[0].chosen else 0  # the truth stands in the first column, alone
        for column, panel in enumerate(panels, first):
            left = _LEFT + column * right
            bottom = size[1] - _TITLE - row * down - _ABOVE - height * cell
            box = _whole_dots(left, bottom, width * cell, height * cell) / (*size, *size)
            axes = figure.add_axes(tuple(box), xticks=range(width), yticks=range(height))
            _draw_panel(axes, panel, cut, largest)
    save_figure(figure, out)


def _whole_dots(*inches: float) -> np.ndarray:
    """Round to whole dots, so that edges are sharp."""
    return np.round(np.array(inches) * _DOTS) / _DOTS


def _draw_panel(axes: Any, panel: TablePanel, cut: tuple[int, ...], largest: float) -> None:
    """Draw a panel's table for one choice of the third agent."""
    draw_payoffs(axes, np.round(panel.table[(..., *cut)], 2), largest)
    star_best(axes, panel.truth, cut)
    for joint in panel.chosen:
        if joint[2:] == cut:
            frame_joint(axes, joint)
    name = panel.name + (f", third agent plays {cut[0]}" if cut else "")
    above = 1 + 0.23 / (axes.get_position().height * axes.figure.get_figheight())
    axes.text(0, above, name, transform=axes.transAxes, va="bottom", color=INK, fontsize=9.5, weight="bold")
    axes.set_title(panel.note, fontsize=8.5, color=PALE_INK, loc="left", pad=5)
    if panel.chosen:
        payoffs = sorted({float(panel.truth[joint]) for joint in panel.chosen})
        worth = " or ".join(shortest(round(payoff, 2)) for payoff in payoffs)
        rating = rate_choice(panel.truth, panel.chosen)
        axes.set_xlabel(f"{rating}: worth {worth}", fontsize=9, color=_RATING_COLOURS[rating], loc="left")
