"""Run folders as a report reads them: whatever a file holds, reading executes nothing and ends well."""

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float, Int

from ... import yaml_text
from ...analysis.compare.differences import every_setting
from ...config import settings
from ...config.config import Config
from ...config.imported import read_imported
from ...errors import UserError
from ...runs.folder import RunFolder
from ...runs.metrics import LearningCurve

_T = TypeVar("_T")
_AXES = ("step", "seconds", "updates")
_BESIDES = ("report", "seed", *_AXES)  # columns of metrics.jsonl that are no metrics
_MOST_SEEDS = 10_000
CROSSPLAY = "crossplay.json"


@dataclass(frozen=True)
class MetricsTable:
    """The metrics of some seeds, report by report; NaN where there is none."""

    axes: dict[str, Float[np.ndarray, " reports"]]  # means over seeds; NaN where unknown
    values: dict[str, Float[np.ndarray, "reports seeds"]]

    @property
    def names(self) -> list[str]:
        return list(self.values)

    def points(self, name: str) -> Int[np.ndarray, " points"]:
        """Return the reports at which every seed has a value."""
        if name not in self.values:
            return np.zeros(0, int)
        return np.flatnonzero(np.isfinite(self.values[name]).all(axis=1))

    def curve(self, name: str, along: str = "step") -> LearningCurve:
        """Return where a metric is known, and each seed's values there."""
        points = self.points(name)
        points = points[np.isfinite(self.axes[along][points])]
        values = self.values.get(name, np.zeros((0, 0)))
        return self.axes[along][points], values[points]


@dataclass(frozen=True)
class RecordedRun:
    """A run's files, as plain data."""

    path: str
    name: str
    algorithm: str
    environment: str
    settings: dict[str, Any]
    first_seed: int
    table: MetricsTable
    fingerprint: str  # of all weights and actions that it went through; "" if it reported none
    summary: dict[str, Any] = field(repr=False)
    provenance: dict[str, Any] = field(repr=False)

    @property
    def seeds(self) -> int:
        return next((x.shape[1] for x in self.table.values.values()), 0)

    @property
    def status(self) -> str:
        return dig(self.provenance, str, "status") or "unknown"

    @property
    def team(self) -> str:
        """The first team that learns, or the first of which there is a return."""
        told = dig(self.summary, str, "eval", "team")
        prefix = "eval/return/"
        teams = [name.removeprefix(prefix) for name in self.table.names if name.startswith(prefix)]
        return told if told in teams else next(iter(teams), told or "team")


def dig(tree: Any, kind: type[_T], *path: str) -> _T | None:
    """Return what lies at a path of nested mappings, if it is there and of that kind."""
    for name in path:
        tree = tree.get(name) if isinstance(tree, dict) else None
    right = isinstance(tree, kind) and not (isinstance(tree, bool) and kind is not bool)
    return tree if right else None


def finite(x: Any) -> float | None:
    """Return a number as a float, None if it is none or not finite."""
    if isinstance(x, bool) or not isinstance(x, int | float):
        return None
    try:
        value = float(x)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None


def find_folders(paths: Sequence[str | Path]) -> tuple[list[RunFolder], list[Path]]:
    """Return the runs at or below some paths, and the files of crossplays.

    A folder that is no run stands for all runs in it: those of an ablation, or all below `runs/`.
    """
    runs: dict[Path, RunFolder] = {}
    tables: dict[Path, None] = {}
    for path in map(Path, paths):
        if (path / CROSSPLAY).is_file():
            tables[path / CROSSPLAY] = None
        inside = [path] if (path / "config.yaml").is_file() else _runs_below(path)
        if not inside and not (path / CROSSPLAY).is_file():
            raise UserError(
                f"there is no run at {path}, nor below it: give the folder that `covey train` printed"
            )
        for folder in inside:
            runs.setdefault(folder.resolve(), RunFolder(folder))
    return list(runs.values()), list(tables)


def _runs_below(path: Path) -> list[Path]:
    found = [file.parent for pattern in ("*", "*/*") for file in path.glob(f"{pattern}/config.yaml")]
    return sorted(found)


