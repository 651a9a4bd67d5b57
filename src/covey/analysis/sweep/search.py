"""Searches: which settings to try next, from what is known so far.

Each has `ask`, which returns the settings of the next trial or None where nothing is left, and `tell`.
"""

import zlib
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ...config import grid
from ...config.space import Axis, SearchRange, few_figures
from ...errors import UserError
from .plan import Plan


@runtime_checkable
class Search(Protocol):
    """Settings one after another."""

    def ask(self, number: int) -> dict[str, Any] | None:
        """Return the settings of an environment's trial of this number."""
        ...

    def tell(self, number: int, score: float | None) -> None:
        """Learn the score of a trial; None: it failed."""
        ...


def make_search(plan: Plan, environment: str, root: Path) -> Search:
    """Return the plan's search for an environment."""
    if plan.search == "grid":
        return GridSearch(plan)
    return TPESearch(plan, environment, root) if plan.search == "tpe" else RandomSearch(plan, environment)


class GridSearch:
    """Every combination, in order."""

    def __init__(self, plan: Plan):
        self.combinations = grid.combinations(plan.space)[: plan.planned]

    def ask(self, number: int) -> dict[str, Any] | None:
        return self.combinations[number] if number < len(self.combinations) else None

    def tell(self, number: int, score: float | None) -> None:
        pass


class RandomSearch:
    """Independent draws; a trial's depend on its number and environment alone."""

    def __init__(self, plan: Plan, environment: str):
        self.plan = plan
        self.seed = [int(plan.options.get("seed") or 0), zlib.crc32(environment.encode())]

    def ask(self, number: int) -> dict[str, Any] | None:
        if number >= self.plan.planned:
            return None
        rng = np.random.default_rng([*self.seed, number])
        return {key: _draw(axis, float(rng.random())) for key, axis in self.plan.space.items()}

    def tell(self, number: int, score: float | None) -> None:
        pass


def _draw(axis: Axis, share: float) -> Any:
    return axis.at(share) if isinstance(axis, SearchRange) else axis[int(share * len(axis))]


class TPESearch:
    """The tree-structured Parzen estimator (Bergstra et al., 2011), by Optuna.

    Optuna keeps its trials in a journal in the sweep's folder, from which the search goes on.
    """

    def __init__(self, plan: Plan, environment: str, root: Path):
        try:
            import optuna  # pyright: ignore[reportMissingImports]
            from optuna.storages.journal import JournalFileBackend  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise UserError(
                "--search tpe needs Optuna: pip install 'covey[search]', or set --search random"
            ) from error
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.plan = plan
        self.optuna: Any = optuna
        seed = (int(plan.options.get("seed") or 0) + zlib.crc32(environment.encode())) % 2**32
        self.study = optuna.create_study(
            storage=optuna.storages.JournalStorage(JournalFileBackend(str(root / "optuna.jsonl"))),
            sampler=optuna.samplers.TPESampler(seed=seed, constant_liar=True),
            study_name=environment,
            direction="maximize",
            load_if_exists=True,
        )

    def _distribution(self, axis: Axis) -> Any:
        kinds = self.optuna.distributions
        if not isinstance(axis, SearchRange):
            return kinds.CategoricalDistribution(range(len(axis)))  # places: values may be lists
        if axis.kind == "whole":
            return kinds.IntDistribution(int(axis.low), int(axis.high))
        return kinds.FloatDistribution(axis.low, axis.high, log=axis.kind == "log")

    def ask(self, number: int) -> dict[str, Any] | None:
        if number >= self.plan.planned:
            return None
        space = self.plan.space
        if number < len(self.study.trials):  # asked before the sweep was interrupted
            chosen = self.study.trials[number].params
        else:
            chosen = self.study.ask({key: self._distribution(axis) for key, axis in space.items()}).params
        return {key: _chosen(axis, chosen[key]) for key, axis in space.items()}

    def tell(self, number: int, score: float | None) -> None:
        if self.study.trials[number].state.is_finished():
            return
        failed = self.optuna.trial.TrialState.FAIL
        if score is None:
            self.study.tell(number, state=failed)
        else:
            self.study.tell(number, score)


def _chosen(axis: Axis, value: Any) -> Any:
    if not isinstance(axis, SearchRange):
        return axis[value]
    return value if axis.kind == "whole" else few_figures(value)
