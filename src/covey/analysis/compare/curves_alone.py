"""The comparison of runs of which one was imported: by their curves alone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...config.config import Config
from ...config.imported import read_imported
from ...config.settings import flatten
from ...errors import UserError
from ...runs.folder import RunFolder
from ...runs.metrics import LearningCurve, curves
from ...runs.provenance import read_spec
from .bits import BitComparison
from .compared import ComparedRun, compare_returns
from .comparison import Comparison
from .differences import NestedSettings, TensorDifferences, differing, every_setting
from .divergence import NoSearch

_NO_BITS = BitComparison((), 0, 0, None, None, (), ())
_NO_TENSORS = TensorDifferences([], [], {}, {})


@dataclass(frozen=True)
class _Curves:
    """One of the two runs, as far as an imported one goes."""

    folder: RunFolder
    library: str  # "" for covey's own
    settings: dict[str, Any]
    team: str
    convention: str
    horizon: int
    curve: LearningCurve

    def summarise(self) -> ComparedRun:
        steps = [row["step"] for row in self.folder.rows()]
        return ComparedRun(
            run=str(self.folder.path),
            what=f"{self.settings['algorithm']} on {self.settings['environment']}",
            seeds=self.curve[1].shape[1],
            steps=max(steps),
            status=self.folder.read_run().get("status", "unknown"),
            curve=self.curve,
        )


def is_imported(path: str | Path) -> bool:
    """Return whether a run was imported."""
    return read_imported(RunFolder.existing(path).path) is not None


def compare_curves(a: str | Path, b: str | Path) -> Comparison:
    """Compare run B with run A by their greedy returns."""
    first = _read(a)
    second = _read(b)
    worlds = (first.settings["environment"], second.settings["environment"])
    if len(set(worlds)) > 1:
        raise UserError(
            f"{a} was in {worlds[0]}, {b} in {worlds[1]}: returns of different worlds cannot be compared; "
            "if it is the same one, import the results again with --env"
        )
    same_library = first.library == second.library
    shared = ["algorithm", *(name for name in first.settings if name.startswith("env."))]
    names = [*first.settings, *second.settings] if same_library else shared
    both = lambda run, other: {n: run.settings[n] for n in names if n in run.settings and n in other.settings}
    conventions = dict.fromkeys((first.convention, second.convention))
    return Comparison(
        a=first.summarise(),
        b=second.summarise(),
        team=first.team,
        convention="; against ".join(conventions),
        horizon=max(first.horizon, second.horizon),
        settings=tuple(differing(both(first, second), both(second, first))),
        nested=NestedSettings("", "", {}),
        circumstances=(),
        tensors=_NO_TENSORS,
        bits=_NO_BITS,
        tensor_names=(),
        divergence=NoSearch("an imported run has curves alone, and no weights to compare"),
        returns=compare_returns(first.curve, second.curve),
    )


def _read(path: str | Path) -> _Curves:
    folder = RunFolder.existing(path)
    evaluation = folder.read_summary().get("eval")
    if evaluation is None:
        raise UserError(f"{path} has no summary yet: compare it when it has come to its end")
    imported = read_imported(folder.path)
    team = evaluation["team"]
    if imported is None:
        settings = every_setting(Config.from_yaml(folder.config))
        spec = read_spec(folder)
    else:
        world = flatten({f"env.{name}": value for name, value in imported.env.items()})
        head = {"algorithm": imported.algorithm, "environment": imported.environment}
        settings = head | world | imported.settings
        spec = None
    return _Curves(
        folder=folder,
        library=imported.library if imported else "",
        settings=settings,
        team=team,
        convention=evaluation["convention"],
        horizon=spec.horizon if spec else 0,
        curve=curves(list(folder.rows()), f"eval/return/{team}"),
    )
