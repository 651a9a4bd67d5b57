"""The figures of a paper by one command: learning curves by world, or aggregates over worlds, as rliable."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .. import statistics
from ..charts import INK, PALE_INK, line_style, pyplot, save_figure
from ..errors import UserError
from .report.grouping import group_runs
from .report.reading import find_folders, read_run
from .report.scores import TaskScores, WorldScores, score_tasks, score_world

By = Literal["env", "all"]
_ENDINGS = (".pdf", ".png", ".svg")
_DRAWS = 2000
_PANEL = (3.4, 2.5)  # inches
_LEGEND = 0.35  # inches of a legend of one line
_LETTER = 0.066  # inches of its letters
_COLUMNS = 3
_THRESHOLDS = 101


def check_figure_path(out: Path) -> None:
    """Refuse a file that is no figure, before anything is read."""
    if out.suffix.lower() not in _ENDINGS:
        raise UserError(f"--out {out} has no ending that says what to write: take {', '.join(_ENDINGS)}")


def read_scores(paths: Sequence[str | Path]) -> list[WorldScores]:
    """Return the scores of all runs at some paths, world by world; refuse runs without an evaluation."""
    runs = [read_run(folder) for folder in find_folders(paths)[0]]
    results = [score_world(world) for world in group_runs(runs)]
    results = [result for result in results if result.scores]
    if not results:
        raise UserError("none of these runs has been evaluated yet: let them train until an evaluation")
    return results


def draw_figure(paths: Sequence[str | Path], out: Path, by: By | None = None) -> Path:
    """Draw a panel for each world, or aggregates over all; by default the latter where there are several."""
    results = read_scores(paths)
    tasks = score_tasks(results)
    if by == "all" and not tasks:
        raise UserError("--by all needs runs of two worlds or more, and an algorithm that is in all of them")
    if tasks and by != "env":
        _draw_aggregates(tasks, out)
    else:
        _draw_worlds(results, out)
    return out


def _panels(count: int) -> tuple[Any, list[Any]]:
    """Return a figure with so many axes."""
    columns = min(count, _COLUMNS)
    rows = -(-count // columns)
    size = (_PANEL[0] * columns, _PANEL[1] * rows + _LEGEND)
    figure, axes = pyplot().subplots(rows, columns, figsize=size, dpi=200, squeeze=False)
    for spare in axes.ravel()[count:]:
        spare.set_visible(False)
    return figure, list(axes.ravel()[:count])


def _finish(figure: Any, axes: list[Any], out: Path) -> None:
    """Add one legend below all panels, and write the figure."""
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=7.5, colors=PALE_INK)
        ax.grid(axis="y", color="#e3e8ec", linewidth=0.6)
    lines, labels = axes[0].get_legend_handles_labels()
    for ax in axes[1:]:
        for line, label in zip(*ax.get_legend_handles_labels(), strict=True):
            if label not in labels:
                lines.append(line)
                labels.append(label)
    legend = _add_legend(figure, lines, labels)
    height = max(_LEGEND, legend.get_window_extent().height / figure.dpi)  # inches
    figure.set_figheight(figure.get_figheight() + height - _LEGEND)
    figure.tight_layout(rect=(0, height / figure.get_figheight(), 1, 1))
    save_figure(figure, out)


def _add_legend(figure: Any, lines: list[Any], labels: list[str]) -> Any:
    """Add a legend in as many columns as the figure is wide; a label that is wider takes several lines."""
    labels = [textwrap.fill(label, int((figure.get_figwidth() - 0.4) / _LETTER)) for label in labels]
    for columns in range(min(len(labels), 4), 0, -1):
        legend = figure.legend(lines, labels, loc="lower center", ncol=columns, frameon=False, fontsize=8)
        if columns == 1 or legend.get_window_extent().width <= figure.bbox.width:
            return legend
        legend.remove()
    raise AssertionError("a figure has a line")


def _title(ax: Any, title: str, x: str, y: str) -> None:
    ax.set_title(title, fontsize=9, color=INK, loc="left")
    ax.set_xlabel(x, fontsize=8, color=INK)
    ax.set_ylabel(y, fontsize=8, color=INK)


def _draw_worlds(results: list[WorldScores], out: Path) -> None:
    """Draw each world's interquartile means with their intervals over steps."""
    from matplotlib.ticker import EngFormatter

    labels = list(dict.fromkeys(score.group.label for result in results for score in result.scores))
    figure, axes = _panels(len(results))
    for ax, result in zip(axes, results, strict=True):
        for score in result.scores:
            steps, values = score.group.table.curve(result.world.score)
            style = line_style(labels.index(score.group.label))
            if values.shape[1] > 1:
                bands = np.array([statistics.interval(v, draws=_DRAWS) for v in values])
                ax.fill_between(steps, *bands.T, color=style["color"], alpha=0.18, linewidth=0)
            ax.plot(steps, statistics.iqm(values), linewidth=1.4, label=score.group.label, **style)
        ax.xaxis.set_major_formatter(EngFormatter(sep=""))
        _title(ax, result.world.name, "environment steps", result.world.score_name)
    _finish(figure, axes, out)


