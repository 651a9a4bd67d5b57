"""Print a command's result: its text, its path alone, or JSON."""

import json
import sys
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Any

from ..errors import UserError


def print_result(result: Any, as_json: bool, path_only: bool) -> None:
    """Print a result; one that holds a failure ends as an error after it is printed."""
    if as_json:
        print(json.dumps(result if isinstance(result, str) else result.to_json(), indent=1))
    elif path_only:
        print(result.path)
    elif text := str(result):
        print(text)
    failure = getattr(result, "failure", None)
    if failure:
        raise UserError(failure)


def progress_printer(every: float = 5.0) -> Callable[[str], None]:
    """Return a function that prints a line of progress on stderr, at most one in `every` seconds."""
    last = -inf

    def say(line: str) -> None:
        nonlocal last
        if monotonic() - last >= every:
            last = monotonic()
            print(line, file=sys.stderr, flush=True)

    return say
