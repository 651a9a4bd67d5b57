"""The time that a world which is a Python program takes, in words, and sums of it over reports."""

from collections.abc import Mapping
from typing import Any

from ..config.config import Config
from ..text import count
from ..training.host import HostReport

_SLOW_STEP = 1.0  # milliseconds; faster worlds lose more to the exchange with workers than they win


def added(a: Mapping[str, float], b: Mapping[str, float]) -> dict[str, Any]:
    """Return sums by name."""
    return {name: a.get(name, 0) + b.get(name, 0) for name in {**a, **b}}


def step_line(config: Config, happened: HostReport, cores: int) -> str:
    """Return what a step of a Python world took, and whether worker processes could help."""
    milliseconds = 1000 * happened.seconds["world"] / max(1, happened.ticks * config.envs)
    took = f"a step of one copy takes {milliseconds:.2f} ms"
    useful = min(config.envs, cores)
    if config.workers:
        return f"{took}, with {count(min(config.workers, config.envs), 'worker')}"
    if milliseconds > _SLOW_STEP and useful > 1:
        return f"{took}: --workers {useful} would step copies side by side"
    return took
