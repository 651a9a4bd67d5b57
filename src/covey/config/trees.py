"""Settings as trees of plain data: written from objects, flattened, and overridden.

A part stands in a tree as its name and its options: `{"name": "hard", "period": 200}`.
"""

from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any

import equinox as eqx
import jax
import numpy as np

from ..errors import UserError
from ..parts import Factory
from .choices import choice_name, is_number
from .signatures import MISSING, settings_of, signature_of

Tree = dict[str, Any]
NameOf = Callable[[Any], str]


def dump(thing: Any, name_of: NameOf = choice_name) -> Any:
    """Return an object as plain data; `name_of` names its classes, and functions of the user's."""
    match thing:
        case Factory():
            options = defaults(thing.target, True, name_of) | dump(dict(thing.options), name_of)
            return {"name": name_of(thing.target)} | options
        case eqx.Module():
            return {"name": name_of(type(thing))} | dump(settings_of(thing), name_of)
        case type():
            return name_of(thing)
        case FunctionType() if not thing.__module__.startswith("covey."):
            return name_of(thing)
        case Mapping():
            return {name: dump(value, name_of) for name, value in thing.items()}
        case np.ndarray() | np.generic() | jax.Array():
            return thing.tolist()
        case list() | tuple():
            return [dump(value, name_of) for value in thing]
        case None | bool() | int() | float() | str():
            return thing
    raise UserError(
        f"{thing!r} cannot stand among settings: use numbers, text, lists, and modules made of them"
    )


def defaults(target: Callable[..., Any], later: bool = False, name_of: NameOf = choice_name) -> Tree:
    """Return a constructor's defaults as a tree."""
    options = signature_of(target, later).items()
    return {name: dump(option.default, name_of) for name, option in options if option.default is not MISSING}


def flatten(tree: Mapping[str, Any]) -> Tree:
    """Return every value under its dotted path; a part's name stands under the part's own path."""
    flat = {}
    for key, value in tree.items():
        value = dump(value)
        inner = flatten(value) if isinstance(value, dict) and value else {"name": value}
        flat |= {key if path == "name" else f"{key}.{path}": leaf for path, leaf in inner.items()}
    return flat


def layer(tree: Tree, *layers: Mapping[str, Any]) -> Tree:
    """Return the tree with overrides; later layers win, and order within a layer does not matter.

    A part that is replaced takes its options with it.
    """
    for overrides in layers:
        flat = flatten(overrides)
        for path in sorted(flat, key=lambda path: path.count(".")):
            tree = _with_value(tree, path.split("."), flat[path])
    return tree


def _with_value(tree: Tree, path: Sequence[str], value: Any) -> Tree:
    head, *rest = path
    old = tree.get(head)
    if rest:
        part = as_part(old)
        return tree | {head: _with_value(part if isinstance(part, dict) else {}, rest, value)}
    same = isinstance(old, dict) and old.get("name", MISSING) == value
    return tree if same else tree | {head: value}


def as_part(value: Any) -> Any:
    """Return a part's tree: a plain name has its defaults, a plain number is a constant."""
    if isinstance(value, str):
        return {"name": value}
    if is_number(value):
        return {"name": "constant", "value": value}
    return value
