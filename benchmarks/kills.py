"""Kill covey (kill -9) at random moments, run it again, and compare the end with an undisturbed run's.

    python -m benchmarks.kills                    # 30 kills, all phases in turn
    python -m benchmarks.kills --kills 100 --seed 1
    python -m benchmarks.kills --phase film       # the phases whose names hold a word
    python -m benchmarks.kills --term             # SIGTERM, as a cluster sends it before it kills

`benchmarks.same_run` says when two runs are equal. After a kill the user does the usual thing: `covey resume
RUN`, or the same command again where the run has not begun, or has ended. SIGTERM must end a command without
a traceback, with status 130 or, where it was about to end anyway, 0; while libraries are imported, NumPy may
print one, and Python may lose the signal.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from .common import parse_options, print_table, save_results
from .kill_point import Moment
from .same_run import difference

_MINE = "from covey.networks import MonotonicMixer\n\n\nclass Mine(MonotonicMixer):\n    pass\n"
_TINY = "agent.hidden=8 mixer.hyper=8 experience.capacity=64 experience.batch_size=8 preset=original"
_RUN = (
    f"train qmix two_step {_TINY} mixer=mine.py:Mine mixer.embed=4 --seeds 2 --steps 12000 "
    "--report-every 1000 --eval-every 3000 --eval-episodes 256 --save-every 0 --keep 2 --no-audit"
)
_SWEEP = (
    f"sweep qmix two_step {_TINY} mixer.embed=2,4 --seeds 1 --steps 4000 --report-every 1000 --fresh 0 "
    "--eval-every 2000 --eval-episodes 32 --no-audit"
)
_PATIENCE = 300  # seconds for a command
_ENGINE = "covey.runs.engine:Engine"


class Kill(NamedTuple):
    """A kill: in which phase of which command, and when; a number is seconds after the command's start."""

    phase: str
    command: str  # train, watch, report, sweep
    when: Moment | float


class Outcome(NamedTuple):
    """What a kill led to: `reached` if the command was killed, `different` says what is not as it was."""

    kill: Kill
    reached: bool
    different: str
    seconds: float


Make = Callable[[random.Random], Moment | float]


def _written(name: str, most: int = 1) -> list[Make]:
    """Return the moments of a file: as it is begun, in the middle, and before and after it gets its name."""
    early = lambda rng: Moment("open", f"{name}.part", rng.randint(1, most), 0.004 * rng.random())
    late = lambda rng: Moment("rename", name, rng.randint(1, most), rng.choice((0.0, 0.02 * rng.random())))
    return [early, late]


def _called(name: str, most: int, longest: float) -> Make:
    return lambda rng: Moment("call", name, rng.randint(1, most), longest * rng.random())


# The phases of each command, with makers of their moments, which take turns.
PHASES: dict[str, tuple[str, list[Make]]] = {
    "start": ("train", [lambda rng: 2.0 * rng.random()]),
    "compile": ("train", [_called(f"{_ENGINE}.compile_together", 1, 3.0)]),
    "collect, update": ("train", [_called(f"{_ENGINE}.advance", 12, 0.05)]),
    "evaluate": ("train", [_called(f"{_ENGINE}.evaluate", 4, 0.02)]),
    "write the user's code": ("train", [lambda rng: Moment("open", "mine.py", 1, 0.002 * rng.random())]),
    "write config.yaml": ("train", _written("config.yaml")),
    "write run.json": ("train", _written("run.json")),
    "write metrics.jsonl": ("train", [lambda rng: Moment("open", "metrics.jsonl", 5, 0.002 * rng.random())]),
    "write for TensorBoard": ("train", [lambda rng: Moment("open", "events.*", 2, 0.1 * rng.random())]),
    "write best.npz": ("train", _written("best.npz")),
    "write last.npz": ("train", _written("last.npz", 10)),
    "write a kept checkpoint": ("train", _written("0*.npz", 3)),
    "write summary.json": ("train", _written("summary.json")),
    "write curve.png": ("train", _written("curve.png")),
    "write report.html": ("train", _written("report.html")),
    "any time": ("train", [lambda rng: 3.0 + 6.0 * rng.random()]),
    "film": ("watch", [*_written("film.gif"), lambda rng: 2.0 + 4.0 * rng.random()]),
    "report": ("report", [*_written("report.html"), lambda rng: 1.0 + 8.0 * rng.random()]),
    "sweep": ("sweep", [lambda rng: 4.0 + 16.0 * rng.random(), *_written("sweep.json")[1:]]),
}


