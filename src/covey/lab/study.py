"""A game studied in the lab: its true values, each operator's tables, the ends of gradient descent."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import UserError
from ..text import shortest
from .choices import GameTable, Joint, chosen_joints, rate_choice
from .descent import DescentEnd
from .operators import Projection
from .picture import TablePanel, draw_panels

DESCRIPTIONS = {
    "vdn": "VDN, the nearest sum of the agents' own values",
    "qmix": "QMIX, the nearest monotone table",
    "cw": "CW-QMIX, the nearest where the best joint action counts 1, others α = {alpha:g}",
    "ow": "OW-QMIX, the nearest where falling short counts 1, exceeding α = {alpha:g}",
}
_LABELS = {"vdn": "VDN", "qmix": "QMIX", "cw": "CW-QMIX, α = {:g}", "ow": "OW-QMIX, α = {:g}"}
_MOST = 4  # minimisers, ends of gradient descent and joint actions that are shown
_MOST_ROWS = 6  # of panels in a picture
_MOST_ENTRIES = 100  # of a table in a picture
_SAME = 0.02  # the ends of gradient descent within this share of the largest payoff count as a minimiser


class StudiedState(NamedTuple):
    """A state of the game: its true values and, by operator, what was projected, and the results."""

    name: str  # "" where the game has only one
    truth: GameTable
    targets: dict[str, GameTable]
    projections: dict[str, Projection]
    descents: dict[str, list[DescentEnd]]


class Study(NamedTuple):
    """All results. `print(study)` prints them, `study.picture(path)` draws them."""

    title: str
    alpha: float
    gamma: float
    states: list[StudiedState]
    sweeps: dict[str, int]  # until nothing changed; empty where there is nothing to iterate

    def __str__(self) -> str:
        return "\n\n".join(_paragraphs(self))

    def picture(self, out: str | Path) -> Path:
        """Draw the study as a PNG, and return its path. Columns are operators."""
        check_picture_path(out)
        if not self.fits_picture():
            raise UserError(f"{self.title} is too large to be drawn: print it instead")
        title = self.title + (f", discount {self.gamma:g}" if self.sweeps else "")
        draw_panels(_panel_rows(self), title, Path(out))
        return Path(out)

    def fits_picture(self) -> bool:
        """Return whether the tables are few and small enough to be read in a picture."""
        height, width, *rest = self.states[0].truth.shape
        rows = int(np.prod(rest)) * len(_panel_rows(self))
        return len(rest) < 2 and height * width <= _MOST_ENTRIES and rows <= _MOST_ROWS


def check_picture_path(out: str | Path) -> None:
    """Raise unless the path ends in .png."""
    if Path(out).suffix.lower() != ".png":
        raise UserError(f"--out {out} has no ending that the lab can write: take .png")


def _panel_rows(study: Study) -> list[list[TablePanel]]:
    """Return the panels of the picture: exact tables above, ends of gradient descent below them.

    A game of several states has a row for each state. A single operator shows several minimisers.
    """
    rows = []
    for state in study.states:
        most = _MOST if len(state.projections) == 1 else 1
        exact = [
            _exact_panel(study, state, operator, i)
            for operator, projection in state.projections.items()
            for i in range(min(most, len(projection.tables)))
        ]
        rows.append([TablePanel(state.name or "truth", state.truth, state.truth, [], ""), *exact])
        if state.descents:
            rows.append([_descent_panel(study, state, operator) for operator in state.descents])
    return rows


def _exact_panel(study: Study, state: StudiedState, operator: str, i: int) -> TablePanel:
    projection = state.projections[operator]
    table = projection.tables[i]
    minimisers = len(projection.tables)
    which = f", {i + 1} of {minimisers}" if minimisers > 1 else ""
    kind = "exact" if projection.exact else "best found"
    note = f"{kind}{which}: error {round(projection.error, 2):g}"
    label = _LABELS[operator].format(study.alpha)
    return TablePanel(label, table, state.truth, chosen_joints(table), note)


def _descent_panel(study: Study, state: StudiedState, operator: str) -> TablePanel:
    ends = state.descents[operator]
    starts = sum(end.starts for end in ends)
    note = f"descent, {ends[0].starts} of {starts}: error {round(ends[0].error, 2):g}"
    label = _LABELS[operator].format(study.alpha)
    return TablePanel(label, ends[0].table, state.truth, [ends[0].chosen], note)


def _paragraphs(study: Study) -> Iterator[str]:
    """For each state, describe the truth, then operator by operator."""
    for state in study.states:
        truth = state.truth
        best = [tuple(map(int, joint)) for joint in np.argwhere(truth == truth.max())]
        where = f", {state.name} (discount {study.gamma:g})" if state.name else ""
        head = f"{study.title}{where}: best is {_joint_list(best)}, worth {_rounded(truth.max())}"
        yield f"{head}\n{_table_lines(truth, truth, [])}"
        for operator in state.projections:
            lines = [*_projection_lines(study, state, operator), *_descent_lines(state, operator)]
            yield "\n".join(lines)


def _projection_lines(study: Study, state: StudiedState, operator: str) -> Iterator[str]:
    projection = state.projections[operator]
    truth = state.truth
    tables = projection.tables
    known = "error" if projection.exact else "not all orders were tried: the best found has error"
    bound = "" if projection.exact else f", none has less than {projection.bound:.6g}"
    description = DESCRIPTIONS[operator].format(alpha=study.alpha)
    yield f"{description}: {known} {round(projection.error, 9):.6g}{bound}"
    if len(tables) > 1:
        right = sum(rate_choice(truth, chosen_joints(table)) == "right" for table in tables)
        rest = f"; the first {_MOST}" if len(tables) > _MOST else ""
        yield f"  {len(tables)} minimisers, {right} of them right{rest}"
    for table in tables[:_MOST]:
        joints = chosen_joints(table)
        yield _table_lines(table, truth, joints)
        yield f"  {_choice_sentence(truth, table, joints)}"
    if study.sweeps:
        sweeps = study.sweeps[operator]
        yield f"  after {sweeps} sweeps nothing changes" if sweeps else "  it never settles"


def _descent_lines(state: StudiedState, operator: str) -> Iterator[str]:
    """Describe where gradient descent ends; its table is left out where it is one of the minimisers."""
    minimisers = state.projections[operator].tables
    ends = state.descents.get(operator, [])
    starts = sum(end.starts for end in ends)
    for end in ends[:_MOST]:
        yield f"  gradient descent, {end.starts} of {starts} starts: error {end.error:.6g}"
        away = np.abs(minimisers - end.table).reshape(len(minimisers), -1).max(axis=1).min()
        if away > _SAME * np.abs(state.truth).max():
            yield _table_lines(end.table, state.truth, [end.chosen])
        yield f"  {_choice_sentence(state.truth, end.table, [end.chosen])}"


def _choice_sentence(truth: GameTable, table: GameTable, joints: list[Joint]) -> str:
    """Say what agents choose by a table, and what they get."""
    worth = " or ".join(map(_rounded, sorted({float(truth[joint]) for joint in joints})))
    value = _rounded(table[joints[0]])
    rating = rate_choice(truth, joints)
    return f"{rating}: agents choose {_joint_list(joints)}, valued {value}, worth {worth}"


def _rounded(x: float) -> str:
    """Write a number to two digits: what gradient descent leaves beyond them says nothing."""
    return shortest(round(float(x), 2))


def _joint_list(joints: list[Joint]) -> str:
    shown = " or ".join(f"({', '.join(map(str, joint))})" for joint in joints[:_MOST])
    return shown + (f" or {len(joints) - _MOST} more" if len(joints) > _MOST else "")


def _table_lines(table: GameTable, truth: GameTable, joints: list[Joint]) -> str:
    """Write a table in rows: the agents' choices in brackets, the best entries with a star.

    A third agent's choices stand below each other.
    """

    def entry(joint: Joint) -> str:
        number = _rounded(table[joint])
        star = "*" if truth[joint] == truth.max() else " "
        return (f"[{number}]" if joint in joints else f" {number} ") + star

    entries = {joint: entry(joint) for joint in np.ndindex(table.shape)}
    width = max(map(len, entries.values()))
    lines = []
    for rest in np.ndindex(table.shape[2:]):
        if rest:
            lines.append(f"  others play {', '.join(map(str, rest))}")
        for i in range(table.shape[0]):
            row = [entries[i, j, *rest].rjust(width) for j in range(table.shape[1])]
            lines.append("  " + " ".join(row))
    return "\n".join(lines)
