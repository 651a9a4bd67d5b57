"""Settings that nobody reads: each is changed a little, and the traced programs must change with it."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from .. import yaml_text
from ..config import settings
from ..config.settings import MISSING, Tree
from ..errors import UserError
from ..ranges import bare, outside

NO_AUDIT = "(--no-audit trains all the same)"
_TRUTH_WORDS = ("true", "false", "yes", "no", "on", "off")
_OTHER_DEFAULTS = "with the other settings at their defaults"


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


class StagedFacts:
    """Facts about a traced thing, stage by stage; a stage is traced once, and only when it is needed."""

    def __init__(self, trace: Callable[[], Any]):
        self._trace = trace
        self._known: dict[str, Any] = {}

    def __getitem__(self, stage: str) -> Any:
        stages = self._stages
        if stage not in self._known:
            self._known[stage] = attempt(stages[stage]) if isinstance(stages, dict) else stages
        return self._known[stage]

    @property
    def _stages(self) -> Any:
        if "stages" not in self._known:
            self._known["stages"] = attempt(lambda: dict(self._trace().stages()))
        return self._known["stages"]

    @property
    def names(self) -> tuple[str, ...]:
        """The stages; none if the thing cannot be made."""
        return tuple(self._stages) if isinstance(self._stages, dict) else ()

    def differs(self, other: "StagedFacts") -> bool:
        """Say whether any stage differs; the cheapest is compared first."""
        if not self.names:
            return False
        return self.names != other.names or any(self[name] != other[name] for name in self.names)


def attempt(f: Callable[[], Any]) -> Any:
    """Return f's value, or its failure as text: a value that is refused has been read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return f()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


class SettingVerdict(NamedTuple):
    """Whether a setting is read; if not, which other setting would change that."""

    setting: Setting
    read: bool
    chosen: bool  # by whoever started the run
    condition: str | None  # "with mixer=monotonic"; None if no single other setting makes it act


@dataclass
class TriedSettings:
    """The settings of a learner or a world, and a way to trace it with others in their place."""

    trace: Callable[[Tree, bool], Any]  # of settings; True: where actions are of the other kind
    tree: Tree
    default: Tree  # the settings if nobody chooses any
    settings: list[Setting]
    _facts: dict[str, StagedFacts] = field(default_factory=dict)

    def facts(self, tree: Tree, flipped: bool = False) -> StagedFacts:
        """Return the facts about the thing that these settings make; each is traced once."""
        name = repr((sorted(settings.flatten(tree).items()), flipped))
        return self._facts.setdefault(name, StagedFacts(lambda: self.trace(tree, flipped)))

    def has_effect(self, setting: Setting, tree: Tree, flipped: bool = False) -> bool:
        """Say whether another value of this setting changes any program, beside the settings in `tree`."""
        now = self.facts(tree, flipped)
        values = other_values(setting.kind, setting.value)
        changed = (settings.layer(tree, {setting.path: value}) for value in values)
        return any(now.differs(self.facts(other, flipped)) for other in changed)

    def is_chosen(self, setting: Setting) -> bool:
        """Say whether the setting has another value than its default."""
        return self._defaults.get(setting.path, MISSING) != _plain_value(setting.value)

    @cached_property
    def _defaults(self) -> Tree:
        """The defaults by path."""
        return settings.flatten(self.default)

    def verdicts(self, wanted: Callable[[Setting], bool]) -> list[SettingVerdict]:
        """Try all wanted settings; a part that has settings is known by these."""
        has_settings = lambda part: any(other.path.startswith(f"{part.path}.") for other in self.settings)
        verdicts = []
        for s in self.settings:
            if wanted(s) and not has_settings(s) and any(True for _ in other_values(s.kind, s.value)):
                read = self.has_effect(s, self.tree)
                condition = None if read else self._condition(s)
                verdicts.append(SettingVerdict(s, read, self.is_chosen(s), condition))
        return verdicts

    def _condition(self, setting: Setting) -> str | None:
        """Return which other setting would make this one act; None if none would."""
        default = settings.layer(self.default, {setting.path: _plain_value(setting.value)})
        if attempt(lambda: self.has_effect(setting, default)) is True:
            return self._enabling_setting(setting, lambda other: [self._defaults.get(other.path)])
        flipped = lambda: any(self.has_effect(setting, tree, True) for tree in (self.tree, default))
        if attempt(flipped) is True:
            return "where actions are of the other kind (discrete or continuous)"
        name = self._enabling_setting(setting, lambda other: other_values(other.kind, other.value))
        return None if name == _OTHER_DEFAULTS else name

    def _enabling_setting(self, setting: Setting, values: Callable[[Setting], Iterable[Any]]) -> str:
        """Return the one other setting that, with one of its `values`, makes this one act."""
        for other in self.settings:
            switch = _is_switch(other) or (isinstance(other.value, dict) and self.is_chosen(other))
            if not switch or f"{setting.path}.".startswith(f"{other.path}."):
                continue
            for value in (*values(other), *[None] * _is_optional(other)):
                tree = attempt(
                    lambda other=other, value=value: settings.layer(self.tree, {other.path: value})
                )
                acts = lambda tree=tree: self.has_effect(setting, tree)
                if value != _plain_value(other.value) and attempt(acts) is True:
                    return f"with {other.path}={yaml_text.inline(value)}"
        return _OTHER_DEFAULTS


def _is_switch(setting: Setting) -> bool:
    """Say whether it may turn another setting on: a part, a mode, a truth value, a 0, what may be null."""
    part = isinstance(setting.value, dict) and settings.is_factory(setting.kind)
    mode = get_origin(setting.kind) is Literal
    return part or mode or isinstance(setting.value, bool) or setting.value == 0 or _is_optional(setting)


def _is_optional(setting: Setting) -> bool:
    """Say whether a setting that has a value may be null, which leaves the choice to another one."""
    kinds = get_args(setting.kind) if get_origin(setting.kind) in (Union, UnionType) else ()
    return NoneType in kinds and setting.value is not None


def _plain_value(value: Any) -> Any:
    """Return a setting's value as a user types it: a part by its name."""
    return value.get("name") if isinstance(value, dict) else value
