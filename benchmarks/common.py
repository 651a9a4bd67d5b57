"""Tools of all benchmarks: fair turns, tables, and results that name the machine and the command."""

import argparse
import json
import platform
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from covey.runs import launch

PACKAGES = ("covey", "jax", "jaxlib", "equinox", "optax", "numpy", "jaxmarl")


def parse_options(doc: str, repetitions: int | None, **more: dict[str, Any]) -> argparse.Namespace:
    """Parse the common options and more. JAX is set up on the way, as `covey train` sets it up.

    What is not timed has no repetitions. The device is a CPU, unless `--device` is among the options.
    """
    parser = argparse.ArgumentParser(description=doc)
    for name, option in more.items():
        parser.add_argument(name, **option)
    if repetitions:
        help = f"turns of each ({repetitions})"
        parser.add_argument("--repetitions", type=int, default=repetitions, help=help)
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results")
    options = parser.parse_args()
    launch.prepare(getattr(options, "device", "cpu"))
    return options


def time_in_turns(contestants: dict[str, Callable[[], Any]], repetitions: int) -> dict[str, list[float]]:
    """Return the seconds of each contestant's turns; turns alternate, so other load meets all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repetitions):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def summary(values: Sequence[float]) -> dict[str, float]:
    """Return the median and the range."""
    return {"median": float(np.median(values)), "low": min(values), "high": max(values)}


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """Return the ratio of rates that were measured in the same turn."""
    return summary([a / b for a, b in zip(ours, theirs, strict=True)])


def format_summary(x: dict[str, float], form: str = ",.0f") -> str:
    """Return a summary as text: median (low to high)."""
    return f"{x['median']:{form}} ({x['low']:{form}} to {x['high']:{form}})"


def print_table(rows: list[dict[str, str]]) -> None:
    """Print Markdown whose columns line up in a terminal, too."""
    width = {key: max(len(key), *(len(row[key]) for row in rows)) for key in rows[0]}
    line = lambda cells: print(
        "| " + " | ".join(cell.ljust(width[key]) for key, cell in cells.items()) + " |"
    )
    line({key: key for key in width})
    line({key: "-" * n for key, n in width.items()})
    for row in rows:
        line(row)


def save_results(path: Path | None, results: Any) -> None:
    """Write the results, the command that made them, and the machine it ran on."""
    if path is None:
        return
    module = sys.modules["__main__"].__spec__
    command = ["python", "-m", module.name if module else "benchmarks", *sys.argv[1:]]
    origin = {"command": shlex.join(command), "date": time.strftime("%Y-%m-%d"), "machine": machine()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(origin | {"results": results}, indent=1) + "\n")


def machine() -> dict[str, Any]:
    """Return the processor, its cores, and the versions of packages."""
    versions = {name: installed_version(name) for name in PACKAGES}
    return {"processor": processor(), "cores": launch.cores(), "python": platform.python_version()} | {
        name: number for name, number in versions.items() if number
    }


def installed_version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def processor() -> str:
    """Return the processor's name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
