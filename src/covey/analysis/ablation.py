"""A grid of runs as one table: the grid case of a sweep, trained in this process.

Finished runs are left alone, interrupted ones resumed, the rest trained.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import statistics, yaml_text
from ..config import grid, settings
from ..config.config import Config
from ..config.options import command_line_sentence
from ..errors import UserError
from ..runs.engine import Engine
from ..runs.folder import RunFolder
from ..runs.results import DrawCurve
from .ablation_results import Ablation, AblationCell
from .compare.differences import differing, every_setting
from .sweep.plan import Plan, Trial, TrialBook
from .sweep.schedule import continue_sweep
from .sweep.worker import train_trial
from .sweep.workers import InTurn, Job

# options that may differ from those of a run that is there: they change no result
_FREE = ("--save-every", "--keep", "--light", "--no-tensorboard")


class _Cell(NamedTuple):
    """One combination of settings, and the folder of its run."""

    trial: Trial
    config: Config
    folder: RunFolder

    @property
    def name(self) -> str:
        return self.trial.name

    @property
    def exists(self) -> bool:
        return self.folder.config.exists()

    @property
    def status(self) -> str:
        return self.folder.read_run().get("status", "begun") if self.exists else "not begun"

    @property
    def finished(self) -> bool:
        return self.status == "finished" and self.folder.summary.exists()


def train_grid(
    algorithm: str,
    environment: str,
    axes: grid.Axes,
    options: Mapping[str, Any],
    draw_curve: DrawCurve,
    out: str | Path | None = None,
    quiet: bool = False,
) -> Ablation:
    """Check every combination, then train what is missing; ablation.json follows every run that ends."""
    if out is not None:
        _refuse_another_folder(Path(out))
    plan = grid_plan(algorithm, environment, axes, options)
    configs = check_grid(plan)
    root = Path(out) if out else Path("runs") / _default_name(algorithm, environment, configs)
    cells = _cells(plan, root, configs)
    for cell in cells:
        if cell.exists:
            _refuse_another_run(cell)
    say = (lambda line: None) if quiet else (lambda line: print(line, flush=True))
    label = lambda number: f"[{number + 1}/{len(cells)}] {cells[number].name}"
    lenders: list[Engine] = []

    def train(job: Job) -> dict[str, Any]:
        say(label(job.number))
        return train_trial(root, *job, quiet=quiet, draw=draw_curve, lenders=lenders)

    plan.write(root)
    TrialBook(root).write([cell.trial for cell in cells])
    for number, cell in enumerate(cells):
        if cell.finished:
            say(f"{label(number)}: finished before")
    failures: dict[str, str] = {}

    def ended(by_number: Mapping[int, str]) -> None:
        failures.update({cells[number].name: error for number, error in by_number.items()})
        write_ablation(_collect(cells, failures))

    try:
        continue_sweep(root, say, InTurn(train), ended, "the same command")
    finally:
        write_ablation(_collect(cells, failures))
    return _collect(cells, failures)


def write_ablation(ablation: Ablation) -> None:
    """Write ablation.json."""
    root = RunFolder(ablation.path)
    root.write_json(root.path / "ablation.json", ablation.to_json())


def grid_plan(algorithm: str, environment: str, axes: grid.Axes, options: Mapping[str, Any]) -> Plan:
    """Return a grid as the plan of a sweep."""
    values = {key: [settings.dump(x) for x in values] for key, values in axes.items()}
    names = grid.split_values(algorithm)
    grid.combinations({"algorithm": names} | values)  # refuses a value that stands twice
    given = {name: value for name, value in options.items() if value is not None}
    return Plan(names, [environment], values, fresh=0, options=given, on="sequential")


def check_grid(plan: Plan) -> dict[str, Config]:
    """Resolve the settings of every combination; refuse wrong ones before anything trains."""
    configs = {}
    for trial in _trials(plan):
        configs[trial.name] = trial.config(plan)
        try:
            configs[trial.name].build()
        except UserError as error:
            raise UserError(f"{trial.name}: {command_line_sentence(error)}") from error
    return configs


def _trials(plan: Plan) -> list[Trial]:
    """Return a grid's trials, whose folders have the names of their settings."""
    trials = []
    for number, choice in enumerate(grid.combinations(plan.space)):
        name = plan.settings_name(choice, plan.environments[0])
        trials.append(Trial(number, plan.environments[0], choice, grid.folder_name(name), name))
    return trials


def _cells(plan: Plan, root: Path, configs: Mapping[str, Config]) -> list[_Cell]:
    return [_Cell(trial, configs[trial.name], trial.run_folder(root)) for trial in _trials(plan)]


def _refuse_another_folder(out: Path) -> None:
    """Raise if a folder holds something else than a grid."""
    if RunFolder(out).config.exists():
        raise UserError(f"--out {out} holds a run: name another folder for the grid")
    if any("/" in trial.folder for trial in TrialBook(out).trials):
        raise UserError(f"--out {out} holds a sweep: name another folder, or `covey sweep {out}` goes on")


def _default_name(algorithm: str, environment: str, configs: Mapping[str, Config]) -> str:
    """Return the same name for the same command, so that it finds its runs again."""
    everything = json.dumps([every_setting(config) for config in configs.values()])
    return grid.folder_name(f"ablate_{algorithm}_{environment}_{zlib.crc32(everything.encode()):08x}")


def _refuse_another_run(cell: _Cell) -> None:
    """Raise if the folder holds a run with other settings."""
    there = every_setting(Config.from_yaml(cell.folder.config))
    for difference in differing(there, every_setting(cell.config)):
        if difference.setting not in _FREE:
            raise UserError(
                f"{cell.folder.path} holds a run with {difference.setting} {yaml_text.inline(difference.a)}, "
                f"not {yaml_text.inline(difference.b)}: choose another --out"
            )


def _collect(cells: list[_Cell], failures: Mapping[str, str]) -> Ablation:
    """Read the summaries that are there."""
    first = cells[0].config
    first_scores = _scores(cells[0])
    results = [_result(cells[0], None, failures)]
    results += [_result(cell, first_scores, failures) for cell in cells[1:]]
    return Ablation(
        path=str(cells[0].folder.path.parent),
        algorithm=first.algorithm,
        environment=first.environment,
        steps=first.steps,
        seeds=first.seeds,
        cells=tuple(results),
    )


def _scores(cell: _Cell) -> np.ndarray | None:
    """Return the final greedy return of each seed; None until the run is finished."""
    summary = cell.folder.read_summary() if cell.finished else {}
    return np.array(summary["eval"]["team_return"]["per_seed"]) if summary else None


def _result(cell: _Cell, first_scores: np.ndarray | None, failures: Mapping[str, str]) -> AblationCell:
    result = AblationCell(
        name=cell.name,
        run=str(cell.folder.path),
        algorithm=cell.config.algorithm,
        status=cell.status,
        error=failures.get(cell.name),
        settings=every_setting(cell.config),
    )
    scores = _scores(cell)
    if scores is None:
        return result
    summary = cell.folder.read_summary()
    return replace(
        result,
        convention=summary["eval"]["convention"],
        team=summary["eval"]["team"],
        team_return=summary["eval"]["team_return"],
        seconds=summary["train"]["wall_seconds"],
        over_first=statistics.against(scores, first_scores) if first_scores is not None else None,
    )
