"""One settings object built on another, whose settings it shows as its own."""

from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import equinox as eqx

_T = TypeVar("_T")
_WITHOUT = "settings that a promoted field hides"


def promoted(default: _T, without: Iterable[str] = ()) -> _T:
    """Declare a field whose settings stand inline among those of the class that holds it.

    `ppo: PPO = promoted(PPO(), without=("clip",))` gives the holder every setting of `PPO` but `clip`. They
    keep their names (`gamma`, not `ppo.gamma`), and default to the values of `default`. A field of the holder
    hides the setting of the same name; a hidden setting keeps the value that `default` has.
    """
    return eqx.field(default=default, metadata={_WITHOUT: tuple(without)})


def promoted_fields(target: Callable[..., Any]) -> dict[str, tuple[str, ...]]:
    """Return the names of a class's promoted fields, each with the settings that it hides."""
    if not isinstance(target, type) or not is_dataclass(target):
        return {}
    return {f.name: f.metadata[_WITHOUT] for f in fields(target) if _WITHOUT in f.metadata}


def find_setting(thing: Any, name: str) -> Any:
    """Return a setting of an object, its own or one of a promoted field's; None where there is none."""
    if hasattr(thing, name):
        return getattr(thing, name)
    for field, hidden in promoted_fields(type(thing)).items():
        value = None if name in hidden else find_setting(getattr(thing, field), name)
        if value is not None:
            return value
    return None
