"""The time that a world which is a Python program takes, in words, and sums of it over reports."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..config.config import Config
from ..core import AbstractHostEnvironment
from ..text import count
from ..training.host_report import HostReport
from . import launch

_LONG_TICK = 0.0005  # seconds of a worker's steps; shorter ones lose more to the exchange than they win
_TRIAL = 0.2  # seconds in which a step is timed


def added(a: Mapping[str, float], b: Mapping[str, float]) -> dict[str, Any]:
    """Return sums by name."""
    return {name: a.get(name, 0) + b.get(name, 0) for name in {**a, **b}}


def step_line(config: Config, happened: HostReport) -> str:
    """Return what a step of a Python world took."""
    milliseconds = 1000 * happened.seconds["world"] / max(1, happened.ticks * config.envs)
    took = f"a step of one copy takes {milliseconds:.2f} ms"
    return f"{took}, with {count(happened.workers, 'worker')}" if happened.workers else took


def useful_workers(world: AbstractHostEnvironment, copies: int) -> int:
    """Return a process for each core, if there are copies enough and each has half a millisecond to do."""
    workers = min(copies, launch.cores())
    if workers < 2 or not _is_command():
        return 0
    return workers if _step_time(world) * copies / workers > _LONG_TICK else 0


def _is_command() -> bool:
    """Say whether this is `covey`: a new process runs a user's own script again, which may not expect it."""
    main = sys.modules["__main__"]
    as_module = str(getattr(main.__spec__, "name", "")).startswith("covey.")
    return as_module or Path(getattr(main, "__file__", None) or "").stem == "covey"


def _step_time(world: AbstractHostEnvironment) -> float:
    """Return the median seconds of a step; 0 where it fails, which training will tell."""
    spec = world.spec
    middle = 0.0 if spec.bounds is None else sum(spec.bounds) / 2
    times = []
    began = time.perf_counter()
    try:
        obs = world.reset(0)
        while len(times) < spec.horizon and time.perf_counter() - began < _TRIAL:
            first = np.argmax(obs.legal, axis=1)
            action = np.full(spec.action_shape, middle, spec.action_type) if spec.bounds else first
            before = time.perf_counter()
            outcome = world.step(action)
            times.append(time.perf_counter() - before)
            if outcome.terminated or outcome.truncated:
                break
            obs = outcome.obs
    except Exception:
        return 0.0
    return float(np.median(times)) if times else 0.0
