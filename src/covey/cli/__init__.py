"""The command line: parses, calls `experiment`, and says in one sentence what went wrong."""

import os
import sys
from collections.abc import Sequence

from .. import __version__
from ..errors import UserError
from . import inspect, train

USAGE = """covey trains teams of agents.

  covey train ALGO ENV [key=value …]   train; `covey train qmix spread --seeds 8`
  covey resume RUN [--steps N]         go on where a run stopped
  covey eval RUN [--env ENV] [--json]  greedy returns, in its own world or another
  covey eval RUN --versus RUN2         a side of RUN against the others of RUN2
  covey crossplay RUN RUN …            every run's side against every run's others: table, heat map
  covey watch RUN [--out FILE]         a film of one seed's greedy episodes: .gif, .mp4, .html, .png
  covey compare RUN RUN                where two runs part, and which is better
  covey ablate ALGO ENV key=v1,v2 …    every combination of values, in one table
  covey lab GAME [--operator OP]       what VDN, QMIX, weighted QMIX could make of a payoff table, and do
  covey describe NAME                  an algorithm's or environment's settings and traits
  covey list                           what there is

ALGO and ENV are names from `covey list`, or your own: path/to/file.py:Name, package.module:Name;
pz:module is any PettingZoo world (to evaluate in). key=value reaches any setting: gamma=.95 mixer.embed=64
env.agents=5. `covey COMMAND --help` lists a command's options."""


COMMANDS = {
    "train": train.train,
    "resume": train.resume,
    "eval": inspect.evaluate,
    "crossplay": inspect.crossplay,
    "watch": inspect.watch,
    "compare": inspect.compare,
    "ablate": train.ablate,
    "lab": inspect.lab,
    "describe": inspect.describe,
    "list": inspect.listing,
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
        from .blame import sentence

        said = sentence(error)
        if said is None:
            raise
        print(f"covey: {said}", file=sys.stderr)
        return 2
    return 0
