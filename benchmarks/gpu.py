"""All figures of a GPU in one command: worlds, QMIX and MAPPO with 1 to 256 seeds, memory, compile seconds.

It takes `--minutes` at most, and a row that the time does not reach says so. Each row is kept in `--json` as
soon as it is there, and the same command measures what is missing. Programs are compiled anew, without the
cache. JAX multiplies float32 matrices in TensorFloat32 where the card can.

`--device cpu --small` tries the command itself on a CPU: its figures say nothing.
"""

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import jax

from covey.config import catalogue

from . import environments, skirmish_speed
from .common import parse_options, print_table, summary
from .environments import Entrant, Turn
from .machine import matmul_rate
from .rows import Row, Rows, describe, rates, training_row
from .training import REPLAY, WORK, Work

SEEDS = (1, 8, 64, 256, 16)
COPIES = (1024, 16384, 131072, 64)
BATTLES = (1024, 8192, 64)
MAPS = ("3m", "2s3z")
# More of everything that a GPU does at once: copies, and examples of an update.
WIDE = {
    "mappo, 1024 copies": Work("mappo", WORK["mappo"].settings | {"minibatches": 8}, 1024),
    "qmix, 256 copies": Work("qmix", WORK["qmix"].settings | {"experience.batch_size": 256}, 256),
}
SMALL = {
    "qmix": Work("qmix", REPLAY | {"agent.hidden": 8, "experience.capacity": 64}, 4),
    "mappo": Work("mappo", {"preset": "original", "actor.hidden": 8, "critic.hidden": 8}, 4),
}


def world_row(entrant: Entrant, turn: Turn, seconds: float) -> Row:
    """Play a world on one device; return steps a second, and the seconds of compiling and of a first turn."""
    began = time.perf_counter()
    go = environments.compiled(entrant, turn, devices=1)
    compile_seconds = time.perf_counter() - began
    return {**rates(go, turn.steps, seconds), "compile_seconds": compile_seconds}


def matmul_row(size: int) -> Row:
    return {"rate": summary([matmul_rate(3, 1, size) / 1e9]), "unit": "GF/s"}


def world_rows(small: bool, seconds: float) -> Iterator[tuple[str, Any]]:
    """Yield the rows of worlds alone: with few copies and with many."""
    env = catalogue.load_class(catalogue.find("environment", "spread"))()
    spread = Entrant(partial(environments.covey, env), (env.spec.actions,) * env.spec.agents)
    for copies in (8,) if small else COPIES:
        turn = Turn(copies, env.spec.horizon, 1000 if small else 200 * copies)
        yield f"spread, {copies:,} copies", partial(world_row, spread, turn, seconds)
    for name in MAPS[: 1 if small else None]:
        battle = skirmish_speed.entrants(name, peers=False)["covey"]
        for copies in (4,) if small else BATTLES:
            turn = Turn(copies, skirmish_speed.BLOCK, 100 if small else 64 * copies)
            yield f"skirmish/{name}, {copies:,} copies", partial(world_row, battle, turn, seconds)


def all_rows(small: bool, seconds: float) -> Iterator[tuple[str, Any]]:
    """Yield each row's name and how it is measured."""
    yield "float32 products of 1024", partial(matmul_row, 1024)
    if not small:
        yield "float32 products of 8192", partial(matmul_row, 8192)
    yield from world_rows(small, seconds)
    works = SMALL if small else {name: WORK[name] for name in ("qmix", "mappo")}
    for seeds in (2,) if small else SEEDS:
        for name, work in works.items():
            yield f"{name}, {seeds} seeds", partial(training_row, work, seeds, seconds, 2 if small else 10)
    for name, work in {} if small else WIDE.items():
        for seeds in (1, 8):
            yield f"{name}, {seeds} seeds", partial(training_row, work, seeds, seconds, 4)


def print_device() -> None:
    """Print the device and its memory."""
    device = jax.devices()[0]
    limit = (device.memory_stats() or {}).get("bytes_limit")
    memory = f", {limit / 1e9:.1f} GB for JAX" if limit else ""
    print(f"{len(jax.devices())} × {device.device_kind}{memory}; median (slowest to fastest)", flush=True)


def main() -> None:
    more: dict[str, dict[str, Any]] = {
        "--device": {"choices": ("cpu", "gpu"), "default": "gpu"},
        "--minutes": {"type": float, "default": 8.0, "help": "no row begins that would end later (8)"},
        "--small": {"action": "store_true", "help": "tiny work, to try the command"},
    }
    options = parse_options(__doc__ or "", None, **more)
    jax.config.update("jax_enable_compilation_cache", options.small)
    print_device()
    rows = Rows(options.json, options.minutes)
    for name, measure in all_rows(options.small, 0.0 if options.small else 1.5):
        rows.measure(name, measure)
    print()
    print_table([{"row": name, "result": describe(row)} for name, row in rows.rows.items()])


if __name__ == "__main__":
    main()
