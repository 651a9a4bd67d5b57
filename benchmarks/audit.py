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
from covey.experiment import run
from covey.experiment.effect.audit import Audit

from .common import arguments, in_turn, keep, shown, summary, table

SPENT: dict[str, float] = defaultdict(float)


class Clocked(Audit):
    """The audit, its seconds counted."""

    def __init__(self, *args: Any):
        began = time.perf_counter()
        super().__init__(*args)
        SPENT["start"] += time.perf_counter() - began

    def clocked(self, name: str, *args: Any) -> Any:
        began = time.perf_counter()
        found = getattr(super(), name)(*args)
        SPENT["training"] += time.perf_counter() - began
        return found

    def begin(self, *args: Any) -> None:
        self.clocked("begin", *args)

    def look(self, *args: Any) -> None:
        self.clocked("look", *args)

    def finish(self, *args: Any) -> dict[str, Any]:
        return self.clocked("finish", *args)


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
    options = arguments(__doc__, repetitions=3, **more)
    run.Audit = Clocked
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
