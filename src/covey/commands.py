"""Declare a command: a function whose signature and docstring say all that the command line needs.

Parameters before the `*` are words of the command, those after it are options. The docstring has a summary
line, perhaps a paragraph, and `Args:` with a line for each parameter:

    steps (N): environment steps of each seed (1,000,000)
    source (--from RUN[:PART]): another run to take the first weights from
    settings (key=value): settings of the algorithm and its parts

The parentheses hold what the command line shows: the option's name where it differs from the parameter's,
and the name of its value. A mapping is a command's `key=value` words if its parentheses say so, and is for
Python alone otherwise. A function is for progress: the command line prints the lines that it is given.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

NumberText = int | str  # a whole number, or text such as "2e6" that the function reads itself

Function = TypeVar("Function", bound=Callable[..., Any])


class Command(NamedTuple):
    """A function that the command line offers."""

    name: str
    function: Callable[..., Any]
    json: bool = False  # whether `--json` prints the result's `to_json`
    options: type | None = None  # a TypedDict that lists what `**options` stands for


COMMANDS: dict[str, Command] = {}


def command(
    name: str = "", *, json: bool = False, options: type | None = None
) -> Callable[[Function], Function]:
    """Offer a function on the command line, by its own name or another."""

    def declare(function: Function) -> Function:
        own_name = name or function.__name__
        COMMANDS[own_name] = Command(own_name, function, json, options)
        return function

    return declare
