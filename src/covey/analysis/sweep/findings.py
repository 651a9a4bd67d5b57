"""What a sweep found: a table, the best settings and their second run, the importance of each setting."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ... import yaml_text
from ...config.config import Config
from ...config.options import option
from ...config.space import SearchRange
from ...files import atomic
from ...runs.folder import RunFolder
from ...text import clock, count, signed, table
from .plan import Plan, Trial, TrialBook, read_plan

_BINS = 3  # of a range's values, for its importance
_SHOWN = 20  # rows of a table


def summary_of(folder: RunFolder) -> dict[str, Any]:
    """Return a run's summary; nothing while there is none."""
    return folder.read_json(folder.summary) if folder.summary.exists() else {}


def score_of(folder: RunFolder) -> float | None:
    """Return the interquartile mean of the seeds' greedy returns; None until the run has ended."""
    summary = summary_of(folder)
    return float(summary["eval"]["team_return"]["iqm"]) if "eval" in summary else None


def steps_of(folder: RunFolder) -> int:
    """Return the steps of each seed that a run's summary tells of."""
    return int(summary_of(folder).get("steps", 0))


@dataclass(frozen=True)
class TrialResult:
    """A trial and, once it has ended, its returns."""

    number: int
    name: str
    environment: str
    settings: dict[str, Any]
    run: str  # its folder
    status: str  # not begun, begun, finished, stopped early, failed
    steps: int = 0
    team_return: dict[str, Any] | None = None
    seconds: float | None = None
    error: str | None = None

    @property
    def score(self) -> float | None:
        return float(self.team_return["iqm"]) if self.team_return else None


@dataclass(frozen=True)
class Sweep:
    """All trials of a sweep."""

    path: str
    plan: Plan
    trials: tuple[TrialResult, ...]
    winners: dict[str, TrialResult]  # by environment, the best settings run again with fresh seeds
    importance: dict[str, dict[str, float]]  # by environment and setting

    def ranked(self, environment: str) -> list[TrialResult]:
        """Return the trials that came to their end, the best first."""
        ended = [t for t in self.trials if t.environment == environment and t.status == "finished"]
        return sorted(ended, key=lambda trial: -(trial.score or 0.0))

    def best(self, environment: str) -> TrialResult | None:
        ranked = self.ranked(environment)
        return ranked[0] if ranked else None

    @property
    def failure(self) -> str | None:
        """A sentence on the trials that failed; None if none did."""
        failed = [trial for trial in self.trials if trial.error]
        if not failed:
            return None
        return (
            f"{count(len(failed), 'trial')} of {len(self.trials)} failed, first {failed[0].name}: "
            f"{failed[0].error}; `covey sweep {self.path}` tries again"
        )

    def to_json(self) -> dict[str, Any]:
        best = {name: self.best(name) for name in self.plan.environments}
        return {
            "plan": asdict(self.plan),
            "trials": [asdict(trial) for trial in self.trials],
            "best": {name: trial and trial.number for name, trial in best.items()},
            "winners": {name: asdict(trial) for name, trial in self.winners.items()},
            "importance": self.importance,
        }

    def write(self) -> None:
        """Write sweep.json."""
        with atomic(Path(self.path) / "sweep.json", "sweep.json") as file:
            file.write(json.dumps(self.to_json(), indent=1).encode() + b"\n")

    def command(self, environment: str) -> str:
        """Return the command that trains the best settings."""
        best = self.best(environment)
        if best is None:
            return f"{environment}: no trial has come to its end yet"
        pairs = [f"{k}={yaml_text.inline(v)}" for k, v in best.settings.items() if k != "algorithm"]
        options = [_typed_option(name, value) for name, value in self.plan.options.items()]
        words = ["covey train", best.settings["algorithm"], environment, *pairs, *filter(None, options)]
        return " ".join(words)

    def write_presets(self) -> list[Path]:
        """Write each environment's best settings as a file for `covey train --config`."""
        paths = []
        for environment in self.plan.environments:
            best = self.best(environment)
            if best is None:
                continue
            config = Config.from_yaml(RunFolder(best.run).config)
            kept = ("algorithm", "environment", "steps", "envs", "learners", "env")
            tree = {name: getattr(config, name) for name in kept}
            name = environment.replace("/", "-").replace(":", "-")
            path = Path(self.path) / f"best_{name}.yaml"
            with atomic(path, path.name) as file:
                file.write(yaml_text.to_text(tree).encode())
            paths.append(path)
        return paths

    def __str__(self) -> str:
        parts = [self._text(environment) for environment in self.plan.environments]
        return "\n\n".join([*parts, f"all of it: {self.path}/sweep.json"])

    def _text(self, environment: str) -> str:
        """Return an environment's table, its winner, and the importance of its settings."""
        own = [trial for trial in self.trials if trial.environment == environment]
        ranked = self.ranked(environment)
        rest = [trial for trial in own if trial not in ranked]
        head = ["", "IQM", "95 % interval", "steps", "time"]
        lines = [f"{environment}: {len(ranked)} of {self.plan.planned} trials came to their end"]
        lines.append(table([head, *map(_row, (ranked + rest)[:_SHOWN])]))
        if len(own) > _SHOWN:
            lines.append(f"  … and {len(own) - _SHOWN} more")
        lines += self._winner_lines(environment)
        shares = self.importance.get(environment, {})
        if shares:
            told = ", ".join(f"{name} {100 * share:.0f} %" for name, share in shares.items())
            lines.append(f"share of the variance that each setting explains by itself: {told}")
        return "\n".join(lines)

    def _winner_lines(self, environment: str) -> list[str]:
        best = self.best(environment)
        winner = self.winners.get(environment)
        if best is None:
            return []
        lines = [f"best: {best.name}", f"  {self.command(environment)}"]
        if winner is not None and winner.team_return is not None:
            low, high = map(signed, winner.team_return["ci95"])
            seeds = count(len(winner.team_return["per_seed"]), "fresh seed")
            told = f"IQM {signed(winner.score or 0.0)}, 95 % interval [{low}, {high}]"
            lines.append(f"  again, with {seeds}: {told}; the search's own figure favours its choice")
        return lines


