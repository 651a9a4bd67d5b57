"""The end of a run: its last evaluation over seeds, as a file and as a few lines to read."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Shaped

from .. import statistics
from ..core import Spec
from ..text import count, memory_size, signed
from .folder import RunFolder
from .metrics import Numbers, convention

if TYPE_CHECKING:
    from .run import Training


def evaluation(spec: Spec, results: Numbers, team: str) -> dict[str, Any]:
    """Greedy returns over seeds: a seed's is the mean of its episodes."""
    by_seed: Shaped[np.ndarray, "seeds teams"] = results["teams"].mean(axis=1, dtype=np.float64)
    agents = results["agents"].mean(axis=(0, 1), dtype=np.float64)
    teams = {name: statistics.describe(by_seed[:, i]) for i, name in enumerate(spec.teams)}
    counts = {name: float(x.mean(dtype=np.float64)) for name, x in results["counts"].items()}  # pyright: ignore
    told = {
        "convention": convention(spec),
        "episodes": int(results["length"].shape[1]),
        "team": team,
        "team_return": teams[team],
        "teams": teams,
        "agent_return": dict(zip(spec.names, map(float, agents), strict=True)),
        "length": float(results["length"].mean(dtype=np.float64)),
    }
    return (
        told
        | ({"counts": counts} if counts else {})
        | ({"win_rate": counts["won"]} if "won" in counts else {})
    )


def lines(told: dict[str, Any], seeds: int) -> str:
    """One return in words, with its convention."""
    over = f"over {count(seeds, 'seed')} × {count(told['episodes'], 'greedy episode')}"
    return f"{told['team']} return: {statistic(told['team_return'])}, {over} ({told['convention']})"


def statistic(r: dict[str, Any]) -> str:
    """What `statistics.describe` gave, in words."""
    low, high = r["ci95"]
    return f"IQM {signed(r['iqm'])}, 95 % interval [{signed(low)}, {signed(high)}], mean {signed(r['mean'])}"


class CurveRequest(NamedTuple):
    """What a plot of the learning curve needs besides the rows of metrics."""

    key: str
    title: str
    label: str


DrawCurve = Callable[[Path, list[dict[str, Any]], str, str, str], bool]  # False: there is nothing to draw


@dataclass(frozen=True)
class RunResult:
    """How a run ended; whoever started it finishes it by `close`."""

    folder: RunFolder
    status: Literal["finished", "interrupted"]
    curve: CurveRequest
    closing: tuple[str, ...]  # the last lines to print
    say: Callable[[str], None]

    def close(self, draw: DrawCurve) -> RunFolder:
        """Draw the learning curve and print the last lines; an interrupted run ends as KeyboardInterrupt."""
        if draw(self.folder.curve, list(self.folder.rows()), *self.curve):
            self.say(f"curve: {self.folder.curve}")
        for line in self.closing:
            self.say(line)
        if self.status == "interrupted":
            raise KeyboardInterrupt
        return self.folder


def finish(training: "Training", status: Literal["finished", "interrupted"]) -> RunResult:
    """Evaluate if need be, write summary.json, and say how the run went."""
    engine, config, folder, mark = training.engine, training.config, training.folder, training.mark
    results = training.results if training.results is not None else engine.evaluate(training.states)
    told = evaluation(training.spec, results, training.team)
    wall = training.elapsed()
    rate = mark.done / mark.busy if mark.busy else 0.0
    audit = training.audit.finish(training.states) if training.audit else None
    folder.write_json(
        folder.summary,
        {
            "algorithm": config.algorithm,
            "environment": config.environment,
            "steps": training.steps(training.states),
            "seeds": config.seeds,
            "updates": engine.updates(mark.clock),
            "status": status,
            "eval": told,
            "train": {
                "env_steps_per_second": round(rate),
                "compile_seconds": round(training.compile_seconds, 2),
                "wall_seconds": round(wall, 2),
            },
            "audit": audit.to_json() if audit else None,
        },
    )
    say = training.progress.say
    say(lines(told, config.seeds))
    say(f"{mark.done:,} steps in {wall:.0f} s ({rate:,.0f} environment steps/s while training)")
    for line in audit.lines() if audit else ():
        say(line)
    label = f"greedy {training.team} return\n(sum over ≤ {training.spec.horizon} steps)"
    title = f"{config.algorithm} on {config.environment}"
    curve = CurveRequest(f"eval/return/{training.team}", title, label)
    return RunResult(folder, status, curve, tuple(closing_lines(training)), say)


def closing_lines(training: "Training") -> list[str]:
    """Return where the checkpoint and the run lie."""
    folder = training.folder
    lines = [f"run: {folder.path}"]
    if folder.last.exists():
        size = memory_size(folder.last.stat().st_size)
        lines.insert(0, f"checkpoint: {size}, written in {training.save_seconds:.1f} s")
    return lines
