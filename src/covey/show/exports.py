"""The curves and scores of runs in the formats of other tools: CSV, marl-eval's JSON, rliable's matrices."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..errors import UserError
from ..files import atomic
from .figures import read_scores
from .report.grouping import RunGroup, WorldRuns, group_runs
from .report.reading import find_folders, read_run
from .report.scores import score_tasks

ExportFormat = Literal["csv", "marl-eval", "rliable"]
_COLUMNS = ("environment", "group", "run", "seed", "metric", "step", "seconds", "updates", "value")


def export_data(paths: Sequence[str | Path], kind: ExportFormat, out: Path) -> Path:
    """Write the data of all runs at some paths."""
    if kind == "csv":
        content = csv_text(paths)
    else:
        tree = marl_eval_tree(paths) if kind == "marl-eval" else rliable_tree(paths)
        content = json.dumps(tree, indent=1, allow_nan=False) + "\n"
    with atomic(out, "the data") as file:
        file.write(content.encode())
    return out


def csv_text(paths: Sequence[str | Path]) -> str:
    """Return a row for each metric, report and seed. What a spreadsheet takes for a formula is quoted."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for world, group in _groups(paths):
        table = group.table
        runs = [run.path for run in group.runs for _ in range(run.seeds)]
        axis = lambda name, report, table=table: _blank(table.axes[name][report])
        for name, values in table.values.items():
            for report, place in np.argwhere(np.isfinite(values)):
                head = map(_plain_text, (world.name, group.label, runs[place]))
                where = [axis(along, report) for along in ("step", "seconds", "updates")]
                row = [*head, group.seeds[place], _plain_text(name), *where, float(values[report, place])]
                writer.writerow(row)
    return file.getvalue()


def _plain_text(text: str) -> str:
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _blank(x: Any) -> float | str:
    return float(x) if np.isfinite(x) else ""


def _groups(paths: Sequence[str | Path]) -> list[tuple[WorldRuns, RunGroup]]:
    worlds = group_runs([read_run(folder) for folder in find_folders(paths)[0]])
    return [(world, group) for world in worlds for group in world.groups]


def marl_eval_tree(paths: Sequence[str | Path]) -> dict[str, Any]:
    """Return evaluations as marl-eval reads them: environment, task, algorithm, seed, step, metrics.

    A metric is a list with one value, the mean over the evaluation's episodes. The absolute metrics are those
    of the last evaluation.
    """
    tree: dict[str, Any] = {}
    for world, group in _groups(paths):
        environment, _, task = world.name.partition("/")
        place = tree.setdefault(environment, {}).setdefault(task or environment, {})
        names = [name for name in group.table.names if name.startswith("eval/")]
        reports = sorted({int(i) for name in names for i in group.table.points(name)})
        seeds = place.setdefault(group.label, {})
        for k, seed in enumerate(group.seeds):
            steps: dict[str, Any] = {}
            for number, i in enumerate(reports):
                at = {axis: _blank(group.table.axes[axis][i]) for axis in ("step", "seconds")}
                metrics = {
                    name.removeprefix("eval/"): [float(group.table.values[name][i, k])] for name in names
                }
                known = {name: x for name, x in metrics.items() if np.isfinite(x[0])}
                moment = {"step_count": at["step"], "elapsed_time": at["seconds"]}
                steps[f"step_{number}"] = moment | known
            last = steps[f"step_{len(reports) - 1}"] if reports else {}
            absolute = {name: x for name, x in last.items() if isinstance(x, list)}
            seeds[f"seed_{seed}"] = steps | {"absolute_metrics": absolute}
    return tree


def rliable_tree(paths: Sequence[str | Path], points: int = 20) -> dict[str, Any]:
    """Return scores as rliable wants them, `[runs, tasks]` by algorithm; over time `[runs, tasks, frames]`.

    `normalised` are between each world's worst and best seed.
    """
    results = read_scores(paths)
    tasks = score_tasks(results, points, least=1)
    if not tasks:
        raise UserError("--rliable: no algorithm is in all of these worlds; export some of them alone")
    over_runs = lambda curve: np.moveaxis(curve, 0, -1).tolist()
    return {
        "tasks": [result.world.name for result in results],
        "metrics": [result.world.score for result in results],
        "frames": [i / points for i in range(1, points + 1)],
        "scores": {task.label: task.raw_table.tolist() for task in tasks},
        "normalised": {task.label: task.table.tolist() for task in tasks},
        "curves": {task.label: over_runs(task.raw_curve) for task in tasks},
        "normalised_curves": {task.label: over_runs(task.curve) for task in tasks},
    }