def _typed_option(name: str, value: Any) -> str:
    """Return an option as it is typed; nothing where it is what holds anyway."""
    typed = option(name)
    if isinstance(value, bool):
        return typed if value != typed.startswith("--no-") else ""
    return "" if value is None else f"{typed} {shlex.quote(str(value))}"


def _row(trial: TrialResult) -> list[str]:
    if trial.team_return is None or trial.error:
        return [trial.name, "failed" if trial.error else trial.status, "", "", ""]
    low, high = map(signed, trial.team_return["ci95"])
    steps = f"{trial.steps:,}" + (" (stopped)" if trial.status == "stopped early" else "")
    score = signed(trial.team_return["iqm"])
    return [trial.name, score, f"[{low}, {high}]", steps, clock(trial.seconds or 0.0)]


def collect(plan: Plan, root: Path, failures: Mapping[int, str]) -> Sweep:
    """Read what there is of a sweep."""
    book = TrialBook(root)
    results = [_result(plan, trial, root, failures.get(trial.number)) for trial in book.trials]
    winners = {}
    for environment in plan.environments:
        winner = book.winner(environment)
        if winner is not None:
            winners[environment] = results[winner.number]
    searched = tuple(results[trial.number] for trial in book.trials if not trial.is_winner)
    importance = {name: _importance(plan, searched, name) for name in plan.environments}
    return Sweep(str(root), plan, searched, winners, importance)


def read_sweep(root: Path) -> Sweep:
    """Read a sweep's folder."""
    return collect(read_plan(root), root, {})


def _result(plan: Plan, trial: Trial, root: Path, error: str | None) -> TrialResult:
    folder = trial.run_folder(root)
    summary = summary_of(folder)
    status = "begun" if folder.config.exists() else "not begun"
    if summary:
        whole = trial.config(plan).steps
        status = "finished" if summary["steps"] >= whole else "stopped early"
    return TrialResult(
        number=trial.number,
        name=trial.name,
        environment=trial.environment,
        settings=trial.settings,
        run=str(folder.path),
        status="failed" if error else status,
        steps=summary.get("steps", 0),
        team_return=summary["eval"]["team_return"] if summary else None,
        seconds=summary["train"]["wall_seconds"] if summary else None,
        error=error,
    )


def _importance(plan: Plan, trials: tuple[TrialResult, ...], environment: str) -> dict[str, float]:
    """Return the share of the scores' variance that each setting explains by itself, largest first.

    It is the variance between groups of trials with one value, or with values in one third of a range.
    """
    ended = [t for t in trials if t.environment == environment and t.score is not None]
    scores = np.array([trial.score for trial in ended], float)
    if len(ended) < 4 or scores.var() == 0:
        return {}
    shares = {}
    for key, axis in plan.space.items():
        if not isinstance(axis, SearchRange) and len(axis) < 2:
            continue
        groups = _groups([trial.settings[key] for trial in ended], isinstance(axis, SearchRange))
        means = np.array([scores[groups == group].mean() for group in groups])
        shares[key] = float(means.var() / scores.var())
    return dict(sorted(shares.items(), key=lambda pair: -pair[1]))


def _groups(values: list[Any], ordered: bool) -> np.ndarray:
    """Return each trial's group: its value, or the third of the range's values that it is in."""
    if ordered:
        ranks = np.argsort(np.argsort(np.array(values, float), kind="stable"))
        return ranks * _BINS // len(values)
    texts = [yaml_text.inline(value) for value in values]
    return np.array([texts.index(text) for text in texts])
