"""Settings that are numbers, put into an object as the inputs of its programs.

One trace then tells of all of them what depends on them. Where a class asks for a number's value, as
`if self.bonus > 0:` does, that number stays a part of the program.
"""

import copy
import dataclasses
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..parts import AbstractSchedule, AbstractTarget, Factory, promoted_fields

Inputs = Mapping[str, Any]  # by the paths of settings
_INPUT = re.compile(r"\['([^']+)'\]")  # the end of JAX's name of an input
_DERIVED = (AbstractSchedule, AbstractTarget)  # whole numbers in these give no shapes


def _holder(thing: Any, name: str) -> str | None:
    """Return the promoted field that takes a setting; None where the object has it itself."""
    promoted = promoted_fields(type(thing))
    own = {field.name for field in dataclasses.fields(thing)} - promoted.keys()
    if name in own:
        return None
    for field, hidden in promoted.items():
        if name not in hidden and hasattr(getattr(thing, field), name):
            return field
    raise LookupError(name)


def value_at(thing: Any, path: Sequence[str]) -> Any:
    """Return the value of a setting."""
    return _parts_at(thing, path)[-1]


def _parts_at(thing: Any, path: Sequence[str]) -> list[Any]:
    """Return what lies along a setting's path: the object, its parts, the value."""
    if not path:
        return [thing]
    head, *rest = path
    if isinstance(thing, Factory):
        return [thing, *_parts_at(dict(thing.options)[head], rest)]
    if not dataclasses.is_dataclass(thing):
        raise LookupError(head)
    field = _holder(thing, head)
    return (
        _parts_at(getattr(thing, field), path) if field else [thing, *_parts_at(getattr(thing, head), rest)]
    )


def put(thing: Any, path: Sequence[str], value: Any) -> Any:
    """Return a copy of an object with another value of a setting; no constructor runs."""
    if not path:
        return value
    head, *rest = path
    if isinstance(thing, Factory):
        return thing.with_options(**{head: put(dict(thing.options)[head], rest, value)})
    new = copy.copy(thing)
    if field := _holder(thing, head):
        object.__setattr__(new, field, put(getattr(thing, field), path, value))
    else:
        object.__setattr__(new, head, put(getattr(thing, head), rest, value))
    return new


def put_all(thing: Any, numbers: Inputs) -> Any:
    """Return a copy of an object with these values of its settings."""
    for path, value in numbers.items():
        thing = put(thing, path.split("."), value)
    return thing


def numbers_in(thing: Any, paths: Iterable[str]) -> dict[str, Any]:
    """Return those of these settings that may be inputs: numbers that are not 0, which is off."""
    numbers = {}
    for path in paths:
        try:
            parts = _parts_at(thing, path.split("."))
        except (LookupError, AttributeError):
            continue
        *_, holder, value = parts
        whole = type(value) is int and isinstance(holder, _DERIVED)
        if (type(value) is float or whole) and value != 0 and math.isfinite(value):
            numbers[path] = value
    return numbers


def asked_for(error: Exception, numbers: Inputs) -> set[str]:
    """Return the inputs whose values a class asked for, as JAX's error names them; all if it names none."""
    return set(_INPUT.findall(str(error))) & numbers.keys() or set(numbers)
