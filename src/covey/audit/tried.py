"""Settings that nobody reads: programs must depend on each number, and change with every other setting."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import equinox as eqx

from .. import yaml_text
from ..config import settings
from ..config.settings import MISSING, Tree
from .lifting import put
from .settings_read import Setting, attempt, is_optional, is_switch, other_values, plain_value
from .source import Source

_OTHER_DEFAULTS = "with the other settings at their defaults"
NOT_FOUND = "with none of the other settings that were tried"
_MOST_EQUATIONS = 40_000  # traced in search of a setting that makes another one act


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

    @cached_property
    def thing(self) -> Any:
        """The traced thing, or text if it cannot be made."""
        return attempt(self._trace)

    @cached_property
    def _stages(self) -> Any:
        return attempt(lambda: dict(self.thing.stages()))

    @property
    def names(self) -> tuple[str, ...]:
        """The stages; none if the thing cannot be made."""
        return tuple(self._stages) if isinstance(self._stages, dict) else ()

    @property
    def size(self) -> int:
        """The equations of the update, if it was traced."""
        update = getattr(self.thing, "__dict__", {}).get("update")
        return update.size() if update else 0

    @property
    def _succeeded(self) -> bool:
        """Whether all stages that were asked for could be traced."""
        return not any(isinstance(fact, str) for stage, fact in self._known.items() if stage != "spec")

    def differs(self, other: "StagedFacts") -> bool | None:
        """Say whether any stage differs, the cheapest first; None where numbers as inputs are in the way."""
        if not self.names:
            return False
        differs = self.names != other.names or any(self[name] != other[name] for name in self.names)
        lifted = any(getattr(facts.thing, "numbers", None) for facts in (self, other))
        return None if lifted and not (self._succeeded and other._succeeded) else differs


class SettingVerdict(NamedTuple):
    """Whether a setting is read; if not, which other setting would change that."""

    setting: Setting
    read: bool
    chosen: bool  # by whoever started the run
    condition: str | None  # "with mixer=monotonic"; None if no single other setting makes it act


@dataclass
class TriedSettings:
    """The settings of a learner or a world, and a way to trace it with others in their place."""

    trace: Callable[[Tree, bool, bool], Any]  # of settings; of the other kind of actions; numbers as inputs
    make: Callable[[Tree], Any]  # what is traced
    tree: Tree
    default: Tree  # the settings if nobody chooses any
    of_parts: Tree  # the settings if nobody chooses more than the parts, such as actor=feed_forward
    settings: list[Setting]
    source: Source
    promoted: set[str] = field(default_factory=set)  # settings of the class that belong to covey's parts
    _facts: dict[str, StagedFacts] = field(default_factory=dict)

    def facts(self, tree: Tree, flipped: bool = False, lifted: bool = True) -> StagedFacts:
        """Return the facts about the thing that these settings make; each is traced once."""
        name = repr((sorted(settings.flatten(tree).items()), flipped, lifted))
        return self._facts.setdefault(name, StagedFacts(lambda: self.trace(tree, flipped, lifted)))

    def has_effect(self, setting: Setting, tree: Tree, flipped: bool = False) -> bool:
        """Say whether another value of this setting changes any program, beside the settings in `tree`."""
        depends = self._depends(setting, tree, flipped)
        if depends is not None:
            return depends
        values = other_values(setting.kind, setting.value)
        return any(self._changes(setting, value, tree, flipped) for value in values)

    def _depends(self, setting: Setting, tree: Tree, flipped: bool) -> bool | None:
        """Say whether the programs depend on a number; None where it is no input of theirs."""
        number = isinstance(setting.value, int | float) and not isinstance(setting.value, bool)
        if not number:
            return None
        if setting.value == 0:  # off; on, it may be an input
            tree = settings.layer(tree, {setting.path: next(other_values(setting.kind, setting.value), 0)})
        thing = self.facts(tree, flipped).thing
        if setting.path not in getattr(thing, "numbers", {}):
            return None
        depends = attempt(lambda: thing.depends_on(setting.path))
        if depends is True:
            return True
        return False if depends is False and self._is_only_there(setting, tree) else None

    def _is_only_there(self, setting: Setting, tree: Tree) -> bool:
        """Say whether a constructor makes nothing else of a number than keeping it."""
        return attempt(lambda: self._kept(setting, tree)) is True

    def _kept(self, setting: Setting, tree: Tree) -> bool:
        value = next(other_values(setting.kind, setting.value))
        made = self.make(settings.layer(tree, {setting.path: value}))
        return eqx.tree_equal(put(self.make(tree), setting.path.split("."), value), made) is True

    def _changes(self, setting: Setting, value: Any, tree: Tree, flipped: bool) -> bool:
        """Say whether this value changes any program."""
        other = settings.layer(tree, {setting.path: value})
        number = isinstance(value, float)
        differs = None if number else self.facts(tree, flipped).differs(self.facts(other, flipped))
        if differs is not None:
            return differs
        return bool(self.facts(tree, flipped, False).differs(self.facts(other, flipped, False)))

    def is_chosen(self, setting: Setting) -> bool:
        """Say whether the setting has another value than its default, or a part's than the part's own."""
        defaults = self._defaults if isinstance(setting.value, dict) else settings.flatten(self.of_parts)
        return defaults.get(setting.path, MISSING) != plain_value(setting.value)

    @cached_property
    def _defaults(self) -> Tree:
        """The defaults by path."""
        return settings.flatten(self.default)

    def verdicts(self, wanted: Callable[[Setting], bool]) -> list[SettingVerdict]:
        """Try all wanted settings; a part that has settings is known by these."""
        has_settings = lambda part: any(other.path.startswith(f"{part.path}.") for other in self.settings)
        tried = [s for s in self.settings if wanted(s) and not has_settings(s)]
        tried = [s for s in tried if any(True for _ in other_values(s.kind, s.value))]
        for s in tried:
            if self.source.never_reads(s.path):
                return [SettingVerdict(s, False, self.is_chosen(s), None)]
        read = {s.path: self.has_effect(s, self.tree) for s in tried}
        condition = {s.path: None if read[s.path] else self._condition(s) for s in tried}
        return [SettingVerdict(s, read[s.path], self.is_chosen(s), condition[s.path]) for s in tried]

    def _condition(self, setting: Setting) -> str | None:
        """Return which other setting would make this one act; None if none would."""
        default = settings.layer(self.default, {setting.path: plain_value(setting.value)})
        if attempt(lambda: self.has_effect(setting, default)) is True:
            known = lambda other: [self._defaults[other.path]] if other.path in self._defaults else []
            return self._enabling_setting(setting, known)
        flipped = lambda: any(self.has_effect(setting, tree, True) for tree in (self.tree, default))
        if attempt(flipped) is True:
            return "where actions are of the other kind (discrete or continuous)"
        name = self._enabling_setting(setting, lambda other: other_values(other.kind, other.value))
        return None if name == _OTHER_DEFAULTS else name

    def _enabling_setting(self, setting: Setting, values: Callable[[Setting], Iterable[Any]]) -> str:
        """Return the one other setting that, with one of its `values`, makes this one act."""
        limit = self._traced() + max(_MOST_EQUATIONS, 4 * self.facts(self.tree).size)
        for other, value in self._switches(setting, values):
            if self._traced() > limit:
                return NOT_FOUND
            tree = attempt(lambda other=other, value=value: settings.layer(self.tree, {other.path: value}))
            if attempt(lambda tree=tree: self.has_effect(setting, tree)) is True:
                return f"with {other.path}={yaml_text.inline(value)}"
        return _OTHER_DEFAULTS

    def _traced(self) -> int:
        """Return the equations traced so far."""
        return sum(facts.size for facts in self._facts.values())

    def _switches(
        self, setting: Setting, values: Callable[[Setting], Iterable[Any]]
    ) -> Iterator[tuple[Setting, Any]]:
        """Yield other settings that may turn this one on, and values for them, the likeliest first."""
        found = []
        for other in self.settings:
            switch = is_switch(other) or (isinstance(other.value, dict) and self.is_chosen(other))
            if switch and not f"{setting.path}.".startswith(f"{other.path}."):
                tried = (*values(other), *[None] * is_optional(other))
                found += [(other, value) for value in tried if value != plain_value(other.value)]
        alike = lambda pair: self.source.nearness(setting.path, pair[0].path, str(pair[1]))
        yield from sorted(found, key=lambda pair: (not self.is_chosen(pair[0]), -alike(pair)))
