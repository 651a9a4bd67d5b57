"""Sizes that cannot fit, refused before anything is traced, each with the largest value that fits.

The estimate counts what a size is sure to take: what agents observe, and what is stored of it. A run needs
more, and `memory` counts that from its traced programs. So nothing is refused here that could run.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..config.config import Config
from ..core import Spec
from ..errors import RUN_FIELD, SettingError
from ..experience import Replay
from ..text import memory_size
from ..training.learners import LearnerSlot

_UNKNOWN = 2**42  # where nothing tells the memory: more than any machine has
_FLOAT = 4


class Demand(NamedTuple):
    """A setting that counts something, and the bytes that each of them takes."""

    setting: str
    number: int
    each: int


def check_sizes(
    config: Config, spec: Spec, slots: Sequence[LearnerSlot], length: int, available: int | None
) -> None:
    """Refuse a size that alone needs more memory than there is."""
    limit = _UNKNOWN if available is None else available
    for setting, number, each in _demands(config, spec, slots, length):
        if number * each > limit:
            needs = f"needs {_size(number * each)} at least, and {memory_size(limit)} are free"
            remedy = f"set `{setting}={_rounded(limit // each)}` or less"
            raise SettingError(setting, needs, remedy, value=number if number < 10**15 else f"{number:.0e}")


def step_bytes(spec: Spec) -> int:
    """Return the bytes of a step of one copy, as a rollout holds it."""
    observed = spec.agents * spec.features * (1 if spec.feature_type == "uint8" else _FLOAT)
    chosen = spec.agents * (1 + spec.actions // _FLOAT) + len(spec.teams)
    return observed + _FLOAT * (spec.state + chosen)


def _demands(config: Config, spec: Spec, slots: Sequence[LearnerSlot], length: int) -> Iterator[Demand]:
    step = step_bytes(spec)
    chosen = any(getattr(slot.algorithm.experience, "steps", None) for slot in slots)
    yield Demand("experience.steps" if chosen else "env.horizon", length, step)
    yield Demand(f"{RUN_FIELD}envs", config.envs, (length + 1) * step)
    evaluated = step + _FLOAT * spec.horizon * (spec.agents + len(spec.teams))
    yield Demand(f"{RUN_FIELD}eval_episodes", config.eval_episodes, evaluated)
    for slot in slots:
        experience = slot.algorithm.experience
        if isinstance(experience, Replay):
            place = "experience." if sum(s.learns for s in slots) == 1 else f"{slot.name}.experience."
            half = 1 + (not experience.half)  # of what is stored, observations may be halved
            stored = experience.steps_of(spec, 1) * step * half // 2
            yield Demand(f"{place}capacity", experience.capacity, config.seeds * stored)
            # A window is drawn, it becomes what networks read, and that keeps its own copy for the gradient.
            window = 3 * experience.window_observations(spec) * step
            yield Demand(f"{place}batch_size", experience.batch_size, window)


def _rounded(n: int) -> int:
    """Return a number with its first two digits, and zeros."""
    unit = 10 ** max(0, len(str(n)) - 2)
    return n // unit * unit


def _size(n: int) -> str:
    return memory_size(n) if n < 10**15 else "more than a million GB"
