"""Seconds from the start of `covey train qmix spread` to its first line of progress, in turns of three cases.

* empty: nothing was compiled before;
* full: the same command again, with everything in the cache of compiled programs;
* a number changed: `gamma` has another value, with the cache as before. Numbers are data of the compiled
  program, so nothing is compiled anew.

With `--source FOLDER …` the command also runs from other checkouts' `src`, in the same turns.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from .common import format_summary, parse_options, print_table, save_results, summary

ENVIRONMENT = dict(os.environ)  # before JAX is set up here: every run does that for itself
CASES = {"empty": ["gamma=.99"], "full": ["gamma=.99"], "a number changed": ["gamma=.95"]}


def first_line(command: list[str], source: Path | None, folder: Path, turn: str) -> dict[str, float]:
    """Return the wall and core seconds until a run prints a percentage; the run is then ended."""
    path = [str(source)] if source else []
    inherited = ENVIRONMENT.get("PYTHONPATH")
    environment = ENVIRONMENT | {
        "JAX_COMPILATION_CACHE_DIR": str(folder / "cache"),
        "PYTHONPATH": os.pathsep.join(path + ([inherited] if inherited else [])),
    }
    words = [sys.executable, "-m", "covey.cli", "train", *command, f"--out={folder / turn}"]
    began = time.perf_counter()
    run = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    for line in run.stdout:
        if "%" in line.partition("step")[0]:
            break
    seconds = time.perf_counter() - began
    run.kill()
    _, status, used = os.wait4(run.pid, 0)
    run.stdout.close()
    if os.WIFEXITED(status):
        raise RuntimeError(f"{' '.join(words)} ended before it printed a line of progress")
    return {"seconds": seconds, "core seconds": used.ru_utime + used.ru_stime}


def measure(command: list[str], sources: dict[str, Path | None], repetitions: int) -> dict[str, Any]:
    """Return the figures of each source and case."""
    found: dict[str, dict[str, list[dict[str, float]]]] = {
        name: {case: [] for case in CASES} for name in sources
    }
    for _ in range(repetitions):
        for name, source in sources.items():
            with tempfile.TemporaryDirectory() as folder:
                for case, settings in CASES.items():
                    turn = first_line([*command, *settings], source, Path(folder), case.replace(" ", "-"))
                    found[name][case].append(turn)
    return {
        name: {
            case: {unit: summary([turn[unit] for turn in turns]) for unit in turns[0]}
            for case, turns in cases.items()
        }
        for name, cases in found.items()
    }


def main() -> None:
    more: dict[str, dict[str, Any]] = {
        "--command": {"default": "qmix spread", "help": "what is trained (qmix spread)"},
        "--source": {"type": Path, "nargs": "+", "default": [], "metavar": "FOLDER"},
    }
    options = parse_options(__doc__ or "", 3, **more)
    sources = {"covey": None} | {str(path): path for path in options.source}
    results = measure(options.command.split(), sources, options.repetitions)
    print("Median (fastest to slowest) until the first line of progress")
    print_table(
        [
            {"source": name, "case": case} | {unit: format_summary(x, ".2f") for unit, x in figures.items()}
            for name, cases in results.items()
            for case, figures in cases.items()
        ]
    )
    save_results(options.json, results)


if __name__ == "__main__":
    main()
