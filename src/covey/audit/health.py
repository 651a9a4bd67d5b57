"""Signs that prove nothing: dead units, collapsed weights, saturated policies, exploding values."""

import numpy as np
from jaxtyping import Shaped

from ..parts import LinearSchedule
from .modules import Anatomy, Module, moves

Arrays = list[Shaped[np.ndarray, "seeds ..."]]
LEAST = 8  # units of a layer of which a share is worth telling
DEAD = 0.9  # the share that tells: in a game of one state every second ReLU never opens, by chance
VALUES = ("q_tot", "value_scale", "td_error", "value", "q")


def size(module: Module, arrays: Arrays) -> float:
    """The root mean square of its numbers."""
    leaves = [arrays[i] for i in module.leaves if moves(arrays[i]) and arrays[i].size]
    total = sum(float(np.sum(np.square(x, dtype=np.float64))) for x in leaves)
    return (total / max(1, sum(x.size for x in leaves))) ** 0.5


def weights(modules: list[Module], first: Arrays, now: Arrays) -> list[str]:
    """Modules whose weights have shrunk to nothing, or grown beyond measure."""
    found, covered = [], set()
    for module in modules:
        before, after = size(module, first), size(module, now)
        if before == 0 or covered & set(module.leaves) or 0.01 * before < after < 1000 * max(before, 1e-3):
            continue
        how = "collapsed to" if after < before else "grew to"
        found.append(f"the weights of {module.name} {how} {after:.2g}, from {before:.2g} at first")
        covered |= set(module.leaves)
    return found


def units(anatomy: Anatomy, before: Arrays, now: Arrays) -> list[str]:
    """Layers of which hardly a unit learns any more."""
    found = []
    for module in anatomy.modules:
        for i in module.leaves:
            layer, last = anatomy.paths[i][:-1], str(anatomy.paths[i][-1])
            if layer != module.path or "weight" not in last or now[i].ndim < 3 or now[i].shape[-1] < LEAST:
                continue
            change = np.abs(now[i] - before[i]).max(axis=-2)
            most = change.max(axis=-1, keepdims=True)
            judged = most > 0  # a layer that stands still as a whole has converged, or is told of as a module
            dead = (change <= 1e-6 * most)[judged[..., 0]]
            if dead.size and dead.mean() > DEAD:
                share = f"{dead.mean():.0%}".replace("%", " %")
                found.append(
                    f"{module.name}: {share} of its {change.shape[-1]} units no longer learn (dead units)"
                )
    return found


def reports(told: dict[str, list[float]]) -> list[str]:
    """From the means over chunks that updates told."""
    found = []
    for name, values in told.items():
        start, last = abs(values[0]), abs(values[-1])
        if name.endswith("entropy") and 0 <= values[-1] < 0.01 * start:
            found.append(f"{name} fell to {last:.2g}, from {start:.2g}: the policy is saturated")
        if name.split("/")[-1] in VALUES and last > 1e4 * max(start, 1.0):
            found.append(f"{name} grew to {last:.2g}, from {start:.2g}: values explode")
    return found


def stuck(schedule: LinearSchedule, values: list[float]) -> bool:
    """Whether what should fall has not."""
    still = len(values) > 1 and values[0] == values[-1]
    return still and schedule.start != schedule.end and abs(values[-1] - schedule.end) > 1e-6
