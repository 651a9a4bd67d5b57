"""Settings checked against types, and turned into objects.

`trees.dump` writes an object as a tree, `trees.layer` overrides a tree's values, and `build` makes the object
that a tree describes.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

import jax
import numpy as np

from ..errors import SettingError, UserError
from ..parts import ConstantSchedule, Factory, promoted_fields
from ..ranges import bare, oddity, outside, with_range
from ..text import nearest
from .choices import choice_name, choices, choose_class, describe_type, is_factory, is_number, part_of
from .signatures import MISSING, Option, make_object, signature_of, takes_anything
from .trees import Tree, as_part, defaults, dump, flatten, layer

__all__ = [
    "MISSING", "Option", "SettingPlace", "Tree", "UnknownSettingError", "apply", "build", "choice_name",
    "choices", "coerce", "construct", "defaults", "describe_type", "dump", "flatten", "is_factory", "layer",
    "part_of", "rebuild", "signature_of", "walk",
]  # fmt: skip

_T = TypeVar("_T")


class UnknownSettingError(UserError):
    """A setting that nothing has, and the names that there are."""

    def __init__(self, of: str, name: str, known: Iterable[str]):
        self.of = of
        self.name = name
        self.known = tuple(known)
        super().__init__(of, name)

    def among(self, names: Iterable[str]) -> "UnknownSettingError":
        """Return the error where these names could be meant, too."""
        return UnknownSettingError(self.of, self.name, (*self.known, *names))

    def __str__(self) -> str:
        meant = nearest(self.name, self.known)
        return f"{self.of} has no setting '{self.name}'{meant}: `covey describe {self.of}` lists them"


class SettingPlace(NamedTuple):
    """The owner of a setting and the setting's path, for messages."""

    of: str
    path: str = ""

    def at(self, name: str) -> "SettingPlace":
        """Return the place of a setting below this one."""
        return SettingPlace(self.of, f"{self.path}.{name}" if self.path else name)


def apply(thing: _T, overrides: Mapping[str, Any], of: str = "") -> _T:
    """Return the object with other settings, each named by its dotted path."""
    return build(type(thing), layer(dump(thing), overrides), SettingPlace(of or choice_name(type(thing))))


def rebuild(kind: Any, tree: Any) -> Any:
    """Return the object that was dumped; `kind` is its type, or that of the field it stands in."""
    return build(kind, tree, SettingPlace("it"))


def construct(
    target: Callable[..., _T], tree: Mapping[str, Any], place: SettingPlace, holder: Any = None
) -> tuple[_T, Tree]:
    """Return the object that a constructor makes of these options, and the tree of all its options.

    `holder` is the type of the setting in which it stands.
    """
    values = _check_options(target, tree, place, holder=holder)
    try:
        thing = make_object(target, values)
    except SettingError as error:
        raise (error.within(place.path) if place.path else error) from error
    except ValueError as error:
        raise UserError(f"{place.path or place.of}: {error}") from error
    return thing, {name: dump(value) for name, value in values.items()}


def walk(options: dict[str, Option], tree: Tree, place: SettingPlace) -> Iterator[tuple[str, Any, Any]]:
    """Yield every setting's path, value and type; a part's own settings follow it."""
    for name, option in options.items():
        value = tree.get(name, option.default)
        here = place.at(name)
        base = part_of(option.kind)
        yield here.path, value, option.kind
        if base is not None and isinstance(value, dict):
            later = is_factory(option.kind)
            cls = choose_class(base, value["name"], here.path, later)
            yield from walk(_options_in(option.kind, cls, later), value, here)


def odd_settings(target: Callable[..., Any], tree: Tree, place: SettingPlace) -> list[str]:
    """Return a sentence for each value that is possible but odd, unless it is the class's own."""
    usual = defaults(target)
    sentences = []
    for path, value, kind in walk(signature_of(target), tree, place):
        effect = oddity(kind, value)
        if effect and _value_at(usual, path.removeprefix(f"{place.path}.").split(".")) != value:
            sentences.append(f"{path.removesuffix('.value')}={value} {effect}")
    return sentences


def _value_at(tree: Any, path: Sequence[str]) -> Any:
    for name in path:
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree


def _options_in(holder: Any, cls: Callable[..., Any], later: bool) -> dict[str, Option]:
    """Return a part's options; the values of a schedule have the range of the setting that it stands in."""
    constant = cls is ConstantSchedule
    options = signature_of(cls, later).items()
    return {name: option._replace(kind=with_range(option.kind, holder, constant)) for name, option in options}


def build(kind: Any, tree: Any, place: SettingPlace) -> Any:
    """Return what a tree describes, checked against the type that is expected."""
    base = part_of(kind)
    if base is None:
        return coerce(kind, tree, place)
    part = as_part(tree)
    if not isinstance(part, dict) or (is_number(tree) and not issubclass(ConstantSchedule, base)):
        raise _wrong_type(kind, tree, place)
    later = is_factory(kind)
    cls = choose_class(base, part.get("name", choice_name(base)), place.path, later)
    options = {name: value for name, value in part.items() if name != "name"}
    if later:
        return Factory(cls, **_check_options(cls, options, place, later=True))
    return construct(cls, options, place, kind)[0]


