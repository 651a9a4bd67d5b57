"""Speed of XuanCe's QMIX on spread beside covey's: the same networks, batch and updates, in turns.

XuanCe needs an older pettingzoo, so it gets an environment of its own, benchmarks/.venvs/xuance,
made on the first run. It runs with one thread and with one per core; the faster counts.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np

from covey.runs.launch import cores

from ..common import (
    format_summary,
    parse_options,
    print_table,
    ratio,
    save_results,
    summary,
    time_in_turns,
)
from ..training import WORK, TrainingWork
from .worker import Worker

HERE = Path(__file__).parent
HOME = HERE.parent / ".venvs" / "xuance"
REQUIREMENTS = ("xuance==1.4.4", "pettingzoo[mpe]==1.25.0", "torch==2.13.0")


def install_xuance() -> Path:
    """Return the interpreter of XuanCe's environment, which the first call makes."""
    python = HOME / "bin" / "python"
    if not (HOME / "complete").exists():
        print(f"installing {', '.join(REQUIREMENTS)} into {HOME}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", HOME], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
        (HOME / "complete").touch()
    return python


def start_worker(threads: int) -> Worker:
    """Start a process in which XuanCe trains; it has answered when it is warm."""
    # -P: this file is not XuanCe
    worker = Worker([install_xuance(), "-P", HERE / "xuance_worker.py", str(threads)], limit=600.0)
    worker.answer()
    return worker


def main() -> None:
    options = parse_options(__doc__ or "", repetitions=5)
    workers = {f"XuanCe, {n} threads": start_worker(n) for n in sorted({1, cores()})}
    ours = TrainingWork(WORK["qmix"], seeds=1)
    rates: dict[str, list[float]] = {name: [] for name in ("covey", *workers)}
    updates: dict[str, float] = {"covey": 1 / ours.engine.iteration_steps}
    for _ in range(options.repetitions):
        rates["covey"].append(ours.steps / time_in_turns({"covey": ours}, 1)["covey"][0])
        for name, worker in workers.items():
            turn = worker.turn()
            rates[name].append(turn["steps"] / turn["seconds"])
            updates[name] = turn["updates"] / turn["steps"]
    for worker in workers.values():
        worker.stop()
    fastest = max(workers, key=lambda name: np.median(rates[name]))
    times = ratio(rates["covey"], rates[fastest])
    speedup = format_summary(times, ".1f")
    print(f"QMIX on spread, one seed, environment steps a second: covey is {speedup} times as fast")
    print_table(
        [
            {
                "who": name,
                "steps/s": format_summary(summary(turns)),
                "updates per 200 steps": f"{200 * updates[name]:.2f}",
            }
            for name, turns in rates.items()
        ]
    )
    save_results(
        options.json, {"rates": {name: summary(turns) for name, turns in rates.items()}, "ratio": times}
    )


if __name__ == "__main__":
    main()
