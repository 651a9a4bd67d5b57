"""A command of another library as covey's: what was taken, what means something else, what is missing."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import yaml_text
from ..text import table

Found = Mapping[str, Any]  # everything that was asked for, by its name there
Words = list[str]  # of a covey command: settings and options


@dataclass(frozen=True)
class Rule:
    """The words that stand for a setting of another library, given its value and everything else."""

    words: Callable[[Any, Found], Words]
    remark: str = ""  # what a reader should know, because it is not quite the same
    is_missing: bool = False  # covey has nothing like it


def same(*keys: str, remark: str = "") -> Rule:
    """Return the rule of a setting that has another name here, or several."""
    return Rule(lambda value, found: [f"{key}={yaml_text.inline(value)}" for key in keys], remark)


def run_option(flag: str, remark: str = "") -> Rule:
    """Return the rule of a setting that is an option of `covey train`."""
    return Rule(lambda value, found: [f"--{flag} {shlex.quote(number_text(value))}"], remark)


def made(words: Callable[[Any, Found], str | Words], remark: str = "") -> Rule:
    """Return the rule of a setting whose value is computed."""

    def as_list(value: Any, found: Found) -> Words:
        result = words(value, found)
        return [result] if isinstance(result, str) else result

    return Rule(as_list, remark)


def switch(on: str = "", off: str = "", remark: str = "") -> Rule:
    """Return the rule of a truth value; "" where it is what covey does anyway."""
    return made(lambda value, found: [word for word in ((on if value else off),) if word], remark)


def nothing(remark: str = "") -> Rule:
    """Return the rule of a setting that covey needs no word for."""
    return Rule(lambda value, found: [], remark)


def missing(remark: str = "covey has none") -> Rule:
    """Return the rule of a setting that covey has nothing for."""
    return Rule(lambda value, found: [], remark, is_missing=True)


def number_text(value: Any) -> str:
    """Return a value as an option takes it: 2000000, not 2000000.0."""
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else str(value)


@dataclass
class Translation:
    """A covey command, and what became of each setting of the command that it stands for."""

    library: str
    algorithm: str
    environment: str
    words: Words = field(default_factory=list)
    taken: list[tuple[str, str]] = field(default_factory=list)
    changed: list[tuple[str, str]] = field(default_factory=list)
    lacking: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def command(self) -> str:
        """The command to type."""
        settings = [word for word in self.words if not word.startswith("--")]
        options = [word for word in self.words if word.startswith("--")]
        return " ".join(
            ["covey train", self.algorithm, self.environment, "preset=original", *settings, *options]
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "library": self.library,
            "command": self.command,
            "taken": dict(self.taken),
            "changed": dict(self.changed),
            "missing": dict(self.lacking),
            "notes": self.notes,
        }

    def __str__(self) -> str:
        parts = [self.command]
        heads = ("taken over", "means something else here, or there", "not there")
        for head, rows in zip(heads, (self.taken, self.changed, self.lacking), strict=True):
            if rows:
                parts.append(f"{head}:\n{table(rows)}")
        return "\n\n".join([*parts, *self.notes])


def translate_settings(
    translation: Translation, found: Found, rules: Mapping[str, Rule], ignored: tuple[str, ...] = ()
) -> Translation:
    """Add every setting that was asked for to a translation."""
    for name, value in found.items():
        if name in ignored:
            continue
        typed = f"{name}={yaml_text.inline(value)}"
        rule = rules.get(name)
        if rule is None or rule.is_missing:
            remark = "covey does not know it" if rule is None else rule.remark
            translation.lacking.append((typed, remark))
            continue
        words = rule.words(value, found)
        translation.words += [word for word in words if word not in translation.words]
        became = " ".join(words) or "(as it is)"
        if rule.remark:
            translation.changed.append((typed, f"{became}: {rule.remark}"))
        else:
            translation.taken.append((typed, became))
    return translation
