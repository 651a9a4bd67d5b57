"""The audit's report at the end of a run."""

from dataclasses import dataclass, field
from typing import Any

from ..text import count


@dataclass(frozen=True)
class ModuleReport:
    """Whether a module moved; `moved` is the share of seeds."""

    moved: float
    gradient: bool | None  # None: no optimiser state belongs to it, so nobody knows
    is_target: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return what summary.json holds."""
        return {"moved": self.moved, "gradient": self.gradient}


@dataclass(frozen=True)
class AuditReport:
    """The findings of the effect audit on a whole run."""

    settings_read: list[str]
    settings_idle: dict[str, str | None]  # by path: beside which other setting it would act
    off: list[str]  # coefficients of 0, and modules that a setting switches off
    terms: list[str]  # the named terms of losses
    updates: dict[str, int]  # of each learner
    judged: bool  # whether there were enough updates to decide what moves
    modules: dict[str, ModuleReport] = field(default_factory=dict)
    explored: dict[str, float] | None = None  # the share of actions that exploring changed, by learner
    notes: list[str] = field(default_factory=list)  # possible defects

    def to_json(self) -> dict[str, Any]:
        """Return what summary.json holds."""
        return {
            "settings": {"read": self.settings_read, "idle": self.settings_idle},
            "off": self.off,
            "terms": self.terms,
            "updates": self.updates,
            "judged": self.judged,
            "modules": {name: module.to_json() for name, module in self.modules.items()},
            "explored": self.explored,
            "notes": self.notes,
        }

    def lines(self) -> list[str]:
        """Return one line if all is well, and one more for each possible defect."""
        if not self.judged:
            most = max(self.updates.values(), default=0)
            few = f"{count(most, 'update')} are too few to tell what moves"
            return [f"effect audit: {self._settings()}; {few if self.updates else 'nobody learns'}"]
        parts = [self._settings(), self._moved()]
        if targets := self._targets():
            parts.append(targets)
        parts.append(f"exploring changed {self._exploration()} of actions")
        if self.off:
            parts.append(f"off by choice: {', '.join(self.off)}")
        return ["effect audit: " + ", ".join(parts), *(f"  possible defect: {note}" for note in self.notes)]

    def _settings(self) -> str:
        read = self.settings_read
        said = f"{count(len(read), 'setting')} read" if read else "settings as shipped"
        return said + (f", {len(self.settings_idle)} idle here" if self.settings_idle else "")

    def _moved(self) -> str:
        learning = [module for module in self.modules.values() if not module.is_target]
        moved = sum(module.moved > 0 for module in learning)
        known = any(module.gradient is not None for module in learning)
        how = "gradients read from optimiser states" if known else "no optimiser state shows gradients"
        return f"{count(moved, 'module')} moved ({how})"

    def _targets(self) -> str:
        targets = {name: module for name, module in self.modules.items() if module.is_target}
        still = [name for name, module in targets.items() if module.moved == 0]
        if still:
            return f"{still[0]} has not followed yet"
        return "targets followed" if targets else ""

    def _exploration(self) -> str:
        shares = [f"{name.rstrip('/')} {x:.0%}".strip() for name, x in (self.explored or {}).items()]
        return ", ".join(shares).replace("%", " %")
