"""Checks while training: modules that do not move, targets that do not follow, losses that are 0."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax
import numpy as np
from jaxtyping import Bool, Shaped

from ..errors import UserError
from ..parts import (
    AbstractOptimiser,
    AbstractTarget,
    ConstantSchedule,
    LinearSchedule,
    SoftTarget,
    find_setting,
)
from . import health
from .health import SeedArrays
from .modules import Anatomy, LearnerModule, is_float
from .settings_read import NO_AUDIT

WINDOW = 20  # updates; every module that learns has moved by then


def _parts_of(algorithm: Any, kind: type) -> list[Any]:
    """Return all parts of an algorithm that are of this type."""
    is_part = lambda x: isinstance(x, kind)
    return [part for part in jax.tree.leaves(algorithm, is_leaf=is_part) if is_part(part)]


def _target_period(algorithm: Any) -> int | None:
    """Return the updates after which all targets have followed; None if a target does not say."""
    targets = _parts_of(algorithm, AbstractTarget)
    periods = [getattr(x, "period", 1 if isinstance(x, SoftTarget) else None) for x in targets]
    known = [period for period in periods if isinstance(period, int)]
    return max(WINDOW, *known) if known and known == periods else None


def _learning_rate_is_zero(algorithm: Any) -> bool:
    """Say whether the learning rate of any optimiser is the constant 0."""
    rates = [optimiser.lr for optimiser in _parts_of(algorithm, AbstractOptimiser)]
    return any(isinstance(rate, ConstantSchedule) and rate.value == 0 for rate in rates)


@dataclass
class LearnerWatch:
    """One learner in training: all of its seeds, examined between chunks."""

    prefix: str
    algorithm: Any
    anatomy: Anatomy
    exempt: set[str]  # modules that stay as they are by choice
    terms: list[str]  # of its losses, by name
    summands: set[str] = field(default_factory=set)  # metrics that are summands of a loss
    first: SeedArrays = field(default_factory=list)
    middle: SeedArrays = field(default_factory=list)  # at the start of the second half
    middle_updates: int = 0
    updates: int = 0
    moved: dict[str, Bool[np.ndarray, " seeds"]] = field(default_factory=dict)
    gradient: dict[str, bool | None] = field(default_factory=dict)  # None: no optimiser state belongs to it
    means: dict[str, list[float]] = field(default_factory=dict)  # of each metric over each chunk
    ever_nonzero: dict[str, bool] = field(default_factory=dict)  # by metric

    @cached_property
    def modules(self) -> list[LearnerModule]:
        """The modules that should move."""
        return [m for m in self.anatomy.modules if m.name not in self.exempt and not m.is_frozen]

    def follows(self, module: LearnerModule) -> bool:
        """Say whether a module follows another one, or may do so: it moves once in a period."""
        return module.is_target or self.anatomy.lookalike(module) is not None

    @cached_property
    def window(self) -> int:
        """The updates after which every module should have moved."""
        follows = any(self.follows(m) for m in self.modules)
        return (_target_period(self.algorithm) or WINDOW) if follows else WINDOW

    @property
    def due(self) -> list[LearnerModule]:
        """The modules that should have moved by now: those that follow others once a period is over."""
        return [m for m in self.modules if self.updates >= self.window or not self.follows(m)]

    def begin_alike(self) -> bool:
        """Say whether all seeds begin with the same weights, though they are not all of one value."""
        places = {i for m in self.modules for i in m.leaves if is_float(self.first[i])}
        drawn = [x for x in (self.first[i] for i in places) if x.size > len(x) and np.ptp(x[0]) > 0]
        several = bool(drawn) and len(drawn[0]) > 1
        return several and all((x == x[:1]).all() for x in drawn)

    def record(self, metrics: dict[str, Shaped[np.ndarray, "seeds ..."]]) -> None:
        """Keep the means of a chunk's metrics."""
        for name, x in metrics.items():
            if (finite := x[np.isfinite(x)]).size:
                self.means.setdefault(name, []).append(float(np.mean(finite, dtype=np.float64)))
                self.ever_nonzero[name] = self.ever_nonzero.get(name, False) or bool(np.any(finite))

    def check(self, now: SeedArrays) -> None:
        """Refuse certain defects, once the window is over."""
        self._check_losses()
        self.compare(now)
        for module in self._stuck():
            self._refuse(f"{module.name} {self._why_stuck(module)}")

    def _stuck(self) -> list[LearnerModule]:
        """Return the modules that should have moved and have not, in any seed."""
        if _learning_rate_is_zero(self.algorithm):
            return []
        early = lambda m: m.is_target and _target_period(self.algorithm) is None
        return self.anatomy.largest({m.name: not (self.moved[m.name].any() or early(m)) for m in self.due})

    def _check_losses(self) -> None:
        terms = [name for name in self.terms if name in self.ever_nonzero]
        zero = [name for name in terms if not self.ever_nonzero[name]]
        if len(zero) > 1 and zero == terms:
            self._refuse(
                f"the loss terms {' and '.join(terms)} were exactly 0 in {self.updates} updates: no valid "
                "step reaches them; look for a mask of all zeros"
            )
        for name in zero:
            self._refuse(
                f"the loss term {name} was exactly 0 in {self.updates} updates: look for a mask of all zeros"
            )

    def compare(self, now: SeedArrays) -> None:
        """Find the modules that have moved since the start, by seed, and those that have had a gradient."""
        seeds = range(len(now[0]))
        for module in self.modules:
            leaves = [i for i in module.leaves if is_float(now[i])]
            pairs = [(self.first[i], now[i]) for i in leaves]
            self.moved[module.name] = np.array([any((a[k] != b[k]).any() for a, b in pairs) for k in seeds])
            self._check_finite(module, [now[i] for i in leaves])
            moments = [j for i in leaves for j in self.anatomy.moments.get(i, [])]
            self.gradient[module.name] = any(now[j].any() for j in moments) if moments else None

    def _check_finite(self, module: LearnerModule, arrays: SeedArrays) -> None:
        if not all(np.isfinite(x).all() for x in arrays):
            self._refuse(f"{module.name} has become infinite or NaN; lower optimiser.lr, or optimiser.clip")

    def _why_stuck(self, module: LearnerModule) -> str:
        since = f"in {self.updates} updates"
        if module.is_target:
            return f"has not followed {since}: nothing copies the network to it"
        other = self.anatomy.lookalike(module)
        if other is not None and self.moved.get(other.name, np.zeros(1)).any():
            hint = f"; or, if it should follow {other.name}, wrap it in covey.core.Target"
        else:
            hint = ""
        if self.gradient[module.name]:
            return f"has gradients but did not move {since}: its learning rate is 0, or update drops it{hint}"
        return (
            f"had no gradient and did not move {since}: look for a stop_gradient too many, an output "
            f"multiplied by 0, a mask of zeros, or an optimiser that was not given it{hint}"
        )

    def _refuse(self, problem: str) -> None:
        raise UserError(f"effect audit: {self.prefix}{problem} {NO_AUDIT}")

    def notes(self, now: SeedArrays) -> list[str]:
        """Report possible defects at the end, also where there were too few updates to refuse the run."""
        stuck = [module.name for module in self._stuck()]
        notes = [f"{m.name} {self._why_stuck(m)}" for m in self._stuck()]
        still = {m.name: not self.moved[m.name].all() and m.name not in stuck for m in self.due}
        for module in self.anatomy.largest(still):
            seeds = [str(k) for k, moved in enumerate(self.moved[module.name]) if not moved]
            notes.append(f"{module.name} has not moved in seed {', '.join(seeds)}")
        for name in sorted({*self.summands, *self.terms}):
            if self.ever_nonzero.get(name) is False:
                notes.append(f"{name}, a term of a loss, was exactly 0 in all {self.updates} updates")
        notes += health.weight_notes(self.modules, self.first, now)
        if self.middle and self.updates >= self.middle_updates + WINDOW:
            notes += health.dead_unit_notes(self.anatomy, self.middle, now)
        notes += health.metric_notes(self.means)
        schedule = find_setting(self.algorithm, "epsilon")
        epsilon = self.means.get("epsilon", [])
        if isinstance(schedule, LinearSchedule) and health.is_stuck(schedule, epsilon):
            notes.append(
                f"epsilon stayed at {epsilon[-1]:g}, on its way from {schedule.start:g} to {schedule.end:g}"
            )
        return [self.prefix + note for note in notes]
