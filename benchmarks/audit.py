"""The cost of the effect audit: seconds before training, and its share of training.

    python -m benchmarks.audit            # both
    python -m benchmarks.audit --start    # seconds before training alone

Before training: settings as shipped, one that is idle, a small file of a user's own, and a user's copy of
`hyper_mappo.py`, as it is and with a setting that nobody reads. Each is audited twice; the second counts,
because JAX needs a second for the first program of a process.

Training: QMIX and MAPPO on spread, tuned, with and without the audit in turns. The audit's seconds are
counted inside the runs that have it: whole runs of the same work differ by more than it costs.
"""

import shutil
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import covey
from covey.audit.audit import Audit
from covey.audit.static import examine
from covey.config.config import Config
from covey.errors import UserError
from covey.runs.engine import Engine

from .common import format_summary, parse_options, print_table, save_results, summary, time_in_turns

ROOT = Path(__file__).parents[1]
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


def audit_seconds(algorithm: str, settings: list[str], world: str = "spread") -> tuple[float, str]:
    """Return the seconds that an audit takes before training, and the sentence if it refuses the run."""
    config = Config.parse(algorithm, world, settings, {"seeds": 1})
    trainer = Engine(config).trainer
    began = time.perf_counter()
    try:
        examine(config, trainer)
        said = ""
    except UserError as error:
        said = str(error)
    return time.perf_counter() - began, said


def start_rows() -> list[dict[str, Any]]:
    """Return what the audit takes before training."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / "own.py"
        text = (ROOT / "src/covey/algorithms/hyper_mappo.py").read_text()
        text = text.replace("from .. import", "from covey import").replace("from ..", "from covey.")
        text = text.replace("from . import", "from covey.algorithms import")
        own.write_text(text.replace("from .", "from covey.algorithms."))
        unread = Path(folder) / "unread.py"
        field = "    zero_mean: bool = False"
        unread.write_text(own.read_text().replace(field, f"    clip_reward: float = 10.0\n{field}", 1))
        small = ROOT / "tests/audit/planted.py"
        cases = {
            "qmix as shipped": ("qmix", [], "spread"),
            "mappo as shipped": ("mappo", [], "spread"),
            "hyper_mappo as shipped": ("hyper_mappo", [], "spread"),
            "hyper_mappo, one idle setting": ("hyper_mappo", ["target_kl=0.02"], "spread"),
            "a small file": (f"{small}:Sound", [], "two_step"),
            "a small file, a setting without effect": (f"{small}:ReadButUnused", [], "two_step"),
            "a copy of hyper_mappo.py": (f"{own}:HyperMAPPO", [], "spread"),
            "such a copy, an unread setting": (f"{unread}:HyperMAPPO", [], "spread"),
        }
        for name, (algorithm, settings, world) in cases.items():
            audit_seconds(algorithm, settings, world)
            seconds, said = audit_seconds(algorithm, settings, world)
            rows.append({"before training": name, "seconds": f"{seconds:.1f}", "refused": said.split(":")[0]})
    return rows


def main() -> None:
    more = {
        "--start": {"action": "store_true", "help": "only the seconds before training"},
        "--seeds": {"type": int, "default": 8},
        "--steps": {"type": int, "default": 300_000, "help": "of each seed (300,000)"},
    }
    options = parse_options(__doc__ or "", repetitions=3, **more)
    before = start_rows()
    print_table(before)
    if options.start:
        save_results(options.json, {"before training": before})
        return
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
    save_results(options.json, {"before training": before} | results)


if __name__ == "__main__":
    main()
