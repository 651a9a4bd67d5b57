"""XuanCe's QMIX on spread beside covey's: the same networks, batch and updates, in turns.

XuanCe needs an older pettingzoo, so it lives in an environment of its own, benchmarks/.venvs/xuance,
made on the first run. It gets as many threads as suit it: one, or all cores, whichever is faster.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from covey.runs.launch import cores

from ..common import arguments, in_turn, keep, ratio, shown, summary, table
from ..training import WORK, Trained

HERE = Path(__file__).parent
HOME = HERE.parent / ".venvs" / "xuance"
NEEDS = ("xuance==1.4.4", "pettingzoo[mpe]==1.25.0", "torch==2.13.0")


def home() -> Path:
    """The interpreter of XuanCe's environment."""
    python = HOME / "bin" / "python"
    if not (HOME / "complete").exists():
        print(f"installing {', '.join(NEEDS)} into {HOME}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", HOME], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *NEEDS], check=True)
        (HOME / "complete").touch()
    return python


class Worker:
    """XuanCe at work in a process of its own, which waits for each turn."""

    def __init__(self, threads: int):
        command = [home(), "-P", HERE / "xuance_worker.py", str(threads)]  # -P: this file is not XuanCe
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdin
        assert self.process.stdout
        self.orders, self.answers = self.process.stdin, self.process.stdout
        self.answers.readline()  # it is warm

    def turn(self) -> dict[str, float]:
        """Steps, updates and seconds."""
        print(file=self.orders, flush=True)
        return json.loads(self.answers.readline())

    def stop(self) -> None:
        self.orders.close()
        self.process.wait()


def main() -> None:
    options = arguments(__doc__ or "", repetitions=5)
    workers = {f"XuanCe, {n} threads": Worker(n) for n in sorted({1, cores()})}
    ours = Trained(WORK["qmix"], seeds=1)
    rates: dict[str, list[float]] = {name: [] for name in ("covey", *workers)}
    updates: dict[str, float] = {"covey": 1 / ours.engine.iteration_steps}
    for _ in range(options.repetitions):
        rates["covey"].append(ours.steps / in_turn({"covey": ours}, 1)["covey"][0])
        for name, worker in workers.items():
            told = worker.turn()
            rates[name].append(told["steps"] / told["seconds"])
            updates[name] = told["updates"] / told["steps"]
    for worker in workers.values():
        worker.stop()
    fastest = max(workers, key=lambda name: np.median(rates[name]))
    times = ratio(rates["covey"], rates[fastest])
    print(
        f"QMIX on spread, one seed, environment steps a second: covey is {shown(times, '.1f')} times as fast"
    )
    table(
        [
            {
                "who": name,
                "steps/s": shown(summary(own)),
                "updates per 200 steps": f"{200 * updates[name]:.2f}",
            }
            for name, own in rates.items()
        ]
    )
    keep(options.json, {"rates": {name: summary(own) for name, own in rates.items()}, "ratio": times})


if __name__ == "__main__":
    main()
