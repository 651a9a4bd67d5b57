"""The metrics of a report: a row for each seed, as in metrics.jsonl."""

from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from ..core import Spec
from ..errors import UserError

Numbers = dict[str, Shaped[np.ndarray, "seeds ..."]]
LearningCurve = tuple[Float[np.ndarray, " t"], Float[np.ndarray, "t seeds"]]
_HUGE = 1e12  # a return whose square a float32 may not hold, once it is summed and scaled
_COLLECTING = ("returns", "episodes", "steps", "seen", "finite")  # all other metrics are of updates


def convention(spec: Spec) -> str:
    """Return what the returns printed beside it are."""
    return f"{spec.team_reward} summed over an episode of at most {spec.horizon} steps"


def _update_metrics(metrics: Numbers, seed: int) -> dict[str, float | None]:
    """Return the means over a chunk of the metrics of updates; None before the first update."""
    means = {}
    for name, value in metrics.items():
        if name not in _COLLECTING:
            known = value[seed][~np.isnan(value[seed])] if value.dtype.kind == "f" else value[seed]
            means[name] = float(known.mean(dtype=np.float64)) if known.size else None
    return means


def _training_returns(spec: Spec, metrics: Numbers, seed: int) -> dict[str, Any]:
    """Return the steps so far, and by team the mean return of the episodes that ended within the chunk."""
    ended = int(metrics["episodes"][seed].sum())
    returns = metrics["returns"][seed].sum(axis=0, dtype=np.float64) / max(ended, 1)
    means = {
        f"train/return/{team}": float(value) if ended else None
        for team, value in zip(spec.teams, returns, strict=True)
    }
    return {"step": int(metrics["steps"][seed, -1]), "episodes": ended} | means


def _evaluation_returns(spec: Spec, results: Numbers, seed: int) -> dict[str, float]:
    """Return the means over greedy episodes: by team, by agent, and of the world's counts."""
    mean = lambda x: x[seed].mean(axis=0, dtype=np.float64)
    teams = zip(spec.teams, mean(results["teams"]), strict=True)
    agents = zip(spec.names, mean(results["agents"]), strict=True)
    counts: Any = results["counts"]
    row = {f"eval/return/{team}": float(value) for team, value in teams}
    row |= {f"eval/agent_return/{name}": float(value) for name, value in agents}
    row |= {f"eval/{name}": float(mean(values)) for name, values in counts.items()}
    return row | {"eval/length": float(mean(results["length"]))}


def fingerprint(fingerprints: tuple[Any, ...], metrics: Numbers, seed: int) -> dict[str, Any]:
    """Return the bit-sums of every array of each learner, and of the last actions."""
    learners = ["".join(f"{leaf:08x}" for leaf in slot[seed]) for slot in fingerprints]
    return {"fingerprint": learners, "seen": f"{int(metrics['seen'][seed, -1]):08x}"}


def report_rows(
    spec: Spec,
    report: int,
    metrics: Numbers,
    fingerprints: tuple[Any, ...],
    results: Numbers | None,
    seconds: float,
    updates: int,
) -> list[dict[str, Any]]:
    """Return a row for each seed; `results` are those of an evaluation, if there was one.

    `updates` counts those of all learners so far.
    """
    rows = []
    for seed in range(len(metrics["steps"])):
        row: dict[str, Any] = {
            "report": report,
            "seed": seed,
            "seconds": round(seconds, 3),
            "updates": updates,
        }
        row |= _training_returns(spec, metrics, seed) | _update_metrics(metrics, seed)
        if results is not None:
            row |= _evaluation_returns(spec, results, seed)
        rows.append(row | fingerprint(fingerprints, metrics, seed))
    return rows


def check_numbers(metrics: Numbers, environment: str) -> None:
    """Stop at observations, rewards or losses that are not finite."""
    where = f"before step {int(metrics['steps'].max()):,}; what was saved before is intact"
    bad = ~metrics["finite"].all(axis=1)
    if bad.any():
        raise UserError(
            f"{environment} gave observations or rewards that are not finite (NaN or "
            f"infinite) in seed {int(np.argmax(bad))} {where}: mend the environment; "
            "`covey.testing.check_environment` helps to find it"
        )
    losses = {name: x for name, x in metrics.items() if name.endswith("loss")}
    for name, value in losses.items():
        # NaN stands for iterations before the first update; after it, NaN is wrong.
        only_warmup = np.isnan(value[:, :-1]).all(axis=1)
        wrong = np.isinf(value).any(axis=1) | (np.isnan(value[:, -1]) & ~only_warmup)
        if wrong.any():
            largest = float(np.nanmax(np.abs(metrics["returns"]), initial=0.0))
            remedy = "lower optimiser.lr, or optimiser.clip"
            if largest > _HUGE:
                remedy = f"returns reach {largest:.0e}, whose squares are beyond float32: scale rewards down"
            raise UserError(
                f"{name} became infinite or NaN in seed {int(np.argmax(wrong))} {where}: {remedy}"
            )


def curves(rows: list[dict[str, Any]], key: str, along: str = "step") -> LearningCurve:
    """Return steps (or seconds) and the values of every seed, from the rows of metrics that have `key`."""
    seeds: dict[int, dict[int, tuple[float, float]]] = {}
    for row in rows:
        if row.get(key) is not None:
            seeds.setdefault(row["seed"], {})[row["report"]] = (row[along], row[key])
    reports = sorted(set.intersection(*(set(points) for points in seeds.values()))) if seeds else []
    steps = np.array([np.mean([points[r][0] for points in seeds.values()]) for r in reports])
    values = np.array([[points[r][1] for points in seeds.values()] for r in reports])
    return steps, values.reshape(len(reports), len(seeds))
