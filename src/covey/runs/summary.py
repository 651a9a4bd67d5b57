"""The end of a run: its last evaluation over seeds, as a file, as a curve, and as a few lines to read."""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Shaped

from .. import statistics
from ..audit import table
from ..core import Spec
from ..text import count, memory_size, signed
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


def finish(training: "Training", status: str) -> None:
    """Evaluates if need be; writes summary.json and the curve; says how it went."""
    from ..show.plot import learning_curve

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
            "audit": audit,
        },
    )
    rows, key = list(folder.rows()), f"eval/return/{training.team}"
    label = f"greedy {training.team} return\n(sum over ≤ {training.spec.horizon} steps)"
    drawn = learning_curve(folder.curve, rows, key, f"{config.algorithm} on {config.environment}", label)
    say = training.progress.say
    say(lines(told, config.seeds))
    say(f"{mark.done:,} steps in {wall:.0f} s ({rate:,.0f} environment steps/s while training)")
    for line in table.lines(audit) if audit else ():
        say(line)
    if drawn:
        say(f"curve: {folder.curve}")
    if folder.last.exists():
        say(
            f"checkpoint: {memory_size(folder.last.stat().st_size)}, written in {training.save_seconds:.1f} s"
        )
    say(f"run: {folder.path}")
