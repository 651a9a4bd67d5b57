"""What the effect audit costs: its start, and its share of training, for QMIX and MAPPO on spread.

Tuned presets, with and without the audit in turns. The seconds that the audit itself takes are counted in
the runs that have it, since whole runs of the same work differ by more than it costs.
"""

import shutil
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import covey
from covey.audit.audit import Audit

from .common import arguments, in_turn, keep, shown, summary, table

SPENT: dict[str, float] = defaultdict(float)


def clocked(name: str, what: str) -> None:
    """Has a method of the audit's counted."""
    plain = getattr(Audit, name)

    def timed(*args: Any) -> Any:
        began = time.perf_counter()
        try:
            return plain(*args)
        finally:
            SPENT[what] += time.perf_counter() - began

    setattr(Audit, name, timed)


def measured(algorithm: str, options: Any) -> dict[str, Any]:
    spent: dict[str, list[float]] = {"start": [], "training": []}
    walls: dict[bool, list[float]] = {True: [], False: []}

    def one(audit: bool) -> None:
        SPENT.clear()
        out = Path(tempfile.mkdtemp()) / "run"
        told = covey.train(
            algorithm,
            "spread",
            preset="tuned",
            seeds=options.seeds,
            steps=options.steps,
            audit=audit,
            out=out,
        )
        walls[audit].append(told.summary["train"]["wall_seconds"])
        for name, seconds in spent.items() if audit else ():
            seconds.append(SPENT[name])
        shutil.rmtree(out.parent)

    in_turn({"with": lambda: one(True), "without": lambda: one(False)}, options.repetitions)
    share = [a / b for a, b in zip(spent["training"], walls[True], strict=True)]
    ratios = [a / b for a, b in zip(walls[True], walls[False], strict=True)]
    return {"start": summary(spent["start"]), "share": summary(share), "walls": summary(ratios)}


def main() -> None:
    more = {
        "--seeds": {"type": int, "default": 8},
        "--steps": {"type": int, "default": 300_000, "help": "of each seed (300,000)"},
    }
    options = arguments(__doc__ or "", repetitions=3, **more)
    for name, what in {
        "__init__": "start",
        "begin": "training",
        "after_chunk": "training",
        "finish": "training",
    }.items():
        clocked(name, what)
    found = {name: measured(name, options) for name in ("qmix", "mappo")}
    table(
        [
            {
                "algorithm": name,
                "seconds at the start": shown(x["start"], ".2f"),
                "share of training": shown(x["share"], ".2%"),
                "wall with / without": shown(x["walls"], ".3f"),
            }
            for name, x in found.items()
        ]
    )
    keep(options.json, found)


if __name__ == "__main__":
    main()
