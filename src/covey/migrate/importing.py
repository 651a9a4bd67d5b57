"""Results of other libraries as run folders, so that old runs stand beside new ones."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .. import statistics, yaml_text
from ..config.imported import IMPORTED
from ..config.making import make_environment
from ..core import Spec
from ..errors import UserError
from ..files import atomic
from ..runs.folder import RunFolder
from ..runs.metrics import curves
from ..runs.results import CurveRequest, DrawCurve, statistics_text
from ..text import count, nearest
from .pymarl import pymarl_world
from .series import ForeignRun, SeriesPoint, find_results
from .xuance import xuance_world

_TEST = (
    "test_return_mean", "test_total_return_mean", "avg_return", "Test-Episode-Rewards/Mean-Score",
    "eval_average_episode_rewards",
)  # fmt: skip
_TRAIN = ("return_mean", "total_return_mean", "average_episode_rewards", "train_episode_rewards")
_WON = ("test_battle_won_mean", "eval_win_rate")
_LENGTH = ("test_ep_length_mean",)
_FREE = (
    "local_results_path",
    "checkpoint_path",
    "unique_token",
    "label",
    "log_dir",
    "model_dir",
    "result_dir",
)


class ImportChoices(NamedTuple):
    """What a user says of results that they do not tell themselves."""

    environment: str | None = None
    env: Mapping[str, Any] = {}
    algorithm: str | None = None
    metric: str | None = None
    divide: int = 1


class Imported(NamedTuple):
    """The run folders that an import has made, and what to know of them."""

    runs: tuple[Path, ...]
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self.lines)


class _World(NamedTuple):
    """A world by covey's name, its settings, and its first team, as far as covey can make it."""

    name: str
    env: dict[str, Any]
    team: str


def import_runs(root: Path, out: Path, choices: ImportChoices, draw: DrawCurve) -> Imported:
    """Make a run folder of each algorithm in each world, with all of its seeds below `root`."""
    groups: dict[str, list[ForeignRun]] = {}
    for run in find_results(root):
        groups.setdefault(_identity(run, choices), []).append(run)
    runs = []
    lines = []
    for group in groups.values():
        folder, line = _write(group, out, choices, draw)
        runs.append(folder.path)
        lines.append(line)
    return Imported(tuple(runs), tuple(lines))


def _identity(run: ForeignRun, choices: ImportChoices) -> str:
    """Return a text that is the same for runs that differ in their seeds alone."""
    kept = sorted((name, x) for name, x in run.settings.items() if name not in _FREE)
    return repr([run.library, choices.algorithm or run.algorithm, run.world, kept])


def _world(run: ForeignRun, choices: ImportChoices) -> _World:
    """Return the world in which a run was, by covey's name."""
    name = choices.environment or _told_world(run)
    try:
        env, tree = make_environment(name, choices.env)
    except UserError:
        is_package = ":" in name and not choices.env  # which may not be installed here
        if choices.environment and not is_package:
            raise
        return _World(name, {}, "team")
    spec: Spec = env.spec
    return _World(name, tree, spec.teams[0])


def _told_world(run: ForeignRun) -> str:
    kind, name = run.world
    if not name:
        raise UserError(f"{run.path} does not say in which world it was: name it with --env")
    if kind in ("sc2", "sc2_beta"):
        return f"smac:{name}"
    try:
        return (
            xuance_world(kind, name) if run.library in ("XuanCe", "TensorBoard") else pymarl_world(kind, name)
        )
    except UserError:
        return f"{kind}/{name}" if kind else name


