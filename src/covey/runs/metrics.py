"""What is written down at each report: a row a seed in metrics.jsonl, the same in TensorBoard's files."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from ..core import Spec

Numbers = dict[str, Shaped[np.ndarray, "seeds ..."]]
APART = ("returns", "episodes", "steps", "seen", "finite")


def convention(spec: Spec) -> str:
    """What the returns printed beside it are."""
    return f"team reward summed over an episode of at most {spec.horizon} steps"


def learnt(metrics: Numbers, seed: int) -> dict[str, float | None]:
    """The means over a chunk of what updates reported; None before the first."""
    told = {}
    for name, value in metrics.items():
        if name not in APART:
            real = value[seed][~np.isnan(value[seed])] if value.dtype.kind == "f" else value[seed]
            told[name] = float(real.mean(dtype=np.float64)) if real.size else None
    return told


def lived(spec: Spec, metrics: Numbers, seed: int) -> dict[str, Any]:
    """Steps so far, and the episodes that ended within the chunk: by team, the mean of their returns."""
    ended = int(metrics["episodes"][seed].sum())
    returns = metrics["returns"][seed].sum(axis=0, dtype=np.float64) / max(ended, 1)
    means = {
        f"train/return/{team}": float(r) if ended else None
        for team, r in zip(spec.teams, returns, strict=True)
    }
    return {"step": int(metrics["steps"][seed, -1]), "episodes": ended} | means


def judged(spec: Spec, results: Numbers, seed: int) -> dict[str, float]:
    """The means over greedy episodes: by team, by agent, and of what the world tallies."""
    mean = lambda x: x[seed].mean(axis=0, dtype=np.float64)
    teams = zip(spec.teams, mean(results["teams"]), strict=True)
    agents = zip(spec.names, mean(results["agents"]), strict=True)
    row = {f"eval/return/{team}": float(r) for team, r in teams}
    row |= {f"eval/agent_return/{name}": float(r) for name, r in agents}
    row |= {f"eval/{name}": float(mean(count)) for name, count in results["counts"].items()}  # pyright: ignore
    return row | {"eval/length": float(mean(results["length"]))}


def fingerprint(prints: tuple[Any, ...], metrics: Numbers, seed: int) -> dict[str, Any]:
    """Bit-sums: of each learner's every array, and of the actions taken last."""
    learners = ["".join(f"{leaf:08x}" for leaf in slot[seed]) for slot in prints]
    return {"fingerprint": learners, "seen": f"{int(metrics['seen'][seed, -1]):08x}"}


def report_rows(
    spec: Spec,
    report: int,
    metrics: Numbers,
    prints: tuple[Any, ...],
    results: Numbers | None,
    seconds: float,
) -> list[dict[str, Any]]:
    """A row a seed."""
    rows = []
    for seed in range(len(metrics["steps"])):
        row: dict[str, Any] = {"report": report, "seed": seed, "seconds": round(seconds, 3)}
        row |= lived(spec, metrics, seed) | learnt(metrics, seed)
        row |= judged(spec, results, seed) if results is not None else {}
        rows.append(row | fingerprint(prints, metrics, seed))
    return rows


class Boards:
    """TensorBoard's files, one folder a seed. Rows after `purge` were written by a run that broke off."""

    def __init__(self, path: Path, seeds: int, purge: int | None):
        from tensorboardX import SummaryWriter

        self.writers = [
            SummaryWriter(str(path / f"seed_{seed}"), purge_step=purge, write_to_disk=True)
            for seed in range(seeds)
        ]

    def write(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            for name, value in row.items():
                if isinstance(value, int | float) and name not in ("report", "seed", "step"):
                    self.writers[row["seed"]].add_scalar(name, value, row["step"])

    def close(self) -> None:
        for writer in self.writers:
            writer.close()


Curve = tuple[Float[np.ndarray, " t"], Float[np.ndarray, "t seeds"]]


def curves(rows: list[dict[str, Any]], key: str, along: str = "step") -> Curve:
    """Steps (or seconds) and values of every seed, from rows of metrics that have `key`."""
    seeds: dict[int, dict[int, tuple[float, float]]] = {}
    for row in rows:
        if row.get(key) is not None:
            seeds.setdefault(row["seed"], {})[row["report"]] = (row[along], row[key])
    reports = sorted(set.intersection(*(set(s) for s in seeds.values()))) if seeds else []
    steps = np.array([np.mean([s[r][0] for s in seeds.values()]) for r in reports])
    values = np.array([[s[r][1] for s in seeds.values()] for r in reports])
    return steps, values.reshape(len(reports), len(seeds))
