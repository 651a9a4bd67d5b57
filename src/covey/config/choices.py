"""The classes that a setting can choose by name, and types in plain words."""

import inspect
import re
from collections.abc import Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import equinox as eqx

from .. import experience  # noqa: F401  its classes are choices
from ..errors import UserError
from ..parts import ConstantSchedule, Factory
from ..ranges import bare, range_of
from ..text import nearest
from . import catalogue
from .fitting import class_that_calls, require_subclass
from .renamed import RENAMED_CHOICES
from .signatures import MISSING

_PLAIN = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    NoneType: "null",
    dict: "keys and values",
    Any: "anything",
    MISSING: "anything",
}


def choice_name(cls: Any) -> str:
    """Return a class's name among settings: covey's own without their kind, a user's with its file."""
    if not cls.__module__.startswith("covey."):
        return catalogue.class_path(cls)
    name = cls.__name__
    for base in cls.__mro__[1:]:
        name = name.removesuffix(base.__name__.removeprefix("Abstract"))
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def choices(base: type) -> dict[str, type]:
    """Return the classes that a name can choose where a `base` is expected: no private ones."""
    own = lambda cls: cls.__module__.startswith("covey.") and not cls.__name__.startswith("_")
    classes = [cls for cls in _family(base) if cls is base or own(cls)]
    return {choice_name(cls): cls for cls in classes if not inspect.isabstract(cls)}


def _family(cls: type) -> list[type]:
    return [cls, *(member for child in cls.__subclasses__() for member in _family(child))]


def choose_class(base: type, name: Any, path: str, later: bool = False) -> type:
    """Return the class of that name; where a part is nothing but called, a user's function will do."""
    known = choices(base)
    name = name if isinstance(name, str) else str(name)
    if name in known:
        return known[name]
    if RENAMED_CHOICES.get(name) in known:
        new = RENAMED_CHOICES[name]
        raise UserError(f"{path}={name} is called {new}: write {path}={new}")
    if ":" not in str(name):
        meant = nearest(str(name), known)
        raise UserError(f"{path} is one of {', '.join(known)}, or file.py:Name, not '{name}'{meant}")
    thing = catalogue.resolve(name)
    return require_subclass(thing if later else class_that_calls(thing, base), base, f"{path}={name}")


def part_of(kind: Any) -> type | None:
    """Return the class that a part of this type must derive from; None where it is no part."""
    kind = bare(kind)
    if is_factory(kind):
        return get_args(kind)[0]
    kind = get_origin(kind) or kind
    return kind if isinstance(kind, type) and issubclass(kind, eqx.Module) else None


def is_factory(kind: Any) -> bool:
    """Return whether a type is that of a part which training makes."""
    return get_origin(bare(kind)) is Factory


def is_number(value: Any) -> bool:
    """Return whether a value is a number; a truth value is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def describe_type(kind: Any, value: Any = None) -> str:
    """Return a type in plain English, with its range; `value` is one that does not fit."""
    declared = range_of(kind)
    limits = f" {declared.words(value if is_number(value) else None)}" if declared else ""
    kind = bare(kind)
    origin = get_origin(kind) or kind
    args = get_args(kind)
    base = part_of(kind)
    if origin is Literal:
        return " or ".join(map(str, args))
    if origin in (Union, UnionType):
        return " or ".join(describe_type(arg, value) for arg in args)
    if base is not None:
        number = [f"a number{limits}"] if issubclass(ConstantSchedule, base) else []
        return " or ".join([*choices(base), "file.py:Name", *number])
    if origin in (list, tuple, Sequence):
        inner = [describe_type(arg) for arg in args if arg is not ...]
        return f"a list of {', '.join(inner)}" if inner else "a list"
    return _PLAIN.get(origin, getattr(origin, "__name__", str(origin))) + limits