def _draw_aggregates(tasks: list[TaskScores], out: Path) -> None:
    """Draw IQM and optimality gap with intervals, performance profiles, sample efficiency, improvement."""
    figure, axes = _panels(5)
    names = [task.label for task in tasks]
    rows = [float(i) for i in reversed(range(len(tasks)))]
    picks = [statistics.draw_resamples(np.random.default_rng(0), t.table.shape, _DRAWS) for t in tasks]
    for ax, statistic, title in (
        (axes[0], statistics.iqm_of_tasks, "IQM"),
        (axes[1], statistics.optimality_gap, "optimality gap"),
    ):
        for i, task in enumerate(tasks):
            low, high = statistics.bootstrap(statistic, (task.table,), (picks[i],))
            _interval_bar(ax, rows[i], float(statistic(task.table)), float(low), float(high), i)
        _title(ax, title, "normalised score", "")
        ax.set_yticks(rows, names)
    _profiles(axes[2], tasks, picks)
    _efficiency(axes[3], tasks, picks)
    for i, task in enumerate(tasks[1:], 1):
        beats = float(statistics.improvement(task.table, tasks[0].table))
        groups = (task.table, tasks[0].table)
        low, high = statistics.bootstrap(statistics.improvement, groups, (picks[i][:500], picks[0][:500]))
        _interval_bar(axes[4], rows[i], beats, float(low), float(high), i)
    axes[4].axvline(0.5, color=PALE_INK, linewidth=0.8)
    axes[4].set_yticks(rows[1:], names[1:])
    axes[4].set_xlim(0, 1)
    _title(axes[4], f"probability of improvement over {names[0]}", "P(better)", "")
    _finish(figure, axes, out)


def _interval_bar(ax: Any, row: float, middle: float, low: float, high: float, i: int) -> None:
    colour = line_style(i)["color"]
    ax.barh(row, high - low, left=low, height=0.55, color=colour, alpha=0.6)
    ax.plot([middle, middle], [row - 0.275, row + 0.275], color=INK, linewidth=1.4)


def _profiles(ax: Any, tasks: list[TaskScores], picks: list[Any]) -> None:
    thresholds = np.linspace(0, 1, _THRESHOLDS)
    for i, task in enumerate(tasks):
        shares = lambda x: statistics.profile(x, thresholds)
        low, high = statistics.bootstrap(shares, (task.table,), (picks[i][:500],))
        ax.fill_between(
            thresholds, low, high, color=line_style(i)["color"], alpha=0.15, linewidth=0, step="post"
        )
        ax.step(
            thresholds, shares(task.table), where="post", linewidth=1.4, label=task.label, **line_style(i)
        )
    _title(ax, "performance profiles", "normalised score τ", "share of runs above τ")


def _efficiency(ax: Any, tasks: list[TaskScores], picks: list[Any]) -> None:
    for i, task in enumerate(tasks):
        share = np.arange(1, len(task.curve) + 1) / len(task.curve)
        bands = [statistics.bootstrap(statistics.iqm_of_tasks, (x,), (picks[i][:500],)) for x in task.curve]
        low, high = np.array(bands, float).T
        ax.fill_between(share, low, high, color=line_style(i)["color"], alpha=0.15, linewidth=0)
        ax.plot(share, statistics.iqm_of_tasks(task.curve), linewidth=1.4, **line_style(i))
    _title(ax, "sample efficiency", "share of training", "IQM of normalised score")
