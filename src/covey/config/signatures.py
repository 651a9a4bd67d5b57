"""The options of a class or function: their types, their defaults, and the values that an object has."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from ..parts import promoted_fields

_T = TypeVar("_T")
MISSING = inspect.Parameter.empty


class Option(NamedTuple):
    """An option of a constructor."""

    kind: Any  # its annotation
    default: Any  # MISSING where it must be given
    holder: str = ""  # the promoted field that takes it; empty where the constructor itself does


def signature_of(target: Callable[..., Any], later: bool = False) -> dict[str, Option]:
    """Return a constructor's options; those of a promoted field stand in its place.

    With `later`, return what a `Factory` holds: options that have a default or are keyword-only. Training
    gives the others, and the key.
    """
    parameters = _parameters(target, later)
    hidden = {} if later else promoted_fields(target)
    options: dict[str, Option] = {}
    for name, option in parameters.items():
        if name not in hidden:
            options[name] = option
            continue
        inner = _promoted_options(option.default, name, (*hidden[name], *parameters))
        for twice in inner.keys() & options.keys():
            raise TypeError(f"{target.__qualname__}: two fields promote {twice}: hide it in one of them")
        options |= inner
    return options


def settings_of(thing: Any) -> dict[str, Any]:
    """Return the value of every option of an object's class."""
    bases = {field: settings_of(getattr(thing, field)) for field in promoted_fields(type(thing))}
    options = signature_of(type(thing))
    return {
        name: bases[option.holder][name] if option.holder else getattr(thing, name)
        for name, option in options.items()
    }


def make_object(target: Callable[..., _T], values: Mapping[str, Any]) -> _T:
    """Call a constructor with these options; those of a promoted field become its object first."""
    parameters = _parameters(target)
    return target(**_arguments(target, values, {f: parameters[f].default for f in promoted_fields(target)}))


def takes_anything(target: Callable[..., Any]) -> bool:
    """Return whether a constructor takes keywords that it does not name."""
    return any(p.kind is p.VAR_KEYWORD for p in inspect.signature(target).parameters.values())


def _parameters(target: Callable[..., Any], later: bool = False) -> dict[str, Option]:
    parameters = {}
    for p in inspect.signature(target, eval_str=True).parameters.values():
        variadic = p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        known = p.name != "key" and (p.kind is p.KEYWORD_ONLY or p.default is not MISSING)
        if not variadic and (known or not later):
            parameters[p.name] = Option(p.annotation, p.default)
    return parameters


def _promoted_options(base: Any, field: str, hidden: tuple[str, ...]) -> dict[str, Option]:
    values = settings_of(base)
    options = signature_of(type(base)).items()
    return {name: Option(option.kind, values[name], field) for name, option in options if name not in hidden}


def _arguments(target: Callable[..., Any], values: Mapping[str, Any], bases: Mapping[str, Any]) -> dict:
    options = signature_of(target)
    holders = {name: options[name].holder if name in options else "" for name in values}
    arguments = {name: value for name, value in values.items() if not holders[name]}
    for field, base in bases.items():
        arguments[field] = _changed(base, {name: x for name, x in values.items() if holders[name] == field})
    return arguments


def _changed(base: _T, values: Mapping[str, Any]) -> _T:
    """Return the object with other settings; what it hides stays as it is."""
    bases = {field: getattr(base, field) for field in promoted_fields(type(base))}
    return type(base)(**_arguments(type(base), settings_of(base) | dict(values), bases))
