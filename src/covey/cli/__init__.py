"""The command line: parses, calls a function of `covey.api`, prints its result."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .. import __version__
from ..config import options
from ..errors import UserError
from ..signals import handling
from .declaration import Declaration, declarations
from .output import print_result, progress_printer
from .parser import make_parser
from .words import assign_words

__all__ = ["main"]

_NOTES = """ALGO and ENV are names from `covey list`, or your own: path/to/file.py:Name, package.module:Name;
pz:module is any PettingZoo world, gym:ID any Gymnasium world. key=value reaches any setting:
gamma=.95 mixer.embed=64 env.agents=5. `covey COMMAND --help` lists a command's options."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    0: done; 2: the request cannot be met; 130: interrupted, with everything saved; 141: the reader has gone.
    """
    heard: list[int] = []
    try:
        with _noting_signals(heard):
            dispatch(sys.argv[1:] if arguments is None else arguments)
            sys.stdout.flush()
    except UserError as error:
        print(f"covey: {options.command_line_sentence(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # nobody reads any more: the rest of the output goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (Exception, SystemExit) as error:
        if heard:  # a library in the midst of its import makes another error of an interruption
            return 130
        from .blame import blame_sentence

        sentence = blame_sentence(error)
        if sentence is None:
            raise
        print(f"covey: {sentence}", file=sys.stderr)
        return 2
    return 0


@contextmanager
def _noting_signals(heard: list[int]) -> Iterator[None]:
    """Let a termination signal end a command as Ctrl-C does, and note which signals came."""

    def interrupt(number: int, frame: Any) -> None:
        heard.append(number)
        raise KeyboardInterrupt

    both = (signal.SIGINT, signal.SIGTERM)
    heeded = [number for number in both if signal.getsignal(number) is not signal.SIG_IGN]  # a background's
    with handling(heeded, interrupt):
        yield


def dispatch(arguments: Sequence[str]) -> None:
    """Run the command that the first word names."""
    commands = declarations()
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(overview(commands))
    elif arguments[0] == "--version":
        print(f"covey {__version__}")
    elif arguments[0] in commands:
        run_command(commands[arguments[0]], arguments[1:])
    else:
        raise UserError(f"there is no command '{arguments[0]}': there are {', '.join(commands)}")


def run_command(declaration: Declaration, typed: Sequence[str]) -> None:
    """Parse what was typed, call the function, print its result."""
    arguments = vars(make_parser(declaration).parse_intermixed_args(typed))
    as_json = arguments.pop("json", False)
    arguments = assign_words(declaration, arguments)
    if declaration.progress:
        arguments[declaration.progress] = progress_printer()
    result = declaration.command.function(**arguments)
    print_result(result, as_json, arguments.get("quiet", False))


def overview(commands: dict[str, Declaration]) -> str:
    """Return every command with its words and its summary."""
    width = max(len(declaration.synopsis) for declaration in commands.values())
    lines = [f"  {d.synopsis:<{width}}  {d.summary}" for d in commands.values()]
    return "\n".join(["covey trains teams of agents.", "", *lines, "", _NOTES])
