"""Commands that train: `train`, `resume`, `ablate`."""

from collections.abc import Sequence

from ..errors import UserError
from .parser import Parser, whole


def train_parser(
    command: str, description: str, many: str = "", out: str = "the run's folder (one under runs/)"
) -> Parser:
    """The options of everything that trains; `many` marks what may be a list."""
    parser = Parser(f"covey {command}", description=description)
    add = parser.add_argument
    add(
        "words",
        nargs="*",
        metavar=f"ALGO ENV key=value{many}",
        help="what to train, where, with what settings",
    )
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
    add("--out", metavar="DIR", help=out)
    add("--config", metavar="FILE", help="settings from a YAML file; the command line wins")
    add("--no-audit", dest="audit", action="store_false", default=None, help="train also what has no effect")
    add("--quiet", action="store_true", help="print nothing but the run's folder")
    return parser


def train(arguments: Sequence[str]) -> None:
    parser = train_parser("train", "Trains ALGO in ENV; every seed is one run of the same program.")
    given = vars(parser.parse_intermixed_args(arguments))
    words, out, quiet = given.pop("words"), given.pop("out"), given.pop("quiet")
    algorithm, environment, pairs = sorted_words(words)
    check_names(algorithm, environment)
    from ..runs import launch

    launch.prepare(given["device"])
    from ..config.config import Config
    from ..runs import run
    from ..show.plot import learning_curve

    launch.check_device(given["device"])
    result = run.train(Config.parse(algorithm, environment, pairs, given), out, quiet)
    folder = result.close(learning_curve)
    if quiet:
        print(folder.path)


def ablate(arguments: Sequence[str]) -> None:
    parser = train_parser(
        "ablate",
        "Trains ALGO in ENV with every combination of the values given; the same command again goes on.",
        many="1,value2",
        out="the folder of all runs (one under runs/)",
    )
    given = vars(parser.parse_intermixed_args(arguments))
    words, out, quiet = given.pop("words"), given.pop("out"), given.pop("quiet")
    algorithm, environment, pairs = sorted_words(words)
    if not algorithm or not environment:
        raise UserError("name an algorithm and an environment: covey ablate ALGO ENV key=value1,value2")
    from ..config import grid

    for name in grid.values(algorithm):
        check_names(name, environment)
    from ..runs import launch

    launch.prepare(given["device"])
    from ..analysis import ablation

    launch.check_device(given["device"])
    told = ablation.ablate(algorithm, environment, grid.axes(pairs), given, out, quiet)
    print(told["path"] if quiet else ablation.lines(told))
    ablation.refuse_failures(told)


def sorted_words(words: Sequence[str]) -> tuple[str | None, str | None, list[str]]:
    """The algorithm, the environment, the settings."""
    pairs = [word for word in words if "=" in word.split("+")[-1] and not is_team_list(word, words)]
    names = [word for word in words if word not in pairs]
    if len(names) > 2:
        raise UserError(f"'{names[2]}' is one name too many: write settings as key=value")
    algorithm, environment = [*names, None, None][:2]
    return algorithm, environment, pairs


def check_names(algorithm: str | None, environment: str | None) -> None:
    """A mistyped name is answered at once, before JAX is there."""
    from ..config import catalogue

    for name in catalogue.learners(algorithm).values() if algorithm else ():
        catalogue.find("algorithm", name)
    if environment:
        catalogue.find("environment", environment)


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
    from ..runs.folder import RunFolder

    RunFolder.existing(given.run)
    from ..runs import launch

    launch.prepare()
    from ..runs import run
    from ..show.plot import learning_curve

    folder = run.resume(given.run, given.steps, given.quiet).close(learning_curve)
    if given.quiet:
        print(folder.path)
