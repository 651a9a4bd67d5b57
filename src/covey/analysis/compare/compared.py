"""The two runs of a comparison, and their returns."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from ... import statistics
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


def compare_returns(
    curve: LearningCurve, other_curve: tuple[Float[np.ndarray, " u"], Float[np.ndarray, "u others"]]
) -> ReturnComparison | None:
    """Compare greedy returns at the last evaluation of the shorter run.

    Of the longer run this is its last evaluation up to there.
    """
    if not len(curve[0]) or not len(other_curve[0]):
        return None
    end = min(curve[0][-1], other_curve[0][-1])
    step, returns = _evaluation_at(curve, end)
    other_step, other_returns = _evaluation_at(other_curve, end)
    return ReturnComparison(
        a=statistics.summarise_scores(returns) | {"step": step},
        b=statistics.summarise_scores(other_returns) | {"step": other_step},
        b_over_a=statistics.against(other_returns, returns),
    )


def _evaluation_at(curve: LearningCurve, end: float) -> tuple[float, np.ndarray]:
    """Return the last step up to `end` that has an evaluation, and the seeds' returns there."""
    steps, values = curve
    last = max(0, int(np.searchsorted(steps, end, side="right")) - 1)
    return float(steps[last]), values[last]
