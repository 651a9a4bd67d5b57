"""Possible defects: dead units, collapsed weights, saturated policies, exploding values."""

import numpy as np
from jaxtyping import Shaped

from ..parts import LinearSchedule
from .modules import Anatomy, LearnerModule, is_float

SeedArrays = list[Shaped[np.ndarray, "seeds ..."]]  # all arrays of a learner
_SMALLEST_LAYER = 8  # units; of fewer, a share says little
_DEAD_SHARE = 0.9  # in a game of one state, every second ReLU never opens, by chance
_VALUES = ("q_tot", "value_scale", "td_error", "value", "q")


def weight_notes(modules: list[LearnerModule], first: SeedArrays, now: SeedArrays) -> list[str]:
    """Report modules whose weights have collapsed or exploded."""
    notes: list[str] = []
    reported: set[int] = set()
    for module in modules:
        before = _root_mean_square(module, first)
        after = _root_mean_square(module, now)
        sound = before == 0 or 0.01 * before < after < 1000 * max(before, 1e-3)
        if sound or reported & set(module.leaves):
            continue
        verb = "collapsed to" if after < before else "grew to"
        notes.append(f"the weights of {module.name} {verb} {after:.2g}, from {before:.2g} at first")
        reported |= set(module.leaves)
    return notes


def _root_mean_square(module: LearnerModule, arrays: SeedArrays) -> float:
    leaves = [arrays[i] for i in module.leaves if is_float(arrays[i]) and arrays[i].size]
    total = sum(float(np.sum(np.square(x, dtype=np.float64))) for x in leaves)
    return (total / max(1, sum(x.size for x in leaves))) ** 0.5


def dead_unit_notes(anatomy: Anatomy, before: SeedArrays, now: SeedArrays) -> list[str]:
    """Report layers in which hardly a unit still learns."""
    notes = []
    for module in anatomy.modules:
        for i, name in anatomy.array_names.get(module.path, {}).items():
            if "weight" not in name or now[i].ndim < 3 or now[i].shape[-1] < _SMALLEST_LAYER:
                continue
            change = np.abs(now[i] - before[i]).max(axis=-2)
            most = change.max(axis=-1, keepdims=True)
            moving = (
                most > 0
            )  # a layer that stands still as a whole has converged, or is reported as a module
            dead = (change <= 1e-6 * most)[moving[..., 0]]
            if dead.size and dead.mean() > _DEAD_SHARE:
                share = f"{dead.mean():.0%}".replace("%", " %")
                notes.append(
                    f"{module.name}: {share} of its {change.shape[-1]} units no longer learn (dead units)"
                )
    return notes


def metric_notes(means: dict[str, list[float]]) -> list[str]:
    """Report metrics of a saturated policy or of exploding values, from their means over each chunk."""
    notes = []
    for name, values in means.items():
        start = abs(values[0])
        last = abs(values[-1])
        if name.endswith("entropy") and 0 <= values[-1] < 0.01 * start:
            notes.append(f"{name} fell to {last:.2g}, from {start:.2g}: the policy is saturated")
        if name.split("/")[-1] in _VALUES and last > 1e4 * max(start, 1.0):
            notes.append(f"{name} grew to {last:.2g}, from {start:.2g}: values explode")
    return notes


def is_stuck(schedule: LinearSchedule, values: list[float]) -> bool:
    """Say whether a value stands still that should move along its schedule."""
    still = len(values) > 1 and values[0] == values[-1]
    return still and schedule.start != schedule.end and abs(values[-1] - schedule.end) > 1e-6
