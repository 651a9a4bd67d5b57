"""Commands that look at runs, and at what covey holds."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from ..commands import NumberText, as_called, command
from ..config.trust import heeds_trust
from ..errors import UserError
from ..ranges import Count, Index, Unit
from ..runs import launch
from ..runs.folder import RunFolder
from .results import Film, LabReport, RunPath

if TYPE_CHECKING:
    from ..analysis.compare import Comparison
    from ..analysis.match_results import Crossplay, Match
    from ..runs.results import Evaluation


@overload
def evaluate(
    run: RunPath,
    *,
    episodes: int | None = None,
    environment: str | None = None,
    env: Mapping[str, Any] | None = None,
    versus: None = None,
    trust: bool = False,
    at: NumberText | None = None,
) -> "Evaluation": ...
@overload
def evaluate(
    run: RunPath,
    *,
    episodes: int | None = None,
    versus: RunPath,
    side: str | None = None,
    pairs: bool = False,
    trust: bool = False,
) -> "Match": ...
@command("eval", json=True)
@heeds_trust
def evaluate(
    run: RunPath,
    *,
    episodes: Count | None = None,
    environment: str | None = None,
    env: Mapping[str, Any] | None = None,
    versus: RunPath | None = None,
    side: str | None = None,
    pairs: bool = False,
    trust: bool = False,
    at: NumberText | None = None,
) -> "Evaluation | Match":
    """Play greedy episodes of every seed's policy.

    The run plays in its own environment, in another of the same shape, or against another run.

    Args:
        run (RUN): the run's folder
        episodes (N): episodes of each seed (as in training)
        environment (--env ENV): another environment of the same shape, such as pz:mpe2.simple_spread_v3
        env (env.key=value): settings of the environment
        versus (RUN2): another run, whose other teams play against RUN's
        side (TEAM): with --versus: the team that RUN plays (the first)
        pairs: with --versus: play each seed against each
        trust: run the Python code that a run from elsewhere names
        at (STEP|best|last): the checkpoint that plays: the step of one that was kept, best or last (last)
    """
    RunFolder.existing(run)
    if versus is not None:
        if env or environment:
            raise UserError("--versus plays in RUN's own world: leave out --env and env.key=value")
        if at is not None:
            raise UserError("--versus plays both runs' last checkpoints: leave out --at")
        return _play(run, versus, side, episodes, pairs)
    if side or pairs:
        raise UserError("--side and --pairs say who plays against whom: name the other run with --versus")
    launch.prepare()
    from ..runs.evaluation import evaluate_run

    return evaluate_run(run, episodes, environment, dict(env or {}), at)


@as_called
@heeds_trust
def versus(
    run: RunPath,
    other: RunPath,
    *,
    side: str | None = None,
    episodes: int | None = None,
    pairs: bool = False,
    trust: bool = False,
) -> "Match":
    """Play greedy episodes of one run's team against another run's others.

    `side` names the team that `run` plays, by default its first. Seed plays against seed; with `pairs`, each
    against each.
    """
    return _play(run, other, side, episodes, pairs)


def _play(run: RunPath, other: RunPath, side: str | None, episodes: int | None, pairs: bool) -> "Match":
    launch.prepare()
    from ..analysis.versus import play_match

    return play_match(run, other, side, episodes, pairs)


@command(json=True)
@heeds_trust
def crossplay(
    runs: Sequence[RunPath],
    *,
    side: str | None = None,
    episodes: Count | None = None,
    out: RunPath = "crossplay",
    trust: bool = False,
) -> "Crossplay":
    """Play every run's team against every run's others.

    Args:
        runs (RUN): the runs' folders
        side (TEAM): the team that the rows play (the first)
        episodes (N): episodes of each pair of seeds (as the first run evaluates)
        out (DIR): where crossplay.json and crossplay.png go (crossplay)
        trust: run the Python code that a run from elsewhere names
    """
    for path in runs:
        RunFolder.existing(path)
    launch.prepare()
    from ..analysis.versus import play_crossplay
    from ..show.pictures import draw_crossplay

    return draw_crossplay(play_crossplay(runs, side, episodes, out), out)


@command()
@heeds_trust
def watch(
    run: RunPath,
    *,
    out: RunPath | None = None,
    episodes: Count = 2,
    seed: Index | None = None,
    begin: Index = 0,
    follow: str | None = None,
    log: bool = False,
    trust: bool = False,
    at: NumberText | None = None,
) -> Film:
    """Film greedy episodes of one seed.

    Args:
        run (RUN): the run's folder
        out (FILE): film.gif, .mp4, .html or .png (RUN/film.gif)
        episodes (N): the number of episodes (2)
        seed (K): the run's seed that plays, counted from 0 (the median)
        begin (B): a number that chooses other starts (0)
        follow (AGENT): the agent whose values to draw below (dual_q: the first)
        log: print every step's rewards
        trust: run the Python code that a run from elsewhere names
        at (STEP|best|last): the checkpoint that plays: the step of one that was kept, best or last (last)
    """
    RunFolder.existing(run)
    launch.prepare()
    from ..show.watch import returns_line, reward_log, watch_run

    playback, path = watch_run(run, out, episodes, seed, begin, follow, at)
    tables = "\n\n".join(reward_log(playback)) + "\n\n" if log else ""
    return Film(path, tables + returns_line(playback))


@command(json=True)
@heeds_trust
def compare(
    a: RunPath,
    b: RunPath,
    *,
    out: RunPath | None = None,
    trace: Index | None = None,
    trust: bool = False,
    say: Callable[[str], None] | None = None,
) -> "Comparison":
    """Compare two runs: settings, bits, divergence, returns.

    Args:
        a (A): a run's folder
        b (B): another run's folder
        out (FILE): the picture of both curves (A/compare_B.png)
        trace (STEPS): steps of a seed that may be run again to find the divergence (two minutes' worth)
        trust: run the Python code that a run from elsewhere names
        say: receives a line now and then while the divergence is searched for
    """
    RunFolder.existing(a)
    RunFolder.existing(b)
    launch.prepare()
    from ..analysis.compare import compare_runs
    from ..show.pictures import comparison_picture, draw_comparison

    picture = comparison_picture(a, b, out)
    return draw_comparison(compare_runs(a, b, trace, say or (lambda line: None)), picture)


@command("lab")
def study(
    game: Any,
    *,
    operator: Sequence[str] = (),
    alpha: Unit = 0.1,
    gamma: Unit = 0.99,
    starts: Index = 10,
    out: RunPath = "lab.png",
    env: Mapping[str, Any] | None = None,
) -> LabReport:
    """Project a payoff table onto what VDN and QMIX can represent.

    Args:
        game (GAME): a table such as [[8,-12],[-12,0]], or an environment
        operator (OP): vdn, qmix, cw or ow; may be repeated (all)
        alpha (A): the smaller weight of cw and ow (0.1)
        gamma (G): the discount, in games of several states (0.99)
        starts (N): starts of gradient descent; 0: none (10)
        out (FILE): the picture (lab.png)
        env (env.key=value): settings of the environment
    """
    launch.prepare("cpu")
    from ..lab import OPERATORS, check_picture_path, study_game

    check_picture_path(out)
    result = study_game(game, operator or OPERATORS, alpha, starts, gamma, env)
    return LabReport(result, result.picture(out) if result.fits_picture() else None)


@command()
def describe(name: str, *, env: Mapping[str, Any] | None = None) -> str:
    """Describe an algorithm, an environment or a part.

    Args:
        name (NAME): a name from `covey list`, file.py:Name, package.module:Name, pz:module or gym:ID
        env (env.key=value): settings of the environment
    """
    launch.prepare("cpu")
    from ..show.describe import describe_name

    return describe_name(name, env)


@command("list")
def list_names() -> str:
    """List the algorithms and environments."""
    from ..show.describe import list_catalogue

    return list_catalogue()
