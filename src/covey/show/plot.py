"""Learning curves, of one run or of several, and tables of who plays whom."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..charts import ACCENT, INK, PALE_ACCENT, PALE_INK, line_style, pyplot, save_figure, set_title, step_axes
from ..runs.metrics import LearningCurve, curves
from ..statistics import interval, iqm
from ..text import signed

_NOTE = "IQM over seeds, 95 % interval"


def learning_curve(path: Path, rows: list[dict[str, Any]], key: str, title: str, label: str) -> bool:
    """Draw a run's `key` over steps: every seed thin, the mean bold, with its interval.

    Return False where there is nothing to draw.
    """
    steps, values = curves(rows, key)
    if not len(steps):
        return False
    seeds = values.shape[1]
    with step_axes(path, title, label) as axes:
        axes.plot(steps, values, color=PALE_ACCENT, linewidth=0.8, alpha=0.9, zorder=1)
        if seeds > 1:
            bands = np.array([interval(v, draws=2000, statistic=lambda x: x.mean(axis=-1)) for v in values])
            axes.fill_between(steps, *bands.T, color=ACCENT, alpha=0.22, linewidth=0, zorder=2)
        note = f"mean of {seeds} seeds, 95 % interval" if seeds > 1 else "one seed"
        axes.plot(steps, values.mean(axis=1), color=ACCENT, linewidth=2.2, zorder=3, label=note)
        axes.legend(frameon=False, loc="lower right", fontsize=9)
    return True


def overlay(path: Path, runs: Mapping[str, LearningCurve], title: str, label: str) -> bool:
    """Draw the curves of several runs, by name: interquartile means with 95 % intervals.

    Of one or two runs every seed is drawn as well. Return False where there is nothing to draw.
    """
    runs = {name: curve for name, curve in runs.items() if len(curve[0])}
    if not runs:
        return False
    many = len(runs) > 2
    with step_axes(path, title, label, extra_width=2.4 if many else 0.0) as axes:
        for i, (name, (steps, values)) in enumerate(runs.items()):
            style = line_style(i)
            if values.shape[1] > 1:
                bands = np.array([interval(v, draws=2000) for v in values])
                axes.fill_between(steps, *bands.T, color=style["color"], alpha=0.16, linewidth=0, zorder=2)
                if not many:
                    axes.plot(steps, values, color=style["color"], linewidth=0.6, alpha=0.35, zorder=1)
            width = 2.0 if i else 3.2  # the first stays visible where another covers it
            axes.plot(steps, iqm(values), linewidth=width, zorder=3, label=name, **style)
        beside = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)} if many else {"loc": "best"}
        axes.legend(frameon=False, fontsize=9, **beside)
        axes.text(1, 1.02, _NOTE, transform=axes.transAxes, ha="right", color=PALE_INK, fontsize=8)
    return True


def match_tables(
    path: Path, tables: Mapping[str, list[list[float]]], names: list[str], rows: str, columns: str
) -> None:
    """Draw square tables side by side, darker where a number is greater: who plays `rows` against whom."""
    n = len(names)
    inches = 1.6 + 0.95 * n
    figure, panels = pyplot().subplots(
        1, len(tables), figsize=(inches * len(tables) + 0.8, inches), dpi=160, squeeze=False
    )
    for axes, (title, table) in zip(panels[0], tables.items(), strict=True):
        _number_cells(axes, np.array(table))
        axes.set_xticks(range(n), names, rotation=30, ha="right")
        axes.set_yticks(range(n), names)
        axes.set_xlabel(f"plays {columns}", color=INK)
        axes.set_ylabel(f"plays {rows}", color=INK)
        set_title(axes, title)
        axes.spines[:].set_visible(False)
        axes.tick_params(colors=PALE_INK, labelsize=9, length=0)
    figure.tight_layout()
    save_figure(figure, path)


def _number_cells(axes: Any, x: np.ndarray) -> None:
    """Draw numbers on shades of blue."""
    low = x.min()
    high = max(x.max(), low + 1e-9)
    axes.imshow(x, cmap="Blues", vmin=low - 0.1 * (high - low), vmax=high)
    for (i, j), number in np.ndenumerate(x):
        ink = "white" if number > low + 0.6 * (high - low) else INK
        axes.text(j, i, signed(number), ha="center", va="center", color=ink, fontsize=9)


def best_so_far(path: Path, scores: Sequence[float], finished: Sequence[bool], title: str) -> None:
    """Draw the scores of trials in their order; those that were stopped early are hollow."""
    order = np.arange(1, len(scores) + 1)
    values = np.array(scores, float)
    ended = np.array(finished, bool)
    figure, axes = pyplot().subplots(figsize=(7.2, 4.2), dpi=160)
    if ended.any():
        best = np.maximum.accumulate(np.where(ended, values, -np.inf))
        known = np.isfinite(best)
        axes.step(order[known], best[known], where="post", color=ACCENT, linewidth=2.2, label="best so far")
    axes.scatter(order[ended], values[ended], s=26, color=PALE_ACCENT, zorder=3, label="trial")
    if not ended.all():
        hollow = {"facecolors": "none", "edgecolors": PALE_INK}
        axes.scatter(order[~ended], values[~ended], s=26, zorder=3, label="stopped early", **hollow)
    set_title(axes, title)
    axes.set_xlabel("trial", color=INK)
    axes.set_ylabel("greedy return, IQM over seeds", color=INK)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=PALE_INK, labelsize=9)
    axes.legend(frameon=False, fontsize=9)
    figure.tight_layout()
    save_figure(figure, path)
