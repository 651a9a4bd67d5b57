"""What is known while training: modules that do not move, targets that do not follow, losses that are 0."""

from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jaxtyping import Bool, Shaped

from ..errors import UserError
from ..parts import AbstractTarget, LinearSchedule, SoftTarget
from . import health
from .fields import OFF
from .modules import FOLLOWS, STAYS, Anatomy, Module, moves

Arrays = list[Shaped[np.ndarray, "seeds ..."]]
WINDOW = 20  # updates, within which whatever learns has moved


def due(algorithm: Any) -> int | None:
    """After how many updates its targets have followed; None if nobody knows."""
    targets = [x for x in jax.tree.leaves(algorithm, is_leaf=is_target) if is_target(x)]
    periods = [getattr(x, "period", 1 if isinstance(x, SoftTarget) else None) for x in targets]
    known = [period for period in periods if isinstance(period, int)]
    return max(WINDOW, *known) if known and known == periods else None


def is_target(x: Any) -> bool:
    return isinstance(x, AbstractTarget)


@dataclass
class Watch:
    """One learner under way: all seeds of it, looked at between chunks."""

    prefix: str
    algorithm: Any
    anatomy: Anatomy
    exempt: set[str]  # modules that stay as they are by choice
    still: bool  # a learning rate is 0 by choice
    first: Arrays = field(default_factory=list)
    middle: Arrays = field(default_factory=list)  # where the second half begins
    halfway: int = 0  # updates by then
    updates: int = 0
    moved: dict[str, Bool[np.ndarray, " seeds"]] = field(default_factory=dict)
    gradient: dict[str, bool | None] = field(default_factory=dict)  # None: no optimiser holds it
    told: dict[str, list[float]] = field(default_factory=dict)  # means over chunks of what updates reported
    alive: dict[str, bool] = field(default_factory=dict)  # whether a reported number was ever not 0

    @property
    def modules(self) -> list[Module]:
        return [m for m in self.anatomy.modules if m.name not in self.exempt and not m.says(*STAYS)]

    @property
    def wait(self) -> int:
        """The updates after which all can be judged."""
        follows = any(m.says(FOLLOWS) for m in self.modules)
        return (due(self.algorithm) or WINDOW) if follows else WINDOW

    def listen(self, metrics: dict[str, Shaped[np.ndarray, "seeds ..."]]) -> None:
        for name, x in metrics.items():
            if (real := x[np.isfinite(x)]).size:
                self.told.setdefault(name, []).append(float(np.mean(real, dtype=np.float64)))
                self.alive[name] = self.alive.get(name, False) or bool(np.any(real))

    def judge(self, now: Arrays, terms: list[str]) -> None:
        """Refuses what is certainly a defect after so many updates."""
        losses = [name for name in self.alive if name.endswith("loss")]
        if losses and not any(self.alive[name] for name in losses):
            self.refuse(
                f"{' and '.join(losses)} was exactly 0 in {self.updates} updates: nothing valid reaches it; "
                "look for a mask of all zeros"
            )
        for name in terms:
            if not self.alive.get(name, True):
                self.refuse(
                    f"the loss term {name} was exactly 0 in {self.updates} updates: is its mask all zeros?"
                )
        self.compare(now)
        stuck = self.anatomy.largest({m.name: not self.moved[m.name].any() for m in self.modules})
        for module in stuck:
            follows = module.says(FOLLOWS)
            if not self.still and not (follows and due(self.algorithm) is None):
                self.refuse(f"{module.name} {self.why(module)}")

    def compare(self, now: Arrays) -> None:
        """Which modules have moved since the beginning, in which seeds; which have had a gradient."""
        seeds = range(len(now[0]))
        for module in self.modules:
            leaves = [i for i in module.leaves if moves(now[i])]
            pairs = [(self.first[i], now[i]) for i in leaves]
            self.moved[module.name] = np.array([any((a[k] != b[k]).any() for a, b in pairs) for k in seeds])
            self.finite(module, [now[i] for i in leaves])
            held = [j for i in leaves for j in self.anatomy.remembered.get(i, [])]
            self.gradient[module.name] = any(now[j].any() for j in held) if held else None

    def finite(self, module: Module, leaves: Arrays) -> None:
        if not all(np.isfinite(x).all() for x in leaves):
            self.refuse(f"{module.name} has become infinite or NaN; lower optimiser.lr, or optimiser.clip")

    def why(self, module: Module) -> str:
        since = f"in {self.updates} updates"
        if module.says(FOLLOWS):
            return f"has not followed {since}: whatever should copy the network to it does not"
        if self.gradient[module.name]:
            return f"has gradients but did not move {since}: its learning rate is 0, or update drops it"
        return (
            f"had no gradient and did not move {since}: look for a stop_gradient too many, an output "
            "multiplied by 0, a mask of zeros, or an optimiser that was not given it"
        )

    def refuse(self, what: str) -> None:
        raise UserError(f"effect audit: {self.prefix}{what} {OFF}")

    def notes(self, now: Arrays) -> list[str]:
        """What may be a defect."""
        found = []
        for module in self.anatomy.largest(
            {m.name: not self.moved.get(m.name, np.ones(1)).all() for m in self.modules}
        ):
            odd = [str(k) for k, moved in enumerate(self.moved[module.name]) if not moved]
            found.append(f"{module.name} has not moved in seed {', '.join(odd)}")
        found += health.weights(self.modules, self.first, now)
        if self.middle and self.updates >= self.halfway + WINDOW:
            found += health.units(self.anatomy, self.middle, now)
        found += health.reports(self.told)
        schedule, epsilon = getattr(self.algorithm, "epsilon", None), self.told.get("epsilon", [])
        if isinstance(schedule, LinearSchedule) and health.stuck(schedule, epsilon):
            found.append(
                f"epsilon stayed at {epsilon[-1]:g}, on its way from {schedule.start:g} to {schedule.end:g}"
            )
        return [self.prefix + note for note in found]
