"""The command that searches settings: `sweep`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

from .. import yaml_text
from ..commands import command
from ..config import catalogue
from ..config import grid as grids
from ..config.paths import PLAN_FILE
from ..config.trust import heeds_trust
from ..errors import UserError
from ..ranges import Count, Index
from ..runs import launch
from ..runs.folder import RunFolder
from .options import TrainOptions
from .results import RunPath

if TYPE_CHECKING:
    from ..analysis.sweep.findings import Sweep
    from ..analysis.sweep.plan import Plan


@command(json=True, options=TrainOptions)
@heeds_trust
def sweep(
    algorithm: str,
    environment: str | None = None,
    grid: Mapping[str, Sequence[Any]] | None = None,
    *,
    trials: Count | None = None,
    search: Literal["grid", "random", "tpe"] | None = None,
    stop: Literal["asha"] | None = None,
    fresh: Index = 5,
    on: str | None = None,
    per: str | None = None,
    out: RunPath | None = None,
    status: bool = False,
    best: bool = False,
    preset: bool = False,
    report: bool = True,
    quiet: bool = False,
    trust: bool = False,
    **options: Unpack[TrainOptions],
) -> "Sweep | str":
    """Search settings: many runs, on many cores or machines.

    `covey sweep DIR` goes on with a sweep, or looks at it with --status, --best or --preset; `covey sweep
    FILE.yaml` begins one that a file describes. A value may be a range: uniform(a,b), log(a,b), whole(a,b).

    From Python, `grid` is a mapping: `{"gamma": [.9, .99], "optimiser.lr": ["log(1e-4,1e-2)"]}`.

    Args:
        algorithm (ALGO): an algorithm, or several: qmix,vdn; or a sweep's folder, or its YAML file
        environment (ENV): an environment, or several
        grid (key=value1,value2): settings and the values of each
        trials (N): trials in each environment (all of a grid)
        search: how settings are chosen (grid; random where a setting has a range)
        stop: stop the worse two thirds of the trials early, twice
        fresh (N): seeds that no trial had, to train the winner again; 0: not (5)
        on (--on ENGINE): where trials run: local, sequential, ray, ray://HOST:PORT or slurm (local)
        per (--per SHARE): the share of a machine for each trial: '2 cpu', '0.25 gpu' ('1 cpu')
        out (DIR): the folder of the sweep (one under runs/)
        status: print the table of a sweep, and train nothing
        best: print the command that trains the best settings, and train nothing
        preset: write the best settings as a file for `covey train --config`, and train nothing
        report: write report.html into the sweep's folder
        quiet: print only the result
        trust: run the Python code that a sweep from elsewhere names
    """
    root = Path(algorithm)
    there = (root / PLAN_FILE).exists()
    file = root / PLAN_FILE if there else root if root.suffix in (".yaml", ".yml") else None
    place = _given({"on": on, "per": per})
    _prepare((yaml_text.read_file(file) if file else {"options": dict(options)}) | place)
    from ..analysis.sweep.findings import read_sweep
    from ..analysis.sweep.plan import Plan, read_plan
    from ..analysis.sweep.schedule import continue_sweep, start_sweep

    if status or best or preset:
        if not there:
            raise UserError(
                f"{algorithm} holds no sweep: name the folder of one, as in `covey sweep DIR --best`"
            )
        return _look(read_sweep(root), best, preset)
    say = (lambda line: None) if quiet else (lambda line: print(line, flush=True))
    if there:
        if environment or grid:
            raise UserError(f"{algorithm} holds a sweep: `covey sweep {algorithm}` alone goes on with it")
        read_plan(root).move(root, on, per)
        return _shown(continue_sweep(root, say), report, say)
    if file:
        plan = replace(Plan.read(file), **place)
    else:
        chosen = _given({"trials": trials, "search": search, "stop": stop}) | {"fresh": fresh} | place
        plan = Plan.typed(algorithm, environment, grid or {}, dict(options), **chosen)
    _check_names(plan)
    found = start_sweep(plan, Path(out) if out else _new_folder(plan), say)
    return _shown(found, report, say)


def _prepare(plan: Mapping[str, Any]) -> None:
    """Set JAX up where trials run in this process; elsewhere their own processes do it."""
    if plan.get("on") == "sequential":
        launch.prepare((plan.get("options") or {}).get("device"))


def _shown(found: "Sweep", report: bool, say: Callable[[str], None]) -> "Sweep":
    """Draw a sweep, and write its report."""
    launch.prepare("cpu")
    from ..show.pictures import draw_sweep
    from ..show.report import report_writer

    for path in draw_sweep(found):
        say(f"picture: {path}")
    write = report_writer(report)
    if write:
        say(write(RunFolder(found.path)))
    return found


def _check_names(plan: "Plan") -> None:
    """Answer a mistyped name at once, before JAX is imported."""
    for name in plan.algorithms:
        for own in catalogue.algorithms_by_team(name).values():
            catalogue.find("algorithm", own)
    for name in plan.environments:
        catalogue.find("environment", name)


def _new_folder(plan: "Plan") -> Path:
    """Return a name under runs/ that no sweep has yet."""
    name = grids.folder_name(f"sweep_{','.join(plan.algorithms)}_{','.join(plan.environments)}")
    paths = (Path("runs") / f"{name}{f'_{n}' if n > 1 else ''}" for n in range(1, 10_000))
    return next(path for path in paths if not path.exists())


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that have a value."""
    return {name: value for name, value in options.items() if value is not None}


def _look(found: "Sweep", best: bool, preset: bool) -> "Sweep | str":
    """Return what `--best` or `--preset` prints, else the sweep."""
    if preset:
        return "\n".join(str(path) for path in found.write_presets()) or "no trial has come to its end yet"
    if best:
        return "\n".join(found.command(environment) for environment in found.plan.environments)
    return found
