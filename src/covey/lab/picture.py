"""A study as a picture: the truth, and beside it each operator's table; what agents choose is framed."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import UserError
from ..files import atomic
from ..show.tables import BETTER, INK, PALE, WORSE, frame, heat, stars
from .reading import Joint, Table, chosen, verdict
from .study import SHOWN, State, Study, number

NAMES = {"vdn": "VDN", "qmix": "QMIX", "cw": "CW-QMIX, α = {:g}", "ow": "OW-QMIX, α = {:g}"}
ROWS, ENTRIES = 6, 100  # more cannot be read
COLOURS = {"right": BETTER, "a tie": PALE, "wrong": WORSE}
DOTS = 150  # an inch
LEFT, BETWEEN, HEAD, ABOVE, BELOW, FOOT = 0.75, 0.42, 0.5, 0.5, 0.42, 0.36  # inches


class Panel(NamedTuple):
    """A table under its name, with the joint actions that agents choose by it; none for the truth."""

    name: str
    table: Table
    truth: Table
    chosen: list[Joint]
    said: str


def check(out: str | Path) -> None:
    if Path(out).suffix.lower() != ".png":
        raise UserError(f"--out {out} has no ending that the lab can write: take .png")


def fits(study: Study) -> bool:
    """Whether its tables are few and small enough to be read."""
    height, width, *rest = study.states[0].truth.shape
    return len(rest) < 2 and height * width <= ENTRIES and int(np.prod(rest)) * len(rows(study)) <= ROWS


def rows(study: Study) -> list[list[Panel]]:
    """What was found exactly, and below it what gradient descent found; or a row for each state.

    A single operator shows several minimisers.
    """
    told = []
    for state in study.states:
        most = SHOWN if len(state.projections) == 1 else 1
        several = {op: range(min(most, len(one.tables))) for op, one in state.projections.items()}
        told.append([truth(state), *(exact(study, state, op, i) for op in several for i in several[op])])
        if state.descents:
            told.append([descended(study, state, operator) for operator in state.descents])
    return told


def truth(state: State) -> Panel:
    return Panel(state.name or "truth", state.truth, state.truth, [], "")


def exact(study: Study, state: State, operator: str, i: int) -> Panel:
    projection = state.projections[operator]
    table, count = projection.tables[i], len(projection.tables)
    many = f", {i + 1} of {count}" if count > 1 else ""
    kind = "exact" if projection.exact else "best found"
    said = f"{kind}{many}: error {round(projection.error, 2):g}"
    return Panel(NAMES[operator].format(study.alpha), table, state.truth, chosen(table), said)


def descended(study: Study, state: State, operator: str) -> Panel:
    end = state.descents[operator][0]
    starts = sum(one.starts for one in state.descents[operator])
    said = f"descent, {end.starts} of {starts}: error {round(end.error, 2):g}"
    return Panel(NAMES[operator].format(study.alpha), end.table, state.truth, [end.chosen], said)


def draw(study: Study, out: Path) -> None:
    """Columns are operators. A third agent's choices stand below each other."""
    import matplotlib

    check(out)
    if not fits(study):
        raise UserError(f"{study.title} is too large to be drawn: print it instead")
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    height, width, *rest = study.states[0].truth.shape
    lines = [(panels, cut) for panels in rows(study) for cut in np.ndindex(*rest)]
    columns = max(len(panels) for panels, _ in lines)
    cell = 0.62 if max(height, width) > 4 else 0.72
    right, down = max(width * cell, 1.9) + BETWEEN, ABOVE + height * cell + BELOW
    size = whole(LEFT + columns * right, HEAD + len(lines) * down + FOOT)
    figure = plt.figure(figsize=tuple(size), dpi=DOTS)
    title = study.title + (f", discount {study.gamma:g}" if study.sweeps else "")
    figure.text(0.2 / size[0], 1 - 0.26 / size[1], title, va="center", color=INK, fontsize=11, weight="bold")
    legend = "★  best        □  what agents choose, each by its own best action"
    figure.text(0.2 / size[0], 0.2 / size[1], legend, va="center", color=PALE, fontsize=8.5)
    most = max(float(np.abs(panel.table).max()) for panels, _ in lines for panel in panels) or 1.0
    for row, (panels, cut) in enumerate(lines):
        for column, panel in enumerate(panels, 0 if not panels[0].chosen else 1):  # truth stands first
            corner = LEFT + column * right, size[1] - HEAD - row * down - ABOVE - height * cell
            box = whole(*corner, width * cell, height * cell) / (*size, *size)
            axes = figure.add_axes(tuple(box), xticks=range(width), yticks=range(height))
            one(axes, panel, cut, most)
    with atomic(out, out.name) as file:
        figure.savefig(file, format="png")
    plt.close(figure)


def whole(*inches: float) -> np.ndarray:
    """In whole dots, so that edges are sharp."""
    return np.round(np.array(inches) * DOTS) / DOTS


def one(axes: Any, panel: Panel, cut: tuple[int, ...], most: float) -> None:
    """A panel's table for one choice of the third agent."""
    heat(axes, np.round(panel.table[(..., *cut)], 2), most)
    stars(axes, panel.truth, cut)
    for joint in panel.chosen:
        if joint[2:] == cut:
            frame(axes, joint)
    name = panel.name + (f", third agent plays {cut[0]}" if cut else "")
    axes.text(0, 1.0, name, transform=axes.transAxes, va="bottom", color=INK, fontsize=9.5, weight="bold")
    axes.texts[-1].set_position((0, 1 + 0.23 / (axes.get_position().height * axes.figure.get_figheight())))
    axes.set_title(panel.said, fontsize=8.5, color=PALE, loc="left", pad=5)
    if panel.chosen:
        pays = sorted({float(panel.truth[joint]) for joint in panel.chosen})
        kind = verdict(panel.truth, panel.chosen)
        axes.set_xlabel(
            f"{kind}: worth {' or '.join(map(number, pays))}", fontsize=9, color=COLOURS[kind], loc="left"
        )
