"""The cost of the effect audit: its start, and its share of training, for QMIX and MAPPO on spread.

Tuned presets, with and without the audit in turns. The audit's seconds are counted inside the runs that have
it: whole runs of the same work differ by more than it costs.
"""

import shutil
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import covey
from covey.audit.audit import Audit

from .common import format_summary, parse_options, print_table, save_results, summary, time_in_turns

SECONDS: dict[str, float] = defaultdict(float)  # of the run under way
PHASES = {
    "__init__": "start",
    "begin": "training",
    "after_chunk": "training",
    "after_report": "training",
    "finish": "training",
}


def count_seconds(method: str, phase: str) -> None:
    """Replace a method of the audit by one whose seconds are counted."""
    original = getattr(Audit, method)

    def timed(*args: Any) -> Any:
        began = time.perf_counter()
        try:
            return original(*args)
        finally:
            SECONDS[phase] += time.perf_counter() - began

    setattr(Audit, method, timed)


def measure(algorithm: str, options: Any) -> dict[str, Any]:
    """Return the seconds at the start, the audit's share of training, and the ratio of whole runs."""
    seconds: dict[str, list[float]] = {"start": [], "training": []}
    walls: dict[bool, list[float]] = {True: [], False: []}

    def train(audit: bool) -> None:
        SECONDS.clear()
        out = Path(tempfile.mkdtemp()) / "run"
        run = covey.train(
            algorithm,
            "spread",
            preset="tuned",
            seeds=options.seeds,
            steps=options.steps,
            audit=audit,
            out=out,
        )
        walls[audit].append(run.summary["train"]["wall_seconds"])
        if audit:
            for phase, each in seconds.items():
                each.append(SECONDS[phase])
        shutil.rmtree(out.parent)

    time_in_turns({"with": lambda: train(True), "without": lambda: train(False)}, options.repetitions)
    shares = [a / b for a, b in zip(seconds["training"], walls[True], strict=True)]
    ratios = [a / b for a, b in zip(walls[True], walls[False], strict=True)]
    return {"start": summary(seconds["start"]), "share": summary(shares), "walls": summary(ratios)}


def main() -> None:
    more = {
        "--seeds": {"type": int, "default": 8},
        "--steps": {"type": int, "default": 300_000, "help": "of each seed (300,000)"},
    }
    options = parse_options(__doc__ or "", repetitions=3, **more)
    for method, phase in PHASES.items():
        count_seconds(method, phase)
    results = {name: measure(name, options) for name in ("qmix", "mappo")}
    print_table(
        [
            {
                "algorithm": name,
                "seconds at the start": format_summary(x["start"], ".2f"),
                "share of training": format_summary(x["share"], ".2%"),
                "wall with / without": format_summary(x["walls"], ".3f"),
            }
            for name, x in results.items()
        ]
    )
    save_results(options.json, results)


if __name__ == "__main__":
    main()
