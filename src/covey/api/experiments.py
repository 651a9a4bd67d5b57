"""Commands that train: `train`, `resume`, `ablate`."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from ..commands import command
from ..config.trust import heeds_trust
from ..ranges import Count
from ..runs import launch
from ..runs.folder import RunFolder
from .options import Choice, TrainOptions
from .results import Run, RunPath
from .sessions import Session, check_names

if TYPE_CHECKING:
    from ..analysis.ablation_results import Ablation


@command(options=TrainOptions)
@heeds_trust
def train(
    algorithm: Choice = None,
    environment: Choice = None,
    *,
    settings: Mapping[str, Any] | None = None,
    out: RunPath | None = None,
    quiet: bool = False,
    report: bool = True,
    watch: bool = False,
    track: Sequence[str] = (),
    trust: bool = False,
    env: Mapping[str, Any] | None = None,
    callback: Callable[[list[dict[str, Any]]], Any] | None = None,
    **options: Any,
) -> Run:
    """Train an algorithm in an environment.

    All seeds train side by side, as one program.

    From Python, the options of `TrainOptions` and the algorithm's own settings are keywords, as in
    `train("qmix", "spread", seeds=10, gamma=.95)`. Dotted names go into `settings`, as in
    `settings={"mixer.embed": 64}`. A class or an object may stand for a name, as in
    `train(MyAlgorithm, MyWorld(n=3))`; `config` may be a mapping or a run.

    Args:
        algorithm (ALGO): a name from `covey list`, file.py:Name, or package.module:Name
        environment (ENV): the same
        settings (key=value): any setting: gamma=.95, mixer.embed=64, env.agents=5
        out (DIR): the run's folder (one under runs/)
        quiet: print only the run's folder
        report: write report.html into the run's folder
        watch: open a page that follows the training
        track (SINK): also send metrics to wandb, mlflow, or file.py:Class; may be repeated
        trust: run the Python code that a run from elsewhere names
        env: settings of the environment, by their names without `env.`
        callback: receives each report's rows, one for each seed; training stops where it returns true
    """
    with Session(
        algorithm, environment, settings=settings, out=out, quiet=quiet, report=report, watch=watch,
        track=track, env=env, callback=callback, **options,
    ) as session:  # fmt: skip
        session.advance()
    return session.run


@command()
@heeds_trust
def resume(
    run: RunPath,
    *,
    steps: Count | None = None,
    quiet: bool = False,
    trust: bool = False,
    report: bool = True,
    track: Sequence[str] = (),
    callback: Callable[[list[dict[str, Any]]], Any] | None = None,
) -> Run:
    """Continue a run as if it had never stopped.

    Args:
        run (RUN): the run's folder
        steps (N): a new end, in steps of each seed
        quiet: print only the run's folder
        trust: run the Python code that a run from elsewhere names
        report: write report.html into the run's folder
        track (SINK): also send metrics to wandb, mlflow, or file.py:Class; may be repeated
        callback: receives each report's rows, one for each seed; training stops where it returns true
    """
    opened = Session.open(run, steps=steps, quiet=quiet, report=report, track=track, callback=callback)
    with opened as session:
        session.advance()
    return session.run


@command(options=TrainOptions)
@heeds_trust
def ablate(
    algorithm: str,
    environment: str,
    grid: Mapping[str, Sequence[Any]],
    *,
    out: RunPath | None = None,
    quiet: bool = False,
    trust: bool = False,
    report: bool = True,
    **options: Unpack[TrainOptions],
) -> "Ablation":
    """Train every combination of values, and print one table.

    The same call again continues: it skips finished runs and resumes interrupted ones.

    From Python, `grid` is a mapping: `{"gamma": [.9, .99]}`.

    Args:
        algorithm (ALGO): an algorithm, or several: qmix,vdn
        environment (ENV): as for `covey train`
        grid (key=value1,value2): settings and the values of each
        out (DIR): the folder of all runs (one under runs/)
        quiet: print only the folder
        trust: run the Python code that a run from elsewhere names
        report: write report.html into the folder of all runs
    """
    from ..config import grid as grids

    for name in grids.split_values(algorithm):
        check_names(name, environment)
    launch.prepare(options.get("device"))
    from ..analysis import ablation
    from ..show.pictures import draw_ablation
    from ..show.plot import learning_curve
    from ..show.report import report_writer

    launch.check_device(options.get("device"))
    axes = {name: list(values) for name, values in grid.items()}
    trained = ablation.train_grid(algorithm, environment, axes, options, learning_curve, out, quiet)
    result = draw_ablation(trained)
    ablation.write_ablation(result)
    write = report_writer(report)
    line = write(RunFolder(result.path)) if write else ""
    if line and not quiet:
        print(line)
    return result