def _check_options(
    target: Callable[..., Any],
    tree: Mapping[str, Any],
    place: SettingPlace,
    later: bool = False,
    holder: Any = None,
) -> dict[str, Any]:
    """Return all options of a constructor: those in the tree, checked, and the others' defaults."""
    options = _options_in(holder, target, later)
    if takes_anything(target):
        options = {name: Option(Any, MISSING) for name in tree} | options
    _refuse_unknown(target, tree, options, place, later)
    needed = [name for name, option in options.items() if option.default is MISSING]
    lacking = [place.at(name).path for name in needed if name not in tree]
    if lacking:
        raise UserError(f"{place.path or place.of} also needs {' and '.join(lacking)}")
    where = lambda name: place if target is ConstantSchedule else place.at(name)
    kept = {name for name, option in options.items() if _is_default_array(option, tree, name)}
    values = {
        name: build(options[name].kind, value, where(name))
        for name, value in tree.items()
        if name not in kept
    }
    return {name: values.get(name, option.default) for name, option in options.items() if name not in kept}


def _is_default_array(option: Option, tree: Mapping[str, Any], name: str) -> bool:
    """Return whether an option keeps its default, an array, which the constructor makes by itself."""
    array = isinstance(option.default, np.ndarray | jax.Array)
    return array and (name not in tree or tree[name] == dump(option.default))


def _refuse_unknown(
    target: Callable[..., Any],
    tree: Mapping[str, Any],
    options: Mapping[str, Option],
    place: SettingPlace,
    later: bool,
) -> None:
    unknown = [name for name in tree if name not in options]
    if not unknown:
        return
    for field in promoted_fields(target):
        for path in flatten({field: tree.get(field, {})}):
            _refuse_prefix(path, field, options, place)
    name = place.at(unknown[0]).path
    known = [place.at(path).path for path in [*options, *flatten(defaults(target, later))]]
    raise UnknownSettingError(place.of, name, known)


def _refuse_prefix(path: str, field: str, options: Mapping[str, Option], place: SettingPlace) -> None:
    """Answer `ppo.gamma` where `ppo` is a promoted field: its settings have no prefix."""
    inner = path.removeprefix(f"{field}.")
    if inner.split(".")[0] in options:
        new = place.at(inner).path
        raise UserError(f"{place.at(path).path} is called {new}: write {new}=…")


def coerce(kind: Any, value: Any, place: SettingPlace) -> Any:
    """Return a plain value as the type that is expected; a whole number may be written as 1e6."""
    declared = kind
    kind = bare(kind)
    origin = get_origin(kind) or kind
    if origin in (Union, UnionType):
        return _first_that_takes(kind, value, place)
    if not _fits(kind, value) or outside(declared, value):
        raise _wrong_type(declared, value, place)
    if origin in (int, float):
        return origin(value)
    if origin in (list, tuple, Sequence):
        items = [build(*item, place) for item in zip(_item_kinds(kind, len(value)), value, strict=True)]
        return items if origin is list else tuple(items)
    return value


def _fits(kind: Any, value: Any) -> bool:
    number = is_number(value)
    sequence = isinstance(value, list | tuple)
    args = get_args(kind)
    fits = {
        bool: isinstance(value, bool),
        int: number and value % 1 == 0,
        float: number and value == value,  # NaN is none
        str: isinstance(value, str),
        dict: isinstance(value, dict),
        list: sequence,
        tuple: sequence and (not args or args[-1] is ... or len(args) == len(value)),
        Sequence: sequence,
        Literal: any(value == arg and type(value) is type(arg) for arg in args),
    }
    return fits.get(get_origin(kind) or kind, True)


def _item_kinds(kind: Any, length: int) -> Sequence[Any]:
    args = get_args(kind)
    if get_origin(kind) is tuple and args and args[-1] is not ...:
        return args
    return [*args, Any][:1] * length


def _first_that_takes(kind: Any, value: Any, place: SettingPlace) -> Any:
    """Return the value as the first of several types that takes it; a single part complains itself."""
    kinds = [arg for arg in get_args(kind) if arg is not NoneType]
    if value is None and len(kinds) < len(get_args(kind)):
        return None
    for candidate in kinds:
        try:
            return build(candidate, value, place)
        except UserError:
            if len(kinds) == 1 and part_of(candidate):
                raise
    raise _wrong_type(kind, value, place)


def _wrong_type(kind: Any, value: Any, place: SettingPlace) -> UserError:
    problem = f"takes {describe_type(kind, value)}, not {json.dumps(value, default=str)}"
    return SettingError(place.path, problem)
