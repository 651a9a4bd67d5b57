"""A grid of numbers as one program, beside the same runs with their numbers compiled in.

Learning rate × discount × entropy of MAPPO on `spread`. First the whole grid in one process, where runs
borrow each other's programs. Then some of its runs, each with its numbers as constants of its own programs,
as grids were trained before. The cache of compiled programs starts empty. Seconds of the rest follow.
"""

import os
import shutil
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import covey
from covey.runs.engine import Engine, LaneProgram

from .common import parse_options, save_results
from .idle import wait_until_idle

GRID = {
    "actor_optimiser.lr": [3e-4, 5e-4, 7e-4, 1e-3],
    "gamma": [0.9, 0.95, 0.98, 0.99],
    "entropy": [0.003, 0.01, 0.02, 0.03],
}


def train_grid(grid: dict[str, list[float]], options: dict[str, Any], out: Path) -> float:
    """Train every combination; return seconds."""
    began = time.perf_counter()
    covey.ablate("mappo", "spread", grid, out=out, quiet=True, report=False, **options)
    return time.perf_counter() - began


def constant_program(self, f, *args, shared: int = 0, donate: int | None = None) -> LaneProgram:
    """Compile a program with the numbers in it, as `Engine.program` did before."""
    run = self.layout.compiled(partial(f, self.trainer), *args, shared=shared, donate=donate)
    return LaneProgram(run, None)


def with_constants(grid: dict[str, list[float]], options: dict[str, Any], out: Path) -> float:
    """Train every combination with its numbers in its programs, and no program from another run."""
    with (
        mock.patch.object(Engine, "program", constant_program),
        mock.patch.object(Engine, "_can_borrow", return_value=False),
    ):
        return train_grid(grid, options, out)


def main() -> None:
    folder = tempfile.mkdtemp()
    os.environ["JAX_COMPILATION_CACHE_DIR"] = f"{folder}/cache"
    chosen = parse_options(
        __doc__ or "",
        None,
        **{
            "--values": {"type": int, "default": 4, "help": "of each of three settings (4: 64 runs)"},
            "--alone": {"type": int, "default": 4, "help": "runs with numbers compiled in (4)"},
            "--steps": {"type": int, "default": 100_000},
            "--seeds": {"type": int, "default": 2},
        },
    )
    idle = wait_until_idle(0.2, 60)
    options = {"steps": chosen.steps, "seeds": chosen.seeds, "seed": 0}
    grid = {key: values[: chosen.values] for key, values in GRID.items()}
    runs = chosen.values ** len(grid)
    alone = {"gamma": grid["gamma"][: chosen.alone]}
    together = train_grid(grid, options, Path(folder) / "together")
    constants = with_constants(alone, options, Path(folder) / "constants")
    each = constants / len(alone["gamma"])
    print(f"{runs} runs of {chosen.seeds} seeds × {chosen.steps:,} steps as one program: {together:.0f} s")
    print(f"one run with its numbers compiled in: {each:.1f} s, so {runs} take {runs * each:.0f} s")
    print(f"ratio: {runs * each / together:.2f} ({idle})")
    found = {"runs": runs, "together": together, "each_with_constants": each, "idle": idle}
    save_results(chosen.json, found | options)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
