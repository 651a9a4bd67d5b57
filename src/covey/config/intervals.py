"""The intervals between evaluations and between reports, where nobody chose them."""

from typing import Any


def with_intervals(run: dict[str, Any], steps: int, seeds: int) -> dict[str, Any]:
    """Return a run's fields with its intervals; `steps` and `seeds` are those of a run that names none."""
    steps = run.get("steps", steps)
    seeds = run.get("seeds", seeds)
    eval_every = max(1, steps // 20)
    report_every = max(1, min(steps // 40, 40_000 // max(1, seeds)))
    return {"eval_every": eval_every, "report_every": report_every} | run
