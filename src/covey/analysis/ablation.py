"""A grid of runs as one job: what is finished is left, what broke off is resumed, the rest is trained."""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import statistics, yaml_text
from ..config import grid, settings
from ..config.config import Config
from ..errors import UserError
from ..runs import run
from ..runs.folder import RunFolder
from ..show import plot
from ..text import clock, count, signed, table
from .compare.differences import differing, every_setting

FREE = ("--save-every",)  # what may differ from the run that is there: it is no part of the result


class Cell(NamedTuple):
    """One combination, and the folder of its run."""

    name: str
    config: Config
    folder: RunFolder

    @property
    def begun(self) -> bool:
        return self.folder.config.exists()

    @property
    def status(self) -> str:
        return self.folder.read_json(self.folder.run).get("status", "begun") if self.begun else "not begun"

    @property
    def finished(self) -> bool:
        return self.status == "finished" and self.folder.summary.exists()


def ablate(
    algorithm: str,
    environment: str,
    axes: grid.Axes,
    options: Mapping[str, Any],
    out: str | Path | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Checks every cell, then trains what is missing; returns what ablation.json then holds."""
    cells = planned(algorithm, environment, axes, options, out)
    for cell in filter(lambda cell: cell.begun, cells):
        refuse_others(cell)
    say = (lambda line: None) if quiet else (lambda line: print(line, flush=True))
    failed: dict[str, str] = {}
    for number, cell in enumerate(cells, 1):
        if cell.finished:
            say(f"[{number}/{len(cells)}] {cell.name}: finished before")
            continue
        say(f"[{number}/{len(cells)}] {cell.name}")
        try:
            complete(cell, quiet)
        except UserError as error:
            failed[cell.name] = str(error)
            say(f"failed: {error}")
        except KeyboardInterrupt:
            say("stopped: the same command goes on from here")
            raise
        finally:
            put_away(cells, failed)
    return put_away(cells, failed, picture=True)


def planned(
    algorithm: str, environment: str, axes: grid.Axes, options: Mapping[str, Any], out: str | Path | None
) -> list[Cell]:
    """Every cell with its settings resolved, and refused where they are wrong."""
    several = grid.split_values(algorithm)
    axes = {"algorithm": several} | {key: [settings.dump(x) for x in values] for key, values in axes.items()}
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
            raise UserError(f"{name}: {error}") from error
    root = Path(out) if out else Path("runs") / default_name(algorithm, environment, configs)
    return [Cell(name, config, RunFolder(root / grid.folder_name(name))) for name, config in configs.items()]


def default_name(algorithm: str, environment: str, configs: Mapping[str, Config]) -> str:
    """The same for the same command: so that it finds what it began."""
    everything = json.dumps([every_setting(config) for config in configs.values()])
    return grid.folder_name(f"ablate_{algorithm}_{environment}_{zlib.crc32(everything.encode()):08x}")


def refuse_others(cell: Cell) -> None:
    """A run that lies where this cell's would, but is another."""
    there = every_setting(Config.from_yaml(cell.folder.config))
    for d in differing(there, every_setting(cell.config)):
        if d.setting not in FREE:
            raise UserError(
                f"{cell.folder.path} holds a run with {d.setting} {yaml_text.inline(d.a)}, not "
                f"{yaml_text.inline(d.b)}: choose another --out"
            )


def complete(cell: Cell, quiet: bool) -> None:
    if cell.begun:
        result = run.resume(cell.folder.path, quiet=quiet)
    else:
        result = run.train(cell.config, cell.folder.path, quiet)
    result.close(plot.learning_curve)


def put_away(cells: list[Cell], failed: Mapping[str, str], picture: bool = False) -> dict[str, Any]:
    """ablation.json, and at the end the picture of all curves."""
    first = scores(cells[0])
    told = {
        "path": str(cells[0].folder.path.parent),
        "algorithm": cells[0].config.algorithm,
        "environment": cells[0].config.environment,
        "steps": cells[0].config.steps,
        "seeds": cells[0].config.seeds,
        "cells": [described(cell, first if cell is not cells[0] else None, failed) for cell in cells],
    }
    root = RunFolder(told["path"])
    told["picture"] = drawn(cells, root.path / "ablation.png") if picture else None
    root.write_json(root.path / "ablation.json", told)
    return told


def scores(cell: Cell) -> np.ndarray | None:
    """The last policies' returns, a seed each."""
    told = cell.folder.read_json(cell.folder.summary) if cell.finished else {}
    return np.array(told["eval"]["team_return"]["per_seed"]) if told else None


def described(cell: Cell, first: np.ndarray | None, failed: Mapping[str, str]) -> dict[str, Any]:
    summary, own = cell.folder.read_json(cell.folder.summary), scores(cell)
    against = statistics.against(own, first) if own is not None and first is not None else None
    return {
        "name": cell.name,
        "run": str(cell.folder.path),
        "status": cell.status,
        "error": failed.get(cell.name),
        "convention": summary["eval"]["convention"] if own is not None else None,
        "team": summary["eval"]["team"] if own is not None else None,
        "team_return": summary["eval"]["team_return"] if own is not None else None,
        "seconds": summary["train"]["wall_seconds"] if own is not None else None,
        "over_first": against,
        "settings": every_setting(cell.config),
    }


def drawn(cells: list[Cell], path: Path) -> str | None:
    """The curves of all finished cells."""
    done = [cell for cell in cells if cell.finished]
    if not done:
        return None
    team = done[0].folder.read_json(done[0].folder.summary)["eval"]["team"]
    curves = {cell.name: plot.curves(list(cell.folder.rows()), f"eval/return/{team}") for cell in done}
    c = cells[0].config
    names = dict.fromkeys(cell.config.algorithm for cell in cells)
    title = f"{', '.join(names)} on {c.environment}"
    return str(path) if plot.overlay(path, curves, title, f"greedy {team} return") else None


def lines(told: Mapping[str, Any]) -> str:
    """One table: returns, seconds, and how often a seed beats one of the first row's."""
    heads = ["", "IQM", "95 % interval", "beats the first", "p", "time"]
    body = [row(cell) for cell in told["cells"]]
    done = [cell for cell in told["cells"] if cell["team_return"]]
    said = [table([heads, *body])]
    if done:
        over = f"over {count(told['seeds'], 'seed')} × {count(told['steps'], 'step')}"
        said.insert(0, f"greedy {done[0]['team']} return {over} ({done[0]['convention']})")
    said += [f"picture: {told['picture']}"] * bool(told["picture"])
    return "\n".join([*said, f"all of it: {told['path']}/ablation.json"])


def row(cell: Mapping[str, Any]) -> list[str]:
    if not cell["team_return"]:
        return [cell["name"], "failed" if cell["error"] else cell["status"], "", "", "", ""]
    low, high = map(signed, cell["team_return"]["ci95"])
    told = [cell["name"], signed(cell["team_return"]["iqm"]), f"[{low}, {high}]"]
    found = cell["over_first"]
    if found is None:
        return [*told, "", "", clock(cell["seconds"])]
    from_, to = found["ci95"]
    often = f"{found['probability_of_improvement']:.2f} [{from_:.2f}, {to:.2f}]"
    return [*told, often, f"{found['p_value']:.2g}", clock(cell["seconds"])]


def failure(told: Mapping[str, Any]) -> str | None:
    """Return the sentence that says how many cells failed; None if none did."""
    failed = [cell for cell in told["cells"] if cell["error"]]
    if not failed:
        return None
    return (
        f"{count(len(failed), 'cell')} of {len(told['cells'])} failed, first {failed[0]['name']}: "
        f"{failed[0]['error']}; the same command tries again"
    )
