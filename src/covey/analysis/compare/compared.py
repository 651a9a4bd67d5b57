"""The two runs of a comparison, and their returns."""

from dataclasses import dataclass, field
from typing import Any, Literal

from ...runs.metrics import LearningCurve

ComparisonVerdict = Literal["identical", "indistinguishable", "better", "worse", "not comparable", "unknown"]


@dataclass(frozen=True)
class ComparedRun:
    """One of the two runs."""

    run: str
    what: str  # the algorithm and the environment
    seeds: int
    steps: int
    status: str
    curve: LearningCurve = field(repr=False, compare=False)  # of greedy returns; no part of the JSON

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("run", "what", "seeds", "steps", "status")}


@dataclass(frozen=True)
class ReturnComparison:
    """Greedy returns of both runs at the last evaluation of the shorter one, and B's over A's."""

    a: dict[str, Any]
    b: dict[str, Any]
    b_over_a: dict[str, Any]
