"""The comparison of two runs on disk."""

from collections.abc import Callable
from pathlib import Path

from ...config.config import Config
from ...errors import UserError
from ...runs.folder import RunFolder
from ...runs.metrics import LearningCurve, convention, curves
from ...runs.records import Row
from ...runs.session import Training
from .bits import BitComparison, compare_bits, rows_by_place
from .compared import ComparedRun, compare_returns
from .comparison import Comparison
from .curves_alone import compare_curves, is_imported
from .differences import (
    TensorDifferences,
    differing,
    differing_circumstances,
    every_setting,
    nested_settings,
    tensor_differences,
    tensor_shapes,
    unread_settings,
)
from .divergence import Divergence, NoSearch, Rerun, find_divergence

_PATIENCE = 120.0  # seconds that the search for the first differing update may take by default


class _RunOnDisk:
    """One of the two runs, read from its folder."""

    def __init__(self, path: str | Path):
        self.folder = RunFolder.existing(path)
        self.config = Config.from_yaml(self.folder.config)
        self.training = Training(self.config, self.folder, quiet=True)
        self.engine = self.training.engine
        self.spec = self.training.spec
        self.rows: list[Row] = list(self.folder.rows())
        if not self.rows:
            raise UserError(f"{path} has reported nothing yet: there is nothing to compare")
        if any("fingerprint" not in row or "seen" not in row or "seconds" not in row for row in self.rows):
            raise UserError(f"{self.folder.metrics} has rows without fingerprints: compare trained runs")
        seeds = {row["seed"] for row in self.rows}
        if seeds != set(range(self.config.seeds)):
            there = f"seeds {', '.join(map(str, sorted(seeds)))}, and its config.yaml {self.config.seeds}"
            raise UserError(f"{self.folder.metrics} has {there}: one of the two was changed since")
        self.placed = rows_by_place(self.rows, self.config.seed, self.engine.iterations)
        self.settings = every_setting(self.config)
        self.summary = self.folder.read_summary()
        self.provenance = self.folder.read_run()

    def curve(self, team: str) -> LearningCurve:
        """Return the greedy returns of a team over steps."""
        return curves(self.rows, f"eval/return/{team}")

    def summarise(self, team: str) -> ComparedRun:
        """Return the facts that a comparison keeps."""
        return ComparedRun(
            run=str(self.folder.path),
            what=f"{self.config.algorithm} on {self.config.environment}",
            seeds=self.config.seeds,
            steps=max(row["step"] for row in self.rows),
            status=self.provenance.get("status", "unknown"),
            curve=self.curve(team),
        )


def compare_runs(
    a: str | Path,
    b: str | Path,
    trace: int | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Comparison:
    """Compare run B with run A.

    `trace` is the most steps of a seed that may be run again to find the first update at which they
    diverge; None allows as many as take about two minutes. `say` is called with the progress of that.
    """
    if is_imported(a) or is_imported(b):
        return compare_curves(a, b)
    first = _RunOnDisk(a)
    second = _RunOnDisk(b)
    team = _shared_team(first, second)
    nested = nested_settings(first.settings, second.settings)
    unread = unread_settings(first.summary, second.summary)
    aligned = first.engine.iterations == second.engine.iterations
    bits = compare_bits(first.placed, second.placed, aligned)
    names = tensor_shapes(first.engine)
    tensors = tensor_differences(names, tensor_shapes(second.engine))
    return Comparison(
        a=first.summarise(team),
        b=second.summarise(team),
        team=team,
        convention=convention(first.spec),
        horizon=first.spec.horizon,
        settings=tuple(
            d for d in differing(first.settings, second.settings, unread) if d.setting not in nested
        ),
        nested=nested,
        circumstances=tuple(differing_circumstances(first.provenance, second.provenance)),
        tensors=tensors,
        bits=bits,
        tensor_names=tuple(names),
        divergence=_search_divergence(first, second, bits, tensors, trace, say),
        returns=compare_returns(first.curve(team), second.curve(team)),
    )


def _shared_team(a: _RunOnDisk, b: _RunOnDisk) -> str:
    """Return the team whose returns are compared; refuse runs that have none in common."""
    world = a.settings["environment"]
    other_world = b.settings["environment"]
    if world != other_world or a.spec.teams != b.spec.teams:
        raise UserError(
            f"{a.folder.path} was trained in {world}, {b.folder.path} in {other_world}: returns of different "
            "worlds cannot be compared; compare runs of the same one"
        )
    team = a.engine.learning_team
    other_team = b.engine.learning_team
    if team != other_team:
        raise UserError(
            f"in {a.folder.path} team {team} learns first, in {b.folder.path} team {other_team}: "
            "compare runs in which the same team learns"
        )
    return team


def _search_divergence(
    a: _RunOnDisk,
    b: _RunOnDisk,
    bits: BitComparison,
    tensors: TensorDifferences,
    trace: int | None,
    say: Callable[[str], None],
) -> Divergence | NoSearch | None:
    """Return where the runs diverge, or why that was not searched; None where they do not."""
    if bits.first_difference is None:
        return None
    if tensors:
        return NoSearch("they are not made of the same tensors, so they part before the first update")
    if a.engine.hosted or b.engine.hosted:
        return NoSearch("a world in plain Python is not re-run")
    if a.training.pools.pools or b.training.pools.pools:
        return NoSearch("a pool of opponents changes between reports, and is not re-run")
    until = bits.last_match.step if bits.last_match else 0
    clock = bits.last_match.clock if bits.last_match else 0
    seed = bits.first_difference.seed
    seconds = sum(_seconds(run, clock, seed) for run in (a, b))
    command = "covey compare … --trace"
    if trace is None and seconds > _PATIENCE:
        return NoSearch(f"re-running both so far takes about {seconds / 60:.0f} minutes: {command} {until}")
    if trace is not None and until >= trace:
        return NoSearch(f"they are alike for {until:,} steps: {command} {until + 1} re-runs them")
    reruns = [Rerun(run.folder, run.training, seed, run.placed) for run in (a, b)]
    return find_divergence(reruns[0], reruns[1], bits, say)


def _seconds(run: _RunOnDisk, clock: int, seed: int) -> float:
    """Return the seconds that one lane took up to `clock`, by the run's own record."""
    row = run.placed.get((clock, seed))
    return row["seconds"] / len(run.engine.layout.lanes) if row else 0.0
