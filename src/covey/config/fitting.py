"""What of a user's can stand where a part is expected."""

import inspect
import sys
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from ..errors import UserError

T = TypeVar("T")


def fitting(thing: Any, base: type[T], what: str) -> type[T]:
    """A user's class, if it can stand where a `base` is expected."""
    if not isinstance(thing, type) or not issubclass(thing, base):
        raise UserError(f"{what} is no {base.__name__}: derive it from {public_home(base)}.{base.__name__}")
    if inspect.isabstract(thing):
        raise UserError(f"{what} does not define {', '.join(sorted(vars(thing)['__abstractmethods__']))}")
    return thing


def public_home(base: type) -> str:
    """Return the shortest package or module from which a class can be imported."""
    parts = base.__module__.split(".")
    homes = (".".join(parts[:n]) for n in range(1, len(parts)))
    exports = lambda home: getattr(sys.modules.get(home), base.__name__, None) is base
    return next(filter(exports, homes), base.__module__)


def called(thing: Any, base: type) -> Any:
    """A function as a `base`, where that is nothing but called: a weighting, a schedule. Else the thing."""
    only = getattr(base, "__abstractmethods__", ()) == {"__call__"}
    return calling(thing, base) if inspect.isfunction(thing) and only else thing


@cache
def calling(function: Callable[..., Any], base: type) -> type:
    """The `base` that calls this function, and is found by its name; of one function always the same."""
    own = {name: getattr(function, name) for name in ("__module__", "__qualname__", "__doc__")}
    call = lambda self, *args: function(*args)
    return type(base)(function.__name__, (base,), own | {"__call__": call})