def plan_kills(kills: int, seed: int, word: str = "") -> list[Kill]:
    """Return the kills: the phases in turn, and within a phase its moments in turn."""
    rng = random.Random(seed)
    phases = [phase for phase in PHASES if word in phase]
    planned = []
    for i in range(kills):
        phase = phases[i % len(phases)]
        command, makers = PHASES[phase]
        planned.append(Kill(phase, command, makers[(i // len(phases)) % len(makers)](rng)))
    return planned


class Commands:
    """Runs commands of covey's in a folder, with a key and a cache of compiled programs of its own."""

    def __init__(self, root: Path, number: int):
        self.root = root
        self.signal = number
        self.cache = root / "cache"
        (root / "mine.py").write_text(_MINE)

    def environment(self) -> dict[str, str]:
        ours = {
            "XDG_CONFIG_HOME": str(self.root / "key"),
            "JAX_COMPILATION_CACHE_DIR": str(self.cache),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]),
        }
        return os.environ | ours

    def begin(self, words: list[str], when: Moment | float | None = None) -> subprocess.Popen[bytes]:
        start = ["-m", "covey.cli"]
        if isinstance(when, Moment):
            start = ["-m", "benchmarks.kill_point", when.to_json()]
        with open(self.root / "log.txt", "ab") as log:
            return subprocess.Popen(
                [sys.executable, *start, *words],
                cwd=self.root,
                env=self.environment(),
                stdout=log,
                stderr=log,
            )

    def finish(self, words: list[str]) -> str:
        """Run a command to its end; return what is wrong with it."""
        status = self.begin(words).wait(_PATIENCE)
        return "" if status == 0 else f"`covey {' '.join(words[:2])}` ended with status {status}"

    def kill(self, words: list[str], when: Moment | float) -> bool:
        """Begin a command and kill it; return whether it was killed, and had not ended before."""
        process = self.begin(words, replace(when, signal=self.signal) if isinstance(when, Moment) else when)
        try:
            process.wait(when if isinstance(when, float) else _PATIENCE)
        except subprocess.TimeoutExpired:
            process.send_signal(self.signal)
        status = process.wait(_PATIENCE)
        return status == (-9 if self.signal == signal.SIGKILL else 130)


def try_kill(commands: Commands, kill: Kill, path: Path, whole: Path) -> Outcome:
    """Kill a command that works in a new folder, run it to its end, and compare."""
    began = time.perf_counter()
    words = _words(kill, path, whole)
    if kill.phase == "compile":  # nothing is compiled if all of it is in the cache
        commands.cache = path.with_name(f"{path.name}_cache")
    reached = commands.kill(words, kill.when)
    different = commands.finish(_again(kill, words, path))
    commands.cache = commands.root / "cache"
    different = different or difference(whole, path)
    if kill.command == "watch" and not different:
        films = [(folder / "film.gif").read_bytes() for folder in (whole, path)]
        different = "" if films[0] == films[1] else "the film differs"
    printed = kill.phase != "start" and "Traceback" in read_log(commands.root)  # imports print what they like
    if commands.signal != signal.SIGKILL and printed:
        different = different or "a traceback was printed"
    return Outcome(kill, reached, different, time.perf_counter() - began)


def _words(kill: Kill, path: Path, whole: Path) -> list[str]:
    """Return the words of the command that is killed."""
    if kill.command in ("train", "sweep"):
        return [*(_RUN if kill.command == "train" else _SWEEP).split(), "--out", str(path)]
    shutil.copytree(whole, path)
    (path / {"watch": "film.gif", "report": "report.html"}[kill.command]).unlink()
    return _watch(path) if kill.command == "watch" else [kill.command, str(path)]


def _watch(path: Path) -> list[str]:
    return ["watch", str(path), "--out", str(path / "film.gif")]


def _again(kill: Kill, words: list[str], path: Path) -> list[str]:
    """Return what a user does after the kill."""
    if kill.command == "train" and (path / "config.yaml").exists():
        return ["resume", str(path)]
    if kill.command == "sweep" and (path / "sweep.yaml").exists():
        return ["sweep", str(path)]
    return words


def read_log(root: Path) -> str:
    """Return what the last commands printed."""
    log = root / "log.txt"
    return log.read_text(errors="replace") if log.exists() else ""


def print_results(outcomes: list[Outcome]) -> None:
    rows = []
    for phase in dict.fromkeys(outcome.kill.phase for outcome in outcomes):
        those = [outcome for outcome in outcomes if outcome.kill.phase == phase]
        rows.append(_row(phase, those))
    print_table([*rows, _row("all", outcomes)])


def _row(phase: str, outcomes: list[Outcome]) -> dict[str, str]:
    number = lambda condition: str(sum(map(condition, outcomes)))
    return {
        "killed in": phase,
        "kills": number(lambda x: x.reached),
        "equal": number(lambda x: x.reached and not x.different),
        "different": number(lambda x: bool(x.different)),
        "ended before": number(lambda x: not x.reached),
    }


def main() -> None:
    options = parse_options(
        __doc__ or "",
        None,
        **{
            "--kills": {"type": int, "default": 30, "help": "how many (30)"},
            "--seed": {"type": int, "default": 0, "help": "of the moments (0)"},
            "--term": {"action": "store_true", "help": "send SIGTERM"},
            "--phase": {"default": "", "help": "only phases whose names hold this word"},
        },
    )
    kills = plan_kills(options.kills, options.seed, options.phase)
    with tempfile.TemporaryDirectory() as name:
        outcomes = try_all(kills, Path(name), signal.SIGTERM if options.term else signal.SIGKILL)
    print_results(outcomes)
    facts = [x.kill._asdict() | {"when": str(x.kill.when), "different": x.different} for x in outcomes]
    save_results(options.json, facts)
    sys.exit(1 if any(outcome.different for outcome in outcomes) else 0)


def try_all(kills: list[Kill], root: Path, number: int = signal.SIGKILL) -> list[Outcome]:
    """Make the undisturbed runs, then try one kill after another."""
    commands = Commands(root, number)
    wholes = {"train": root / "whole"}
    problem = commands.finish([*_RUN.split(), "--out", str(wholes["train"])])
    problem = problem or commands.finish(_watch(wholes["train"]))
    if any(kill.command == "sweep" for kill in kills):
        wholes["sweep"] = root / "whole_sweep"
        problem = problem or commands.finish([*_SWEEP.split(), "--out", str(wholes["sweep"])])
    if problem:
        sys.exit(f"{problem}:\n{read_log(root)}")
    outcomes = []
    for place, kill in enumerate(kills, 1):
        (root / "log.txt").unlink(missing_ok=True)
        whole = wholes.get(kill.command, wholes["train"])
        outcome = try_kill(commands, kill, root / f"killed_{place}", whole)
        end = outcome.different or ("equal" if outcome.reached else "equal, but it ended before")
        print(f"{place:3} {kill.phase}: {kill.when}: {end} ({outcome.seconds:.0f} s)", flush=True)
        if outcome.different:
            print(read_log(root), flush=True)
        outcomes.append(outcome)
    return outcomes


if __name__ == "__main__":
    main()
