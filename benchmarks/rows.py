"""Rows of a benchmark: measured one after another and kept as they come, so that none is lost with the next.

A row that runs out of memory is a row that says so. A benchmark that is started again with the same --json
measures only what is missing there.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from covey.errors import UserError

from .common import format_summary, save_results, summary
from .training import TrainingWork, Work

Row = dict[str, Any]
_LEAST_TURNS = 3
_MOST_TURNS = 500


def out_of_memory(error: Exception) -> bool:
    """Say whether memory was not enough: XLA's, or by covey's own estimate."""
    text = str(error)
    words = ("RESOURCE_EXHAUSTED", "out of memory", "Out of memory", " are free: lower ")
    return isinstance(error, MemoryError) or any(word in text for word in words)


class Rows:
    """The rows so far; of those that an earlier run kept in `path`, failures are measured again."""

    def __init__(self, path: Path | None, minutes: float | None = None):
        self.path = path
        self.began = time.monotonic()
        self.seconds = None if minutes is None else 60 * minutes
        self.longest = 0.0  # row of this run, in seconds
        known = json.loads(path.read_text())["results"] if path and path.exists() else {}
        self.rows: dict[str, Row] = {name: row for name, row in known.items() if "error" not in row}

    def late(self) -> bool:
        """Say whether another row like the longest one would not end in time."""
        return self.seconds is not None and time.monotonic() - self.began + self.longest > self.seconds

    def measure(self, name: str, f: Callable[[], Row]) -> None:
        """Measure a row, unless it is known; print it, and keep all."""
        if name not in self.rows:
            self.rows[name] = {"error": "no time left"} if self.late() else self.attempt(f)
            save_results(self.path, self.rows)
        print(f"{name:<36}  {describe(self.rows[name])}", flush=True)

    def attempt(self, f: Callable[[], Row]) -> Row:
        began = time.monotonic()
        try:
            row = f()
        except (RuntimeError, ValueError, MemoryError, UserError) as error:
            reason = str(error).strip().split("\n")[0][:300]
            row = {"error": "out of memory" if out_of_memory(error) else f"{type(error).__name__}: {reason}"}
        jax.clear_caches()
        self.longest = max(self.longest, time.monotonic() - began)
        return row


def describe(row: Row) -> str:
    """Return a row in words."""
    if "error" in row:
        return row["error"]
    facts = [f"{format_summary(row['rate']):>40} {row.get('unit', 'steps/s')}"]
    facts += [f"compiled in {row['compile_seconds']:.1f} s"] if "compile_seconds" in row else []
    facts += [f"{name} {size / 1e6:,.1f} MB" for name, size in row.get("memory", {}).items()]
    facts += [f"{row['flops'] / 1e6:,.2f} Mflop a step"] if "flops" in row else []
    return ", ".join(facts)


def rates(run: Callable[[], Any], steps: int, seconds: float) -> Row:
    """Return steps a second, and core seconds a step, which other work on the machine disturbs less.

    `run` takes so many steps. It is called for about so many seconds, three times at least and 500 at most.
    """
    wall: list[float] = []
    cores: list[float] = []
    while len(wall) < _LEAST_TURNS or (sum(wall) < seconds and len(wall) < _MOST_TURNS):
        start = time.perf_counter()
        start_cores = time.process_time()
        run()
        wall.append(time.perf_counter() - start)
        cores.append(time.process_time() - start_cores)
    return {"rate": summary([steps / s for s in wall]), "core_seconds": summary([s / steps for s in cores])}


def training_row(work: Work, seeds: int, seconds: float, iterations: int = 10) -> Row:
    """Train; return environment steps a second over all seeds, compile seconds, memory, flops of a step.

    A call of the compiled program is about so many iterations.
    """
    copies = work.envs or 1
    length = work.settings.get("experience.steps", 25)  # of an iteration: an episode of spread, by default
    run = TrainingWork(work, seeds, iterations * seeds * copies * length)
    return {
        **rates(run, run.steps, seconds),
        "compile_seconds": run.compile_seconds,
        "memory": run.memory(),
        "flops": run.flops_per_step(),
    }
