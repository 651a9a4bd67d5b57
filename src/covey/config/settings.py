"""Settings as trees: checked against types, turned into objects and back.

A tree is plain data, as YAML holds it. A part (a module, or a `Make` of one) stands in it as its
name and its options, `{"name": "hard", "period": 200}`. `layer` lays overrides upon a tree, `build`
makes the thing that a tree describes, `dump` writes a thing as a tree.
"""

import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

import equinox as eqx
import numpy as np

from .. import experience  # noqa: F401  its classes are choices
from ..errors import SettingError, UserError
from ..parts import ConstantSchedule, Factory, promoted_fields
from . import catalogue
from .fitting import called, fitting
from .signatures import MISSING, Option, make, settings_of, signature_of

T = TypeVar("T")
Tree = dict[str, Any]


class Place(NamedTuple):
    """Where in whose settings we are, for messages."""

    of: str
    path: str = ""

    def at(self, name: str) -> "Place":
        return Place(self.of, f"{self.path}.{name}" if self.path else name)


def apply(thing: T, overrides: Mapping[str, Any], of: str = "") -> T:
    """The same thing with other settings, each named by its dotted path."""
    return build(type(thing), layer(dump(thing), overrides), Place(of or label(type(thing))))


def restore(kind: Any, tree: Any) -> Any:
    """The thing that was dumped. `kind` is its type, or that of the field it stands in."""
    return build(kind, tree, Place("it"))


def construct(target: Callable[..., T], tree: Mapping[str, Any], place: Place) -> tuple[T, Tree]:
    """What a class makes of these options, and all of its options."""
    given = arguments(target, tree, place)
    try:
        made = make(target, given)
    except SettingError as error:
        raise (error.within(place.path) if place.path else error) from error
    except ValueError as error:
        raise UserError(f"{place.path or place.of}: {error}") from error
    return made, {name: dump(value) for name, value in given.items()}


def defaults(target: Callable[..., Any], later: bool = False) -> Tree:
    options = signature_of(target, later).items()
    return {name: dump(option.default) for name, option in options if option.default is not MISSING}


# From things to trees


def dump(x: Any) -> Any:
    """A thing as plain data."""
    match x:
        case Factory():
            return {"name": label(x.target)} | defaults(x.target, later=True) | dump(dict(x.options))
        case eqx.Module():
            return {"name": label(type(x))} | dump(settings_of(x))
        case type():
            return label(x)
        case Mapping():
            return {name: dump(value) for name, value in x.items()}
        case np.ndarray() | np.generic():
            return x.tolist()
        case list() | tuple():
            return [dump(value) for value in x]
        case None | bool() | int() | float() | str():
            return x
    raise UserError(f"{x!r} cannot stand among settings: use numbers, text, lists, and modules made of them")


def label(cls: Any) -> str:
    """A class's name among settings: covey's own without their kind, a user's by where they are."""
    if not cls.__module__.startswith("covey."):
        return catalogue.reference(cls)
    name = cls.__name__
    for base in cls.__mro__[1:]:
        name = name.removesuffix(base.__name__.removeprefix("Abstract"))
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def choices(base: type) -> dict[str, type]:
    """The classes that a name can choose where a `base` is expected."""
    family = lambda cls: [cls, *(c for sub in cls.__subclasses__() for c in family(sub))]
    ours = lambda cls: cls is base or cls.__module__.startswith("covey.")
    return {label(cls): cls for cls in family(base) if ours(cls) and not inspect.isabstract(cls)}


def walk(options: dict[str, Option], tree: Tree, place: Place) -> Iterator[tuple[str, Any, Any]]:
    """Every setting's path, value and type; a part's own below it."""
    for name, option in options.items():
        value, here, base = tree.get(name, option.default), place.at(name), part_of(option.kind)
        yield here.path, value, option.kind
        if base is not None and isinstance(value, dict):
            later = is_made_later(option.kind)
            yield from walk(signature_of(choose(base, value["name"], here, later), later), value, here)


# Overrides


def flatten(tree: Mapping[str, Any]) -> Tree:
    """Every value under its dotted path; a part's name under the part's own."""
    flat = {}
    for key, value in tree.items():
        value = dump(value)
        inner = flatten(value) if isinstance(value, dict) and value else {"name": value}
        flat |= {key if path == "name" else f"{key}.{path}": leaf for path, leaf in inner.items()}
    return flat


def layer(tree: Tree, *layers: Mapping[str, Any]) -> Tree:
    """Later layers win; within one, in any order. A part that is replaced takes its options away."""
    for overrides in layers:
        flat = flatten(overrides)
        for path in sorted(flat, key=lambda path: path.count(".")):
            tree = put(tree, path.split("."), flat[path])
    return tree


def put(tree: Tree, path: Sequence[str], value: Any) -> Tree:
    head, *rest = path
    old = tree.get(head)
    if rest:
        return tree | {head: put(as_part(old) if old is not None else {}, rest, value)}
    same = isinstance(old, dict) and old.get("name", MISSING) == value
    return tree if same else tree | {head: value}


def as_part(value: Any) -> Any:
    """A plain name is a part with its defaults, a plain number is constant."""
    if isinstance(value, str):
        return {"name": value}
    if is_number(value):
        return {"name": "constant", "value": value}
    return value


# From trees to things


def build(kind: Any, tree: Any, place: Place) -> Any:
    """What a tree describes, checked against the type that is expected."""
    base = part_of(kind)
    if base is None:
        return coerce(kind, tree, place)
    part = as_part(tree)
    if not isinstance(part, dict) or (is_number(tree) and not issubclass(ConstantSchedule, base)):
        raise unfit(kind, tree, place)
    later = is_made_later(kind)
    cls = choose(base, part.get("name", label(base)), place, later)
    options = {name: value for name, value in part.items() if name != "name"}
    if later:
        return Factory(cls, **arguments(cls, options, place, later=True))
    return construct(cls, options, place)[0]


