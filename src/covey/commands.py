"""Declare a command: a function whose signature and docstring say all that the command line needs.

Parameters before the `*` are words of the command, those after it are options. The docstring has a summary
line, perhaps a paragraph, and `Args:` with a line for each parameter:

    steps (N): environment steps of each seed (1,000,000)
    source (--from RUN[:PART]): another run to take the first weights from
    settings (key=value): settings of the algorithm and its parts

The parentheses hold what the command line shows: the option's name where it differs from the parameter's,
and the name of its value. A mapping is a command's `key=value` words if its parentheses say so, and is for
Python alone otherwise. The function `say` is for progress: the command line prints the lines that it is
given. Any other function is for Python alone.
"""

import inspect
import os
from collections.abc import Callable, Sequence
from functools import update_wrapper
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_origin

from .errors import UserError
from .text import nearest

PROGRESS = "say"
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
        called = as_called(function)
        COMMANDS[own_name] = Command(own_name, called, json, options)
        return called

    return declare


def as_called(function: Function) -> Function:
    """Let a function be called from Python as people do.

    A mistyped keyword gets the nearest name. A `Run` stands for its folder, and one path for a list of it.
    NumPy's numbers and arrays are taken as Python's.
    """
    parameters = inspect.signature(function).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    lists = [name for name, p in parameters.items() if get_origin(p.annotation) is Sequence]
    names = [name for name, p in parameters.items() if p.annotation in (str, str | None)]

    def call(*args: Any, **options: Any) -> Any:
        for name in options:
            if name not in parameters and not takes_any:
                raise UserError(f"{function.__name__} has no option '{name}'{nearest(name, parameters)}")
        named = dict(zip(parameters, args, strict=False)) | options
        objects = [name for name in names if callable(named.get(name))]
        if objects:
            raise UserError(
                f"{function.__name__} takes {objects[0]} by its name, as in file.py:Name: classes and "
                "objects stand in covey.train, covey.Session and covey.make"
            )
        given = [_plain(value, name in lists) for name, value in zip(parameters, args, strict=False)]
        rest = args[len(given) :]  # too many: Python says so
        return function(*given, *rest, **{name: _plain(x, name in lists) for name, x in options.items()})

    return update_wrapper(call, function)  # pyright: ignore[reportReturnType]


def _plain(value: Any, is_list: bool = False) -> Any:
    """Return a folder as a path, and numbers and arrays of NumPy's as Python's own."""
    if is_list and isinstance(value, str | os.PathLike):
        return [_plain(value)]
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, os.PathLike):
        return Path(value)
    return value.tolist() if hasattr(value, "dtype") and hasattr(value, "tolist") else value
