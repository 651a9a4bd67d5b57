"""Results of a run: a greedy evaluation over seeds, and how the run ended."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Shaped

from .. import statistics
from ..core import Spec
from ..text import count, signed
from .folder import RunFolder
from .metrics import Numbers, convention

DrawCurve = Callable[[Path, list[dict[str, Any]], str, str, str], bool]  # False: there is nothing to draw

WriteReport = Callable[[RunFolder], str]


@dataclass(frozen=True)
class Evaluation:
    """Greedy returns over seeds, from `statistics.summarise_scores`; a seed's is the mean of its episodes.

    `run` and `environment` are named where a finished run is evaluated again.
    """

    convention: str
    episodes: int  # of each seed
    team: str  # the first that learns
    teams: dict[str, dict[str, Any]]  # by name, the statistics of its return
    agent_return: dict[str, float]  # by name, the mean
    length: float  # steps of an episode
    counts: dict[str, float] = field(default_factory=dict)
    win_rate: dict[str, Any] | None = None  # from `statistics.summarise_wins`, where the world counts `won`
    run: str | None = None
    environment: str | None = None
    at: int | str | None = None  # the checkpoint that played, where one was named

    @property
    def team_return(self) -> dict[str, Any]:
        return self.teams[self.team]

    @property
    def seeds(self) -> int:
        return len(self.team_return["per_seed"])

    def to_json(self) -> dict[str, Any]:
        """Return plain data, with the keys of summary.json, or of `covey eval --json`."""
        head = {"run": self.run, "environment": self.environment, "seeds": self.seeds} if self.run else {}
        head |= {} if self.at is None else {"at": self.at}
        content = head | {
            "convention": self.convention,
            "episodes": self.episodes,
            "team": self.team,
            "team_return": self.team_return,
            "teams": self.teams,
            "agent_return": self.agent_return,
            "length": self.length,
        }
        if self.counts:
            content["counts"] = self.counts
        if self.win_rate is not None:
            content["win_rate"] = self.win_rate
        return content

    def __str__(self) -> str:
        """Return the first team's return in words, with its convention."""
        at = "" if self.at is None else f", checkpoint {self.at}"
        head = f"{self.run} in {self.environment}{at}\n" if self.run else ""
        over = f"over {count(self.seeds, 'seed')} × {count(self.episodes, 'greedy episode')}"
        returns = statistics_text(self.team_return)
        wins = f"\n{wins_text(self.win_rate, self.episodes)}" if self.win_rate else ""
        return f"{head}{self.team} return: {returns}, {over} ({self.convention}){wins}"


def summarise(spec: Spec, results: Numbers, team: str) -> Evaluation:
    """Summarise greedy episodes `[seeds, episodes, ...]` over seeds."""
    by_seed: Shaped[np.ndarray, "seeds teams"] = results["teams"].mean(axis=1, dtype=np.float64)
    agents = results["agents"].mean(axis=(0, 1), dtype=np.float64)
    counts: Any = results["counts"]
    return Evaluation(
        convention=convention(spec),
        episodes=int(results["length"].shape[1]),
        team=team,
        teams={name: statistics.summarise_scores(by_seed[:, i]) for i, name in enumerate(spec.teams)},
        agent_return=dict(zip(spec.names, map(float, agents), strict=True)),
        length=float(results["length"].mean(dtype=np.float64)),
        counts={name: float(x.mean(dtype=np.float64)) for name, x in counts.items()},
        win_rate=statistics.summarise_wins(counts["won"] > 0) if "won" in counts else None,
    )


def statistics_text(numbers: dict[str, Any]) -> str:
    """Return in words what `statistics.summarise_scores` computed."""
    low, high = numbers["ci95"]
    interval = f"[{signed(low)}, {signed(high)}]"
    return f"IQM {signed(numbers['iqm'])}, 95 % interval {interval}, mean {signed(numbers['mean'])}"


def wins_text(numbers: dict[str, Any], episodes: int) -> str:
    """Return in words what `statistics.summarise_wins` computed: of one seed, the luck of its episodes."""
    percent = lambda share: f"{100 * share:.1f} %"
    bounds = lambda key: f"95 % interval [{', '.join(map(percent, numbers[key]))}]"
    seeds = len(numbers["per_seed"])
    if seeds == 1:
        return f"win rate: {percent(numbers['mean'])} of {count(episodes, 'episode')}, {bounds('wilson95')}"
    quartiles = " to ".join(map(percent, numbers["quartiles"]))
    median = f"median {percent(numbers['median'])} of {seeds} seeds (quartiles {quartiles})"
    return f"win rate: {median}, IQM {percent(numbers['iqm'])}, {bounds('ci95')}"


class CurveRequest(NamedTuple):
    """The key of a learning curve in the rows of metrics, and the words on its plot."""

    key: str
    title: str
    label: str


@dataclass(frozen=True)
class RunResult:
    """The end of a run. `close` draws its curve, writes its report and prints its last lines."""

    folder: RunFolder
    status: Literal["finished", "interrupted", "stopped"]  # by a signal, or by a callback
    curve: CurveRequest
    closing: tuple[str, ...]  # the last lines to print
    say: Callable[[str], None]

    def close(self, draw: DrawCurve, report: WriteReport | None = None) -> RunFolder:
        """Draw the learning curve and print the last lines; an interrupted run ends as KeyboardInterrupt.

        `report` writes the run's report and returns a line to print.
        """
        points = [row for row in self.folder.rows() if self.curve.key in row]  # of millions of rows, few
        if draw(self.folder.curve, points, *self.curve):
            self.say(f"curve: {self.folder.curve}")
        if report is not None:
            self.say(report(self.folder))
        for line in self.closing:
            self.say(line)
        if self.status == "interrupted":
            raise KeyboardInterrupt
        return self.folder
