"""A user's classes and functions where a part is expected. It imports nothing heavy."""

import inspect
import sys
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from ..errors import UserError

_T = TypeVar("_T")


def require_subclass(thing: Any, base: type[_T], what: str) -> type[_T]:
    """Return a user's class, if it can stand where a `base` is expected; `what` names it in messages."""
    if not isinstance(thing, type) or not issubclass(thing, base):
        raise UserError(f"{what} is no {base.__name__}: derive it from {_import_path(base)}.{base.__name__}")
    if inspect.isabstract(thing):
        raise UserError(f"{what} does not define {', '.join(sorted(vars(thing)['__abstractmethods__']))}")
    return thing


def class_that_calls(thing: Any, base: type) -> Any:
    """Return a subclass of `base` that calls a function, where `base` has `__call__` alone to define.

    So a user's function can be a weighting or a schedule. Return anything else as it is.
    """
    only_called = getattr(base, "__abstractmethods__", ()) == {"__call__"}
    return _calling_class(thing, base) if inspect.isfunction(thing) and only_called else thing


@cache  # of one function always the same class: another would compile everything again
def _calling_class(function: Callable[..., Any], base: type) -> type:
    members: dict[str, Any] = {
        name: getattr(function, name) for name in ("__module__", "__qualname__", "__doc__")
    }
    members["__call__"] = lambda self, *args: function(*args)
    return type(base)(function.__name__, (base,), members)


def _import_path(cls: type) -> str:
    """Return the shortest package or module from which a class can be imported."""
    parts = cls.__module__.split(".")
    for length in range(1, len(parts)):
        path = ".".join(parts[:length])
        if getattr(sys.modules.get(path), cls.__name__, None) is cls:
            return path
    return cls.__module__