def _write(
    group: list[ForeignRun], out: Path, choices: ImportChoices, draw: DrawCurve
) -> tuple[RunFolder, str]:
    """Write a group's folder; return it and a line on it."""
    first = group[0]
    world = _world(first, choices)
    algorithm = choices.algorithm or first.algorithm
    rows = [row for seed, run in enumerate(group) for row in _rows(run, seed, world.team, choices)]
    rows.sort(key=lambda row: (row["report"], row["seed"]))
    name = f"{algorithm}_{world.name}_{first.library}".replace("/", "-").replace(":", "-").lower()
    folder = RunFolder.new(_free_folder(out, name), name)
    config = {
        IMPORTED: first.library,
        "algorithm": f"{algorithm} ({first.library})",
        "environment": world.name,
        "seeds": len(group),
        "steps": max(row["step"] for row in rows),
        "env": world.env,
        "settings": dict(first.settings),
    }
    with atomic(folder.config, folder.config.name) as file:
        file.write(yaml_text.to_text(config).encode())
    folder.append(rows)
    told = {"library": first.library, "paths": [str(run.path) for run in group]}
    told |= {"seeds": [run.seed for run in group], "divided_by": choices.divide}
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    folder.write_json(folder.run, {"status": "imported", "time": now, "imported": told})
    folder.last.parent.rmdir()
    return folder, _summarise(folder, config, world.team, _convention(first, choices), draw)


def _free_folder(out: Path, name: str) -> Path:
    """Return a folder of this name, or with a number after it, that no run has."""
    numbered = (out / (f"{name}_{n}" if n > 1 else name) for n in range(1, 1000))
    return next(path for path in numbered if not (path / "config.yaml").exists())


def _convention(run: ForeignRun, choices: ImportChoices) -> str:
    divided = f", divided by {choices.divide}" if choices.divide > 1 else ""
    return f"{_test_name(run, choices)} of {run.library}{divided}"


def _test_name(run: ForeignRun, choices: ImportChoices) -> str:
    """Return the series that is the evaluation's return."""
    names = (choices.metric,) if choices.metric else _TEST
    found = next((name for name in names if run.series.get(name)), None)
    if found is None:
        there = ", ".join(sorted(run.series)) or "none"
        meant = nearest(choices.metric, run.series) if choices.metric else ""
        wanted = f"no series '{choices.metric}'{meant}" if choices.metric else "no return of an evaluation"
        raise UserError(f"{run.path} has {wanted}: choose one with --metric; there are {there}")
    return found


def _rows(run: ForeignRun, seed: int, team: str, choices: ImportChoices) -> list[dict[str, Any]]:
    """Return a row for each evaluation; what was recorded in between is averaged, as in covey's rows."""
    points = run.series[_test_name(run, choices)]
    columns = {f"train/return/{team}": _TRAIN, "eval/won": _WON, "eval/length": _LENGTH}
    others = {name: _first(run.series, names) for name, names in columns.items()}
    start = next((p.time for p in points if p.time is not None), None)
    rows = []
    before = -1
    for report, point in enumerate(points, 1):
        row: dict[str, Any] = {"report": report, "seed": seed, "step": point.step}
        if start is not None and point.time is not None:
            row["seconds"] = round(point.time - start, 3)
        row[f"eval/return/{team}"] = point.value / choices.divide
        for name, series in others.items():
            within = [p.value for p in series if before < p.step <= point.step]
            if within:
                scale = choices.divide if name.startswith("train/") else 1
                row[name] = sum(within) / len(within) / scale
        rows.append(row)
        before = point.step
    return rows


def _first(series: Mapping[str, list[SeriesPoint]], names: Sequence[str]) -> list[SeriesPoint]:
    return next((series[name] for name in names if name in series), [])


def _summarise(
    folder: RunFolder, config: Mapping[str, Any], team: str, convention: str, draw: DrawCurve
) -> str:
    """Write summary.json and the curve; return a line on what was imported."""
    rows = list(folder.rows())
    key = f"eval/return/{team}"
    steps, values = curves(rows, key)
    scores = statistics.summarise_scores(values[-1])
    evaluation = {"convention": convention, "team": team, "team_return": scores, "teams": {team: scores}}
    facts = {name: config[name] for name in ("algorithm", "environment", "seeds")}
    content = facts | {"steps": int(steps[-1]), "status": "imported", "eval": evaluation}
    folder.write_json(folder.summary, content)
    title = f"{config['algorithm']} on {config['environment']}"
    draw(folder.curve, rows, *CurveRequest(key, title, convention))
    seeds = count(config["seeds"], "seed")
    end = f"{statistics_text(scores)}, at step {steps[-1]:,.0f} ({convention})"
    return f"{folder.path}: {title}, {seeds}, {count(len(steps), 'evaluation')}: {end}"
