"""Commands that train: `train`, `resume`, `ablate`."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from ..commands import NumberText, command
from ..config import catalogue
from ..config.trust import heeds_trust
from ..errors import UserError
from ..ranges import Count
from ..runs import launch
from ..runs.folder import RunFolder
from .results import Run, RunPath

if TYPE_CHECKING:
    from ..analysis.ablation_results import Ablation
    from ..runs.session import Training


class TrainOptions(TypedDict, total=False):
    """Options of everything that trains.

    Args:
        seeds (N): the number of seeds to train (5)
        seed (S): the first seed (0)
        steps (N): environment steps of each seed (1,000,000)
        envs (N): copies of the environment for each seed (8, or the preset's)
        eval_every (N): steps between greedy evaluations (a twentieth of the run)
        eval_episodes (N): episodes of an evaluation (32)
        report_every (N): steps between reports (about a second of work)
        save_every (S): seconds between checkpoints (60)
        keep (--keep N|all|every=STEPS): also keep weights by their steps: of the newest N evaluations, of
            all, or every so many steps
        source (--from RUN[@STEP][:PART]): start from the weights of another run, a part of it, or an
            exported agent
        workers (N): processes that step the copies of a Python world (0: this one)
        deadline (S): seconds in which a worker must do something, or it is restarted (60)
        device: the device to train on (the best there is)
        config (FILE): settings from a YAML file; the command line wins
        audit: stop at settings that have no effect
        measure: also measure `stationarity`: how far the team moves between reports
    """

    seeds: NumberText
    seed: NumberText
    steps: NumberText
    envs: NumberText
    eval_every: NumberText
    eval_episodes: NumberText
    report_every: NumberText
    save_every: NumberText
    keep: NumberText
    source: str
    workers: NumberText
    deadline: NumberText
    device: Literal["cpu", "gpu"]
    config: RunPath
    audit: bool
    measure: Literal["stationarity"]


@command(options=TrainOptions)
@heeds_trust
def train(
    algorithm: str | None = None,
    environment: str | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    out: RunPath | None = None,
    quiet: bool = False,
    report: bool = True,
    watch: bool = False,
    track: Sequence[str] = (),
    trust: bool = False,
    env: Mapping[str, Any] | None = None,
    **options: Any,
) -> Run:
    """Train an algorithm in an environment.

    All seeds train side by side, as one program.

    From Python, the options of `TrainOptions` and the algorithm's own settings are keywords, as in
    `train("qmix", "spread", seeds=10, gamma=.95)`. Dotted names go into `settings`, as in
    `settings={"mixer.embed": 64}`.

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
    """
    _check_names(algorithm, environment)
    device = options.get("device")
    launch.prepare(device, (environment or "").startswith(catalogue.PYTHON_WORLDS))
    from ..config.config import Config
    from ..runs.run import train_run
    from ..show.plot import learning_curve
    from ..show.report import report_writer

    launch.check_device(device)
    run_options = {name: options.pop(name) for name in list(options) if name in TrainOptions.__annotations__}
    world = {f"env.{name}": value for name, value in (env or {}).items()}
    config = Config.parse(algorithm, environment, _joined(options, settings or {}, world), run_options)
    result = train_run(config, out, quiet, begun=_followers(track, watch))
    return Run(result.close(learning_curve, report_writer(report)).path)


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
) -> Run:
    """Continue a run as if it had never stopped.

    Args:
        run (RUN): the run's folder
        steps (N): a new end, in steps of each seed
        quiet: print only the run's folder
        trust: run the Python code that a run from elsewhere names
        report: write report.html into the run's folder
        track (SINK): also send metrics to wandb, mlflow, or file.py:Class; may be repeated
    """
    RunFolder.existing(run)
    launch.prepare()
    from ..runs.run import resume_run
    from ..show.plot import learning_curve
    from ..show.report import report_writer

    return Run(
        resume_run(run, steps, quiet, begun=_followers(track))
        .close(learning_curve, report_writer(report))
        .path
    )


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
        _check_names(name, environment)
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


def _followers(track: Sequence[str], watch: bool = False) -> "Callable[[Training], None]":
    """Return what gives a run its sinks and the page that follows it; refuse wrong sinks at once."""
    from ..runs import sinks

    track = [track] if isinstance(track, str) else track
    for name in track:
        sinks.find_sink(name)

    def begin(training: "Training") -> None:
        tracked = sinks.track(training.config, training.folder)
        training.sinks = sinks.make_sinks(track, tracked, training.progress.say)
        if watch:
            _open_live(training.folder)

    return begin


def _open_live(folder: RunFolder) -> None:
    """Serve a page that follows a run, and open it."""
    import webbrowser

    from ..show.report import LiveReport

    address = LiveReport([folder.path]).start()
    print(f"watch: {address}", flush=True)
    webbrowser.open(address)


def _check_names(algorithm: str | None, environment: str | None) -> None:
    """Answer a mistyped name at once, before JAX is imported."""
    for name in catalogue.algorithms_by_team(algorithm).values() if algorithm else ():
        catalogue.find("algorithm", name)
    if environment:
        catalogue.find("environment", environment)


def _joined(*sources: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of several sources; refuse one that has two values."""
    joined: dict[str, Any] = {}
    for source in sources:
        for name, value in source.items():
            if name in joined and joined[name] != value:
                raise UserError(f"{name} is given twice, as {joined[name]} and as {value}: give it once")
            joined[name] = value
    return joined
