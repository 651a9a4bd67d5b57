"""Train for hours, and watch whether memory, handles or files grow.

    python -m benchmarks.soak --hours 24 --out runs/soak            # a compiled world and a Python one
    python -m benchmarks.soak --hours 24 --out runs/soak            # goes on, if it was stopped
    python -m benchmarks.soak --out runs/soak --report              # what there is by now, and the verdict

Two runs train side by side, each for a share of the time (`--share`), so that a machine can do other work
meanwhile. Every `--every` seconds a line for each goes to soak.jsonl: seconds of the soak, resident memory,
open handles, threads, steps, and the size of every file of the run. soak.png draws them. The soak fails if a
run ends, or if after its first minutes memory grows by more than 64 MB, handles or threads by more than four,
or a file beyond 210 MB.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from covey.runs.folder import RunFolder

from .common import parse_options
from .soak_report import read_samples, report, take_sample

_LONG = "--steps 2000000000 --seeds 1 --save-every 60 --keep 3 --no-tensorboard --no-audit --no-report"
_QMIX = "agent.hidden=8 mixer.embed=4 mixer.hyper=8 experience.capacity=64 experience.batch_size=8"
_PPO = "actor=feed_forward critic=feed_forward actor.hidden=8 critic.hidden=8"
_WORLD = Path(__file__).with_name("soak_world.py")
RUNS = {
    "compiled": f"train qmix two_step preset=original {_QMIX} {_LONG} --report-every 500 --eval-every 50000",
    "python": f"train ippo {_WORLD}:Line preset=original {_PPO} {_LONG} --report-every 500 --eval-every 5000",
}
_PERIOD = 2.0  # seconds in which each run gets its share


class Soak:
    """The processes of both runs, their shares of the time, and the log."""

    def __init__(self, out: Path, share: float):
        self.out = out
        self.share = share
        self.log = out / "soak.jsonl"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.began: dict[str, float] = {}
        self.before = max((sample.seconds for sample in read_samples(out)), default=0.0)
        self.start = time.monotonic()

    @property
    def seconds(self) -> float:
        return self.before + time.monotonic() - self.start

    def begin(self) -> None:
        """Start both runs, or go on with them."""
        self.out.mkdir(parents=True, exist_ok=True)
        for name, words in RUNS.items():
            folder = self.out / name
            new = not RunFolder(folder).config.exists()
            command = (
                [*words.split(), "--out", str(folder)] if new else ["resume", str(folder), "--no-report"]
            )
            with open(self.out / f"{name}.log", "ab") as log:
                self.processes[name] = subprocess.Popen(
                    [sys.executable, "-m", "covey.cli", *command], stdout=log, stderr=log
                )
            self.began[name] = time.monotonic()

    def rest_and_work(self) -> None:
        """Let one run after another work for its share of a period; while it compiles, for all of it."""
        for name, process in self.processes.items():
            _send(process, signal.SIGCONT)
            time.sleep(self.share * _PERIOD)
            if self.share < 1 and RunFolder(self.out / name).metrics.exists():
                _send(process, signal.SIGSTOP)
        time.sleep(max(0.0, 1 - len(self.processes) * self.share) * _PERIOD)

    def sample(self) -> None:
        with open(self.log, "a") as log:
            for name, process in self.processes.items():
                if process.poll() is None:
                    age = time.monotonic() - self.began[name]
                    sample = take_sample(name, self.out / name, process.pid, self.seconds, age)
                    if sample is not None:
                        log.write(json.dumps(sample._asdict()) + "\n")

    def ended(self) -> list[str]:
        """Return the runs that have ended, which they should not."""
        return [name for name, process in self.processes.items() if process.poll() is not None]

    def end(self) -> None:
        """Stop both runs with everything saved."""
        for process in self.processes.values():
            _send(process, signal.SIGTERM)
            _send(process, signal.SIGCONT)
        for process in self.processes.values():
            process.wait()


def _send(process: subprocess.Popen[bytes], number: int) -> None:
    if process.poll() is None:
        os.kill(process.pid, number)


def main() -> None:
    options = parse_options(
        __doc__ or "",
        None,
        **{
            "--hours": {
                "type": float,
                "default": 24.0,
                "help": "of the soak, all its processes together (24)",
            },
            "--out": {"type": Path, "required": True, "help": "its folder"},
            "--share": {
                "type": float,
                "default": 0.25,
                "help": "of the time, for each run (.25); 1: all of it",
            },
            "--every": {"type": float, "default": 60.0, "help": "seconds between samples (60)"},
            "--report": {"action": "store_true", "help": "only read what there is"},
        },
    )
    wrong = [] if options.report else run_soak(options.out, options.hours, options.share, options.every)
    wrong += report(options.out, list(RUNS))
    print("\n".join(wrong) or "nothing grows")
    sys.exit(1 if wrong else 0)


def run_soak(out: Path, hours: float, share: float, every: float) -> list[str]:
    """Train until the hours are over; return the runs that ended before."""
    soak = Soak(out, share)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    soak.begin()
    due = time.monotonic() + every
    ended: list[str] = []
    try:
        while soak.seconds < 3600 * hours and not ended:
            soak.rest_and_work()
            if time.monotonic() >= due:
                soak.sample()
                due += every
            ended = soak.ended()
    except KeyboardInterrupt:
        print("stopped: the same command goes on from here")
    finally:
        soak.end()
    return [f"{name} ended: {out / name}.log has its last words" for name in ended]


if __name__ == "__main__":
    main()