def part_of(kind: Any) -> type | None:
    """What a part of this type must be a subclass of; None where it is no part."""
    if is_made_later(kind):
        return get_args(kind)[0]
    kind = get_origin(kind) or kind
    return kind if isinstance(kind, type) and issubclass(kind, eqx.Module) else None


def is_made_later(kind: Any) -> bool:
    return get_origin(kind) is Factory


def choose(base: type, name: Any, place: Place, later: bool = False) -> type:
    """The class of that name; where one is nothing but called, a user's function will do."""
    known = choices(base)
    if name in known:
        return known[name]
    if ":" not in str(name):
        meant = catalogue.nearest(str(name), known)
        raise UserError(f"{place.path} is one of {', '.join(known)}, or file.py:Name, not '{name}'{meant}")
    found = catalogue.resolve(name)
    return fitting(found if later else called(found, base), base, f"{place.path}={name}")


def arguments(target: Callable[..., Any], tree: Mapping[str, Any], place: Place, later: bool = False) -> Tree:
    """All options of a constructor: those given, checked, and the others' defaults."""
    options = signature_of(target, later)
    if any(p.kind is p.VAR_KEYWORD for p in inspect.signature(target).parameters.values()):
        options = {name: Option(Any, MISSING) for name in tree} | options
    if unknown := [name for name in tree if name not in options]:
        refuse_promoted(target, {name: tree[name] for name in unknown}, options, place)
        unknown = [place.at(name).path for name in unknown]
        known = [place.at(path).path for path in [*options, *flatten(defaults(target, later))]]
        meant = f"'{unknown[0]}'{catalogue.nearest(unknown[0], known)}"
        raise UserError(f"{place.of} has no setting {meant}: `covey describe {place.of}` lists them")
    needed = [name for name, option in options.items() if option.default is MISSING]
    if lacking := [place.at(name).path for name in needed if name not in tree]:
        raise UserError(f"{place.path or place.of} also needs {' and '.join(lacking)}")
    given = {name: build(options[name].kind, value, place.at(name)) for name, value in tree.items()}
    return {name: given.get(name, option.default) for name, option in options.items()}


def refuse_promoted(
    target: Callable[..., Any], unknown: Tree, options: Mapping[str, Any], place: Place
) -> None:
    """Answer `ppo.gamma` where `ppo` is a promoted field: its settings have no prefix."""
    for field in promoted_fields(target):
        for path in flatten({field: unknown.get(field, {})}):
            new = path.removeprefix(f"{field}.")
            if new.split(".")[0] in options:
                old, new = place.at(path).path, place.at(new).path
                raise UserError(f"{old} is called {new}: write {new}=…")


def coerce(kind: Any, value: Any, place: Place) -> Any:
    """A plain value as the type that is expected: strictly, but a whole number may be written as 1e6."""
    origin, args = get_origin(kind) or kind, get_args(kind)
    if origin in (Union, UnionType):
        return either(kind, value, place)
    number, sequence = is_number(value), isinstance(value, list | tuple)
    fits = {
        bool: isinstance(value, bool),
        int: number and value % 1 == 0,
        float: number,
        str: isinstance(value, str),
        dict: isinstance(value, dict),
        list: sequence,
        tuple: sequence and (not args or args[-1] is ... or len(args) == len(value)),
        Sequence: sequence,
        Literal: any(value == arg and type(value) is type(arg) for arg in args),
    }
    if not fits.get(origin, True):
        raise unfit(kind, value, place)
    if origin in (int, float):
        return origin(value)
    if origin in (list, tuple, Sequence):
        kinds = args if origin is tuple and args and args[-1] is not ... else [*args, Any][:1] * len(value)
        parts = [build(kind, x, place) for kind, x in zip(kinds, value, strict=True)]
        return parts if origin is list else tuple(parts)
    return value


def either(kind: Any, value: Any, place: Place) -> Any:
    """The first of several types that takes it; where there is only one, its own complaint."""
    kinds = [k for k in get_args(kind) if k is not NoneType]
    if value is None and len(kinds) < len(get_args(kind)):
        return None
    for candidate in kinds:
        try:
            return build(candidate, value, place)
        except UserError:
            if len(kinds) == 1 and part_of(candidate):
                raise
    raise unfit(kind, value, place)


def unfit(kind: Any, value: Any, place: Place) -> UserError:
    return UserError(f"{place.path} takes {words(kind)}, not {json.dumps(value, default=str)}")


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def words(kind: Any) -> str:
    """A type in plain English."""
    plain = {bool: "true or false", int: "a whole number", float: "a number", str: "text", NoneType: "null"}
    plain |= {dict: "keys and values", Any: "anything", MISSING: "anything"}
    origin, args = get_origin(kind) or kind, get_args(kind)
    if origin is Literal:
        return " or ".join(map(str, args))
    if origin in (Union, UnionType):
        return " or ".join(map(words, args))
    if base := part_of(kind):
        return " or ".join(
            [*choices(base), "file.py:Name"] + ["a number"] * issubclass(ConstantSchedule, base)
        )
    if origin in (list, tuple, Sequence):
        inner = [words(arg) for arg in args if arg is not ...]
        return f"a list of {', '.join(inner)}" if inner else "a list"
    return plain.get(origin, getattr(origin, "__name__", str(origin)))