def read_run(folder: RunFolder) -> RecordedRun:
    """Read a run's files."""
    summary = folder.read_json(folder.summary)
    provenance = folder.read_json(folder.run)
    known, first_seed = _read_settings(folder)
    table, fingerprint = read_metrics(folder)
    text = lambda x, otherwise: x if isinstance(x, str) else otherwise
    return RecordedRun(
        path=str(folder.path),
        name=folder.path.resolve().name,
        algorithm=text(known.pop("algorithm", None), dig(summary, str, "algorithm") or "unknown"),
        environment=text(known.pop("environment", None), dig(summary, str, "environment") or "unknown"),
        settings=known,
        first_seed=first_seed,
        table=table,
        fingerprint=fingerprint,
        summary=summary,
        provenance=provenance,
    )


def _read_settings(folder: RunFolder) -> tuple[dict[str, Any], int]:
    """Return all settings by the names that users type, and the first seed, as far as they are readable."""
    try:
        config = Config.from_yaml(folder.config)
        return {"algorithm": config.algorithm} | every_setting(config), config.seed
    except (UserError, OSError, KeyError, TypeError, AttributeError, ValueError):
        pass
    try:
        tree = yaml_text.read_file(folder.config)
        imported = read_imported(folder.path)
    except (UserError, OSError, ValueError):
        return {}, 0
    if imported is not None:
        head = {"algorithm": imported.algorithm, "environment": imported.environment}
        world = {f"env.{name}": value for name, value in imported.env.items()}
        return head | settings.flatten(world) | dict(imported.settings), 0
    flat = settings.flatten(tree) if isinstance(tree, dict) else {}
    return {str(name): value for name, value in flat.items()}, 0


def _rows(folder: RunFolder) -> Iterator[dict[str, Any]]:
    """Yield the rows of metrics up to the first damaged one."""
    try:
        for row in folder.rows():
            report = dig(row, int, "report")
            seed = dig(row, int, "seed")
            if report is not None and seed is not None and 0 <= seed < _MOST_SEEDS:
                yield row
    except UserError:
        return


def read_metrics(folder: RunFolder) -> tuple[MetricsTable, str]:
    """Return a run's metrics, and a digest of its fingerprints."""
    digest = hashlib.sha256()
    rows: dict[tuple[int, int], dict[str, float]] = {}
    for row in _rows(folder):
        numbers = {str(key): finite(value) for key, value in row.items()}
        rows[row["report"], row["seed"]] = {key: x for key, x in numbers.items() if x is not None}
        bits = [row["report"], row["seed"], row.get("fingerprint"), row.get("seen")]
        digest.update(json.dumps(bits, default=str).encode("utf-8", "replace"))
    reports = {report: i for i, report in enumerate(sorted({report for report, _ in rows}))}
    seeds = {seed: i for i, seed in enumerate(sorted({seed for _, seed in rows}))}
    shape = (len(reports), len(seeds))
    names = dict.fromkeys(name for row in rows.values() for name in row if name not in ("report", "seed"))
    columns = {name: np.full(shape, np.nan) for name in names}
    for (report, seed), row in rows.items():
        for name, value in row.items():
            if name in columns:
                columns[name][reports[report], seeds[seed]] = value
    axes = {name: _mean_known(columns.get(name, np.full(shape, np.nan))) for name in _AXES}
    values = {name: x for name, x in columns.items() if name not in _BESIDES}
    return MetricsTable(axes, values), digest.hexdigest() if rows else ""


def _mean_known(x: Float[np.ndarray, "reports seeds"]) -> Float[np.ndarray, " reports"]:
    """Return the means over the seeds that have a value; NaN where none has."""
    known = np.isfinite(x)
    total = np.where(known, x, 0.0).sum(axis=1)
    return np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)


def read_crossplay(file: Path) -> dict[str, Any]:
    """Return the tables of a crossplay by title, and the names of its runs; nothing where it is damaged."""
    content = RunFolder(file.parent).read_json(file)
    runs = dig(content, list, "runs") or []
    names = [Path(str(run)).name for run in runs]
    side = str(content.get("side", ""))
    found = {f"{side} return": dig(content, list, "team_return")}
    found |= {f"{name} an episode": x for name, x in (dig(content, dict, "counts") or {}).items()}
    tables = {}
    for title, rows in found.items():
        rows = rows if isinstance(rows, list) else []
        square = [row for row in rows if isinstance(row, list) and len(row) == len(names)]
        if names and len(square) == len(rows) == len(names):
            tables[str(title)] = [[finite(x) for x in row] for row in square]
    against = str(content.get("against", ""))
    return {"names": names, "side": side, "against": against, "tables": tables}
