"""Commands that look: at runs, `eval`, `watch`, `compare`; at what there is, `describe`, `list`."""

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from math import inf
from time import monotonic
from typing import Any

from ..errors import UserError
from .parser import Parser, from_zero, whole


def evaluate(arguments: Sequence[str]) -> None:
    parser = Parser("covey eval", description="Greedy episodes of every seed's policy.")
    parser.add_argument("words", nargs="+", metavar="RUN env.key=value")
    parser.add_argument("--episodes", type=whole, help="of each seed (as in training)")
    parser.add_argument("--env", help="another world of the same shape, such as pz:mpe2.simple_spread_v3")
    parser.add_argument("--versus", metavar="RUN2", help="another run, whose others play against RUN's side")
    parser.add_argument("--side", metavar="TEAM", help="with --versus: what RUN plays (the first team)")
    parser.add_argument("--pairs", action="store_true", help="with --versus: each seed against each")
    parser.add_argument("--json", action="store_true", help="print everything, as JSON")
    given = parser.parse_intermixed_args(arguments)
    path, *pairs = given.words
    from ..runs.folder import RunFolder

    RunFolder.existing(path)
    env = of_env(pairs, "RUN")
    if given.versus:
        against(path, given, env)
        return
    if given.side or given.pairs:
        raise UserError("--side and --pairs say who plays against whom: name the other run with --versus")
    from .. import api

    told = api.evaluate(path, given.episodes, given.env, env)
    if given.json:
        print(json.dumps(told, indent=1))
        return
    from ..runs.summary import lines

    print(f"{told['run']} in {told['environment']}\n{lines(told, told['seeds'])}")


def against(path: str, given: Namespace, env: dict[str, Any]) -> None:
    """`covey eval RUN --versus RUN2`."""
    if env or given.env:
        raise UserError("--versus plays in RUN's own world: leave out --env and env.key=value")
    from .. import api

    told = api.versus(path, given.versus, given.side, given.episodes, given.pairs)
    if given.json:
        print(json.dumps(told, indent=1))
        return
    from ..analysis.versus import lines

    print(lines(told))


def crossplay(arguments: Sequence[str]) -> None:
    parser = Parser(
        "covey crossplay", description="Every run's side against every run's others: a table and a heat map."
    )
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--side", metavar="TEAM", help="what the rows play (the first team)")
    parser.add_argument("--episodes", type=whole, help="of each pair of seeds (as the first run evaluates)")
    parser.add_argument("--out", metavar="DIR", default="crossplay", help="where the files go (crossplay)")
    parser.add_argument("--json", action="store_true", help="print everything, as JSON")
    given = parser.parse_args(arguments)
    from ..runs.folder import RunFolder

    for path in given.runs:
        RunFolder.existing(path)
    from .. import api

    told = api.crossplay(given.runs, given.side, given.episodes, given.out)
    if given.json:
        print(json.dumps(told, indent=1))
        return
    from ..analysis.versus import text

    print(f"{text(told)}\nfiles: {given.out}/crossplay.json, {given.out}/crossplay.png")


def of_env(pairs: Sequence[str], after: str) -> dict[str, Any]:
    """The settings of a world, all of them env.key=value."""
    odd = [pair for pair in pairs if not pair.startswith("env.") or "=" not in pair]
    if odd:
        raise UserError(f"'{odd[0]}' is not understood: after {after} only env.key=value may follow")
    from .. import yaml_text

    return {key[4:]: value for key, value in yaml_text.pairs(pairs).items()}


