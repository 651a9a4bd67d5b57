"""The command line: parses, calls `experiment`, and says in one sentence what went wrong."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from . import __version__
from .errors import UserError

USAGE = """covey trains teams of agents.

  covey train ALGO ENV [key=value …]   train; `covey train qmix spread --seeds 8`
  covey resume RUN [--steps N]         go on where a run stopped
  covey eval RUN [--env ENV] [--json]  greedy returns, in its own world or another
  covey watch RUN [--out FILE]         a film of one seed's greedy episodes: .gif, .mp4, .html, .png
  covey describe NAME                  an algorithm's or environment's settings and traits
  covey list                           what there is

ALGO and ENV are names from `covey list`, or your own: path/to/file.py:Name, package.module:Name;
pz:module is any PettingZoo world (to evaluate in). key=value reaches any setting: gamma=.95 mixer.embed=64
env.agents=5. `covey COMMAND --help` lists a command's options."""


class Parser(argparse.ArgumentParser):
    """Options and words in any order; mistakes become sentences."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} (`{self.prog} --help` lists the options)")


def train_parser() -> Parser:
    parser = Parser(
        "covey train", description="Trains ALGO in ENV; every seed is one run of the same program."
    )
    parser.add_argument(
        "words", nargs="*", metavar="ALGO ENV key=value", help="what to train, where, with what settings"
    )
    add = parser.add_argument
    add("--seeds", help="how many seeds to train (5)")
    add("--seed", help="the first of them (0)")
    add("--steps", help="environment steps of each seed (1,000,000)")
    add("--envs", help="copies of the environment for each seed (8)")
    add("--eval-every", help="steps between greedy evaluations (a twentieth of the run)")
    add("--eval-episodes", help="episodes of an evaluation")
    add("--report-every", help="steps between reports (about a second of work)")
    add("--save-every", help="seconds between checkpoints (60)")
    add("--from", dest="source", metavar="RUN[:PART]", help="start from another run's weights, or a part's")
    add("--device", choices=("cpu", "gpu"), help="where to train (what there is)")
    add("--out", metavar="DIR", help="the run's folder (one under runs/)")
    add("--config", metavar="FILE", help="settings from a YAML file; the command line wins")
    add("--quiet", action="store_true", help="print nothing but the run's folder")
    return parser


def train(arguments: Sequence[str]) -> None:
    given = vars(train_parser().parse_intermixed_args(arguments))
    words, out, quiet = given.pop("words"), given.pop("out"), given.pop("quiet")
    pairs = [word for word in words if "=" in word.split("+")[-1] and not is_team_list(word, words)]
    names = [word for word in words if word not in pairs]
    if len(names) > 2:
        raise UserError(f"'{names[2]}' is one name too many: write settings as key=value")
    algorithm, environment = [*names, None, None][:2]
    from .experiment import catalogue

    for name in catalogue.learners(algorithm).values() if algorithm else ():
        catalogue.find("algorithm", name)
    if environment:
        catalogue.find("environment", environment)
    from .experiment import launch

    launch.prepare(given["device"])
    from .experiment import run
    from .experiment.config import Config

    launch.check_device(given["device"])
    folder = run.train(Config.parse(algorithm, environment, pairs, given), out, quiet)
    if quiet:
        print(folder.path)


def is_team_list(word: str, words: Sequence[str]) -> bool:
    """`adversary=qmix+agent=iql` and `adversary=qmix` stand where an algorithm is expected: first."""
    plain = [w for w in words if "=" not in w]
    return len(plain) == 1 and word == words[0]


def resume(arguments: Sequence[str]) -> None:
    parser = Parser(
        "covey resume", description="Goes on from a run's last checkpoint, as if it had never stopped."
    )
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--steps", type=whole, help="a new end, in steps of each seed")
    parser.add_argument("--quiet", action="store_true", help="print nothing but the run's folder")
    given = parser.parse_args(arguments)
    from .experiment.folder import RunFolder

    RunFolder.existing(given.run)
    from .experiment import launch

    launch.prepare()
    from .experiment import run

    folder = run.resume(given.run, given.steps, given.quiet)
    if given.quiet:
        print(folder.path)


def whole(text: str, least: int = 1) -> int:
    """A whole number, also as 2e6 or 2_000_000."""
    try:
        number = float(text.replace("_", ""))
    except ValueError:
        number = 0.5
    if number != int(number) or number < least:
        raise argparse.ArgumentTypeError(f"expects a whole number of at least {least}, not '{text}'")
    return int(number)


def from_zero(text: str) -> int:
    return whole(text, 0)


def evaluate(arguments: Sequence[str]) -> None:
    parser = Parser("covey eval", description="Greedy episodes of every seed's policy.")
    parser.add_argument("words", nargs="+", metavar="RUN env.key=value")
    parser.add_argument("--episodes", type=whole, help="of each seed (as in training)")
    parser.add_argument("--env", help="another world of the same shape, such as pz:mpe2.simple_spread_v3")
    parser.add_argument("--json", action="store_true", help="print everything, as JSON")
    given = parser.parse_intermixed_args(arguments)
    path, *pairs = given.words
    from .experiment.folder import RunFolder

    RunFolder.existing(path)
    odd = [pair for pair in pairs if not pair.startswith("env.") or "=" not in pair]
    if odd:
        raise UserError(f"'{odd[0]}' is not understood: after RUN only env.key=value may follow")
    from .experiment import api, text

    env: dict[str, Any] = {key[4:]: value for key, value in text.pairs(pairs).items()}
    told = api.evaluate(path, given.episodes, given.env, env)
    if given.json:
        print(json.dumps(told, indent=1))
        return
    from .experiment.summary import lines

    print(f"{told['run']} in {told['environment']}\n{lines(told, told['seeds'])}")


def watch(arguments: Sequence[str]) -> None:
    parser = Parser(
        "covey watch", description="A film of one seed's greedy episodes, in the run's own world."
    )
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--out", metavar="FILE", help="film.gif, .mp4, .html or .png (RUN/film.gif)")
    parser.add_argument("--episodes", type=whole, default=2, metavar="N", help="how many (2)")
    parser.add_argument("--seed", type=from_zero, metavar="K", help="which of the run's seeds (the best)")
    parser.add_argument("--begin", type=from_zero, default=0, metavar="B", help="other beginnings (0)")
    parser.add_argument("--log", action="store_true", help="print what was paid at each step")
    given = parser.parse_args(arguments)
    from .experiment.folder import RunFolder

    RunFolder.existing(given.run)
    from .experiment import launch

    launch.prepare()
    from .experiment import watching

    replay, path = watching.watch(given.run, given.out, given.episodes, given.seed, given.begin)
    if given.log:
        print("\n\n".join(watching.log(replay)) + "\n")
    print(f"{watching.line(replay)}\n{'picture' if path.suffix == '.png' else 'film'}: {path}")


def describe(arguments: Sequence[str]) -> None:
    parser = Parser("covey describe", description="An algorithm's or environment's settings and traits.")
    parser.add_argument("name", metavar="NAME")
    name = parser.parse_args(arguments).name
    from .experiment import launch

    launch.prepare("cpu")
    from .experiment.describe import describe

    print(describe(name))


def listing(arguments: Sequence[str]) -> None:
    Parser("covey list", description="Algorithms and environments.").parse_args(arguments)
    from .experiment.describe import listing

    print(listing())


COMMANDS = {
    "train": train,
    "resume": resume,
    "eval": evaluate,
    "watch": watch,
    "describe": describe,
    "list": listing,
}


def dispatch(arguments: Sequence[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(USAGE)
    elif arguments[0] == "--version":
        print(f"covey {__version__}")
    elif arguments[0] in COMMANDS:
        COMMANDS[arguments[0]](arguments[1:])
    else:
        raise UserError(f"there is no command '{arguments[0]}': there are {', '.join(COMMANDS)}")


def main(arguments: Sequence[str] | None = None) -> int:
    """0: done; 2: what was asked cannot be done; 130: interrupted, with everything saved; 141: unread."""
    try:
        dispatch(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    except UserError as error:
        print(f"covey: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read has seen enough: what is left goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        from .experiment.blame import sentence

        said = sentence(error)
        if said is None:
            raise
        print(f"covey: {said}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
