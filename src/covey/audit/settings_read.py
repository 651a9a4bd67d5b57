"""A run's settings: their values as they stand, other values to try, and truth values that came as text."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from .. import yaml_text
from ..config import settings
from ..config.settings import MISSING, Tree
from ..errors import UserError
from ..ranges import bare, outside

NO_AUDIT = "(--no-audit trains all the same)"
_TRUTH_WORDS = ("true", "false", "yes", "no", "on", "off")


class Setting(NamedTuple):
    """A setting of an algorithm or a world, as it stands in the run."""

    path: str
    value: Any
    kind: Any  # its annotation


def settings_in_tree(cls: Any, tree: Tree) -> list[Setting]:
    """Return all settings of a class or function, as they stand in `tree`."""
    options = settings.signature_of(cls)
    walked = settings.walk(options, tree, settings.SettingPlace(""))
    return [Setting(*entry) for entry in walked if entry[1] is not MISSING]


def refuse_truth_as_text(all_settings: Iterable[Setting], prefix: str = "") -> None:
    """Refuse a truth value or a number that came as text: Python takes any text for true."""
    for path, value, kind in all_settings:
        if not isinstance(value, str) or get_origin(kind) is Literal:
            continue
        without_type = kind in (Any, MISSING)
        if value.lower() in _TRUTH_WORDS:
            remedy = "annotate it as bool, and give true or false"
        elif without_type and isinstance(
            attempt(lambda value=value: yaml_text.parse(value, "")), int | float
        ):
            remedy = "annotate it as int or float, and give it without quotes"
        else:
            continue
        raise UserError(
            f"{prefix}{path} is the text '{value}', and Python takes any text for true: {remedy} {NO_AUDIT}"
        )


def other_values(kind: Any, value: Any) -> Iterator[Any]:
    """Yield other values for a setting, the nearest first; of a number those within its range."""
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    within = lambda x: any(not outside(k, x) for k in kinds if k is not NoneType)
    yield from filter(within, _candidates(bare(kind), value))


def _candidates(kind: Any, value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        base = settings.part_of(kind)
        yield from (name for name in settings.choices(base) if name != value.get("name")) if base else ()
    elif get_origin(kind) is Literal:
        yield from (arg for arg in get_args(kind) if arg != value)
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int) and kind is not float:
        yield from (value + 1, 2 * value + 1, 100 * value + 100, value - 1)
    elif isinstance(value, int | float):
        yield from (1.37 * value + 0.1, 0.6 * value + 0.01)
    elif isinstance(value, list | tuple):
        yield from ([other, *value[1:]] for x in value[:1] for other in other_values(Any, x))
        yield [*value, *value[:1]]
    elif isinstance(value, str):
        yield from (f"{value}_", "")
    elif value is None:
        kinds = [bare(k) for k in get_args(kind) if k is not NoneType]
        samples = {bool: [True], int: [1, 7, 100_000], float: [0.37], str: ["a"]}
        yield from (x for k in kinds for x in samples.get(k, get_args(k) if get_origin(k) is Literal else []))


def attempt(f: Callable[[], Any]) -> Any:
    """Return f's value, or its failure as text: a value that is refused has been read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return f()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def is_switch(setting: Setting) -> bool:
    """Say whether it may turn another setting on: a part, a mode, a truth value, a 0, what may be null."""
    part = isinstance(setting.value, dict) and settings.is_factory(setting.kind)
    mode = get_origin(setting.kind) is Literal
    return part or mode or isinstance(setting.value, bool) or setting.value == 0 or is_optional(setting)


def is_optional(setting: Setting) -> bool:
    """Say whether a setting that has a value may be null, which leaves the choice to another one."""
    kinds = get_args(setting.kind) if get_origin(setting.kind) in (Union, UnionType) else ()
    return NoneType in kinds and setting.value is not None


def plain_value(value: Any) -> Any:
    """Return a setting's value as a user types it: a part by its name."""
    return value.get("name") if isinstance(value, dict) else value