def watch(arguments: Sequence[str]) -> None:
    parser = Parser(
        "covey watch", description="A film of one seed's greedy episodes, in the run's own world."
    )
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--out", metavar="FILE", help="film.gif, .mp4, .html or .png (RUN/film.gif)")
    parser.add_argument("--episodes", type=whole, default=2, metavar="N", help="how many (2)")
    parser.add_argument("--seed", type=from_zero, metavar="K", help="which of the run's seeds (the best)")
    parser.add_argument("--begin", type=from_zero, default=0, metavar="B", help="other beginnings (0)")
    parser.add_argument("--follow", metavar="AGENT", help="whose values to draw below (dual_q: the first)")
    parser.add_argument("--log", action="store_true", help="print what was paid at each step")
    given = parser.parse_args(arguments)
    from ..runs.folder import RunFolder

    RunFolder.existing(given.run)
    from ..runs import launch

    launch.prepare()
    from ..show import watch

    replay, path = watch.watch(given.run, given.out, given.episodes, given.seed, given.begin, given.follow)
    if given.log:
        print("\n\n".join(watch.log(replay)) + "\n")
    print(f"{watch.line(replay)}\n{'picture' if path.suffix == '.png' else 'film'}: {path}")


def compare(arguments: Sequence[str]) -> None:
    parser = Parser(
        "covey compare", description="What two runs differ in: settings, bits, where they part, returns."
    )
    parser.add_argument("a", metavar="A", help="a run's folder")
    parser.add_argument("b", metavar="B", help="another's")
    parser.add_argument("--out", metavar="FILE", help="the picture of both curves (A/compare_B.png)")
    parser.add_argument(
        "--trace",
        type=from_zero,
        metavar="STEPS",
        help="steps of a seed that may be re-run to find where they part (two minutes' worth)",
    )
    parser.add_argument("--json", action="store_true", help="print everything, as JSON")
    given = parser.parse_args(arguments)
    from ..runs.folder import RunFolder

    for path in (given.a, given.b):
        RunFolder.existing(path)
    from .. import api

    told = api.compare(given.a, given.b, given.out, given.trace, now_and_then())
    if given.json:
        print(json.dumps(told, indent=1))
        return
    from ..analysis.compare.wording import lines

    print(lines(told))


def now_and_then(every: float = 5.0) -> Callable[[str], None]:
    """How a long search goes, beside what it finds."""
    last = -inf

    def say(line: str) -> None:
        nonlocal last
        if monotonic() - last >= every:
            last = monotonic()
            print(line, file=sys.stderr, flush=True)

    return say


def lab(arguments: Sequence[str]) -> None:
    parser = Parser("covey lab", description="What each operator could make of a payoff table, and does.")
    parser.add_argument(
        "words", nargs="+", metavar="GAME env.key=value", help="[[8,-12],[-12,0]], or a world"
    )
    add = parser.add_argument
    add("--operator", action="append", metavar="OP", help="vdn, qmix, cw or ow; may be repeated (all)")
    add("--alpha", type=float, default=0.1, help="the lesser weight of cw and ow (0.1)")
    add("--gamma", type=float, default=0.99, help="the discount, in games of several states (0.99)")
    add("--starts", type=from_zero, default=10, metavar="N", help="of gradient descent; 0: none (10)")
    add("--out", metavar="FILE", default="lab.png", help="the picture (lab.png)")
    given = parser.parse_intermixed_args(arguments)
    game, *pairs = given.words
    env = of_env(pairs, "GAME")
    from ..runs import launch

    launch.prepare("cpu")
    from ..lab import OPERATORS, picture, study

    picture.check(given.out)
    found = study.study_game(game, given.operator or OPERATORS, given.alpha, given.starts, given.gamma, env)
    print(f"{found}\n")
    print(f"picture: {found.picture(given.out)}" if picture.fits(found) else "too large to be drawn")


def describe(arguments: Sequence[str]) -> None:
    parser = Parser("covey describe", description="An algorithm's or environment's settings and traits.")
    parser.add_argument("name", metavar="NAME")
    name = parser.parse_args(arguments).name
    from ..runs import launch

    launch.prepare("cpu")
    from ..show.describe import describe

    print(describe(name))


def listing(arguments: Sequence[str]) -> None:
    Parser("covey list", description="Algorithms and environments.").parse_args(arguments)
    from ..show.describe import listing

    print(listing())
