"""What the benchmarks share: fair turns, and results that say where they come from."""

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


def arguments(doc: str, repetitions: int, **more: dict[str, Any]) -> argparse.Namespace:
    """The options that every benchmark has, and more. JAX is set up on the way, as `covey train` does it."""
    parser = argparse.ArgumentParser(description=doc)
    for name, option in more.items():
        parser.add_argument(name, **option)
    parser.add_argument("--repetitions", type=int, default=repetitions, help=f"turns of each ({repetitions})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results")
    launch.prepare("cpu")
    return parser.parse_args()


def in_turn(contestants: dict[str, Callable[[], Any]], repetitions: int) -> dict[str, list[float]]:
    """Each one's seconds, in turns: whatever else the machine is busy with meets them all."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repetitions):
        for name, run in contestants.items():
            begin = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - begin)
    return seconds


def summary(values: Sequence[float]) -> dict[str, float]:
    return {"median": float(np.median(values)), "low": min(values), "high": max(values)}


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """Of rates measured in the same turn."""
    return summary([a / b for a, b in zip(ours, theirs, strict=True)])


def shown(x: dict[str, float], form: str = ",.0f") -> str:
    return f"{x['median']:{form}} ({x['low']:{form}} to {x['high']:{form}})"


def table(rows: list[dict[str, str]]) -> None:
    """Markdown whose columns line up in a terminal too."""
    width = {key: max(len(key), *(len(row[key]) for row in rows)) for key in rows[0]}
    line = lambda cells: print(
        "| " + " | ".join(cell.ljust(width[key]) for key, cell in cells.items()) + " |"
    )
    line({key: key for key in width})
    line({key: "-" * n for key, n in width.items()})
    for row in rows:
        line(row)


def keep(path: Path | None, results: Any) -> None:
    """The results, with the command that made them and what it ran on."""
    if path is None:
        return
    module = sys.modules["__main__"].__spec__
    command = ["python", "-m", module.name if module else "benchmarks", *sys.argv[1:]]
    made = {"command": shlex.join(command), "date": time.strftime("%Y-%m-%d"), "machine": machine()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(made | {"results": results}, indent=1) + "\n")


def machine() -> dict[str, Any]:
    return {"processor": processor(), "cores": launch.cores(), "python": platform.python_version()} | {
        name: found for name in PACKAGES if (found := installed(name))
    }


def installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def processor() -> str:
    """Its name, where the system tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
