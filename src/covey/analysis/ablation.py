"""A grid of runs as one job: finished runs are left alone, interrupted ones resumed, the rest trained."""

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
from ..runs import run
from ..runs.engine import Engine
from ..runs.folder import RunFolder
from ..runs.results import DrawCurve
from .ablation_results import Ablation, AblationCell
from .compare.differences import differing, every_setting

# options that may differ from those of a run that is there: they change no result
_FREE = ("--save-every", "--keep", "--no-tensorboard")


class _Cell(NamedTuple):
    """One combination of settings, and the folder of its run."""

    name: str
    config: Config
    folder: RunFolder

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
    if out is not None and RunFolder(out).config.exists():
        raise UserError(f"--out {out} holds a run: name another folder for the grid")
    cells = plan_grid(algorithm, environment, axes, options, out)
    for cell in cells:
        if cell.exists:
            _refuse_another_run(cell)
    say = (lambda line: None) if quiet else (lambda line: print(line, flush=True))
    failures: dict[str, str] = {}
    lenders: list[Engine] = []
    for number, cell in enumerate(cells, 1):
        if cell.finished:
            say(f"[{number}/{len(cells)}] {cell.name}: finished before")
            continue
        say(f"[{number}/{len(cells)}] {cell.name}")
        try:
            _train_cell(cell, quiet, draw_curve, lenders)
        except UserError as error:
            failures[cell.name] = command_line_sentence(error)
            say(f"failed: {failures[cell.name]}")
        except KeyboardInterrupt:
            say("stopped: the same command goes on from here")
            raise
        finally:
            write_ablation(_collect(cells, failures))
    return _collect(cells, failures)


def write_ablation(ablation: Ablation) -> None:
    """Write ablation.json."""
    root = RunFolder(ablation.path)
    root.write_json(root.path / "ablation.json", ablation.to_json())


def plan_grid(
    algorithm: str, environment: str, axes: grid.Axes, options: Mapping[str, Any], out: str | Path | None
) -> list[_Cell]:
    """Resolve the settings of every combination; refuse wrong ones before anything trains."""
    algorithms = {"algorithm": grid.split_values(algorithm)}
    axes = algorithms | {key: [settings.dump(x) for x in values] for key, values in axes.items()}
    choices = grid.combinations(axes)
    if len(choices) < 2:
        raise UserError(
            "nothing varies: give a setting several values, as gamma=.9,.99, or use `covey train`"
        )
    configs = {}
    for choice in choices:
        name = grid.combination_name(choice, axes)
        pairs = {key: value for key, value in choice.items() if key != "algorithm"}
        try:
            configs[name] = Config.parse(choice["algorithm"], environment, pairs, options)
            configs[name].build()
        except UserError as error:
            raise UserError(f"{name}: {command_line_sentence(error)}") from error
    root = Path(out) if out else Path("runs") / _default_name(algorithm, environment, configs)
    return [_Cell(name, config, RunFolder(root / grid.folder_name(name))) for name, config in configs.items()]


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


def _train_cell(cell: _Cell, quiet: bool, draw_curve: DrawCurve, lenders: list[Engine]) -> None:
    if cell.exists:
        result = run.resume_run(cell.folder.path, quiet=quiet, lenders=lenders)
    else:
        result = run.train_run(cell.config, cell.folder.path, quiet, lenders)
    result.close(draw_curve)


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
