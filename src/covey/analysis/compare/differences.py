"""Differences between two runs that need no training: settings, files, versions, machines, tensors."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from ...config import settings
from ...config.config import Config
from ...config.options import option
from ...config.teams import learns
from ...runs import checkpoint
from ...runs.engine import Engine

ABSENT = "—"  # the value of a setting that only the other run has
_FEWEST = 5  # settings that stand below a part in one run and outright in the other: fewer are a coincidence


@dataclass(frozen=True)
class Difference:
    """A setting by the name that users type, with both values.

    `used` is False where the audits of both runs say that nothing reads it, and None where they do not know.
    """

    setting: str
    a: Any
    b: Any
    used: bool | None = None


def every_setting(config: Config) -> dict[str, Any]:
    """Return all settings by the names that users type, and checksums of the user's own files."""
    portable = config.portable
    slots = portable.learners
    learning = [name for name, tree in slots.items() if learns(tree["name"])] or list(slots)
    values = {"environment": portable.environment}
    for slot, tree in slots.items():
        for path, value in settings.flatten({slot: _as_typed(tree)}).items():
            name = path.partition(".")[2] or "algorithm"
            values[name if [slot] == learning else f"{slot}.{name}"] = value
    world = settings.flatten({f"env.{name}": value for name, value in portable.env.items()})
    elsewhere = ("algorithm", "environment", "learners", "env", "notes", "origin")
    options = {option(f.name): getattr(portable, f.name) for f in fields(portable) if f.name not in elsewhere}
    return values | world | options | _checksums(config.files)


def _checksums(files: Any) -> dict[str, str]:
    """Return the content of files as checksums, by name, wherever the files lie."""
    content = {f"content of {path.name}": "" for path in files}
    for path in files:
        content[f"content of {path.name}"] += f"{zlib.crc32(path.read_bytes()):08x}"
    return content


def _as_typed(tree: Any) -> Any:
    """Write a constant as the plain number that users type where a schedule may stand."""
    if not isinstance(tree, dict):
        return tree
    constant = tree.keys() == {"name", "value"} and tree["name"] == "constant"
    return tree["value"] if constant else {name: _as_typed(value) for name, value in tree.items()}


def differing(
    a: Mapping[str, Any], b: Mapping[str, Any], unread: frozenset[str] = frozenset()
) -> list[Difference]:
    """Return the settings whose values differ, in the order in which a run is described."""
    names = [n for n in dict.fromkeys([*a, *b]) if a.get(n, ABSENT) != b.get(n, ABSENT)]
    return [Difference(n, a.get(n, ABSENT), b.get(n, ABSENT), False if n in unread else None) for n in names]


@dataclass(frozen=True)
class NestedSettings:
    """Settings that one run has below a part and the other outright: one algorithm holds the other."""

    run: Literal["a", "b", ""]  # the run that has them below `part`; "" if there are none
    part: str
    names: dict[str, str]  # from the outright name to the one below the part

    def __contains__(self, name: object) -> bool:
        return name in self.names or name in self.names.values()


def nested_settings(a: Mapping[str, Any], b: Mapping[str, Any]) -> NestedSettings:
    """Find the part below which one run has the settings of the other, with the same values.

    Return no names where they are too few to be more than a coincidence.
    """
    matches: dict[tuple[Literal["a", "b", ""], str], dict[str, str]] = {("", ""): {}}
    runs: dict[Literal["a", "b", ""], Any] = {"b": (a, b), "a": (b, a)}
    for run, (plain, below) in runs.items():
        for name in below.keys() - plain.keys():
            part, _, rest = name.partition(".")
            if rest in plain.keys() - below.keys() and plain[rest] == below[name]:
                matches.setdefault((run, part), {})[rest] = name
    run, part = max(sorted(matches), key=lambda key: len(matches[key]))
    names = matches[run, part]
    return NestedSettings(run, part, names) if len(names) >= _FEWEST else NestedSettings("", "", {})


def unread_settings(*summaries: Mapping[str, Any]) -> frozenset[str]:
    """Return the settings that, by the audits of all the runs, nothing reads."""

    def idle(summary: Mapping[str, Any]) -> frozenset[str]:
        audit = summary.get("audit") or {}
        return frozenset((audit.get("settings") or {}).get("idle") or ())

    return frozenset.intersection(*map(idle, summaries))


def differing_circumstances(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    """Return what differs among versions, machines and commits of two run.json: bits depend on them too."""

    def facts(run: Mapping[str, Any]) -> dict[str, Any]:
        machine = run.get("machine") or {}
        git = run.get("git") or {}
        versions = dict(run.get("versions") or {}) | {"devices": machine.get("devices")}
        return versions | {"commit": git.get("commit"), "uncommitted changes": git.get("changed")}

    return differing(facts(a), facts(b))


def tensor_shapes(engine: Engine) -> dict[str, str]:
    """Return the type and shape of every tensor that the learners hold, by its name in the tree."""
    slots = engine.trainer.slots
    several = sum(slot.learns for slot in slots) > 1
    shapes = {}
    for slot, learner in zip(slots, engine.shapes.learners, strict=True):
        for name, leaf in checkpoint.named_leaves(learner):
            shapes[f"{slot.name}/{name}" if several else name] = f"{leaf.dtype}{list(leaf.shape[1:])}"
    return shapes


@dataclass(frozen=True)
class TensorDifferences:
    """Tensors that only one run holds, and those whose shape or type differs."""

    a: list[str]
    b: list[str]
    shapes: dict[str, list[str]]
    nested: dict[str, str]  # the same in both, below a part's name in one

    def __bool__(self) -> bool:
        return bool(self.a or self.b or self.shapes or self.nested)


def tensor_differences(a: dict[str, str], b: dict[str, str]) -> TensorDifferences:
    """Compare what `tensor_shapes` returns for two runs."""
    return TensorDifferences(
        a=[name for name in a if name not in b],
        b=[name for name in b if name not in a],
        shapes={name: [a[name], b[name]] for name in a if name in b and a[name] != b[name]},
        nested=nested_settings(a, b).names,
    )
