"""What differs between two runs before anything was trained: settings, files, versions, machines, tensors."""

import zlib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from ...config import settings
from ...config.config import Config
from ...config.options import option
from ...config.teams import learns
from ...runs import checkpoint
from ...runs.engine import Engine

ABSENT = "—"  # how a setting is shown that only the other run has
NESTED = 5  # settings that one run has below another's name: as many are no coincidence


class Difference(NamedTuple):
    """A setting by the name it is typed by. `used`: whether anybody reads it, where the audit knows."""

    setting: str
    a: Any
    b: Any
    used: bool | None = None


def every_setting(config: Config) -> dict[str, Any]:
    """Settings by the names they are typed by, and the content of the user's files, wherever these lie."""
    own = config.with_files(lambda path: Path(path.name))
    apart = ("algorithm", "environment", "learners", "env", "notes")
    told = {"environment": own.environment}
    learning = [side for side, tree in own.learners.items() if learns(tree["name"])] or list(own.learners)
    for side, tree in own.learners.items():
        for path, value in settings.flatten({side: typed(tree)}).items():
            name = path.partition(".")[2] or "algorithm"
            told[name if [side] == learning else f"{side}.{name}"] = value
    env = settings.flatten({f"env.{name}": value for name, value in own.env.items()})
    run = {option(f.name): getattr(own, f.name) for f in fields(own) if f.name not in apart}
    files = {f"content of {path.name}": "" for path in config.files}
    for path in config.files:
        files[f"content of {path.name}"] += f"{zlib.crc32(path.read_bytes()):08x}"
    return told | env | run | files


def typed(tree: Any) -> Any:
    """A constant where a schedule could stand is typed as a plain number."""
    if not isinstance(tree, dict):
        return tree
    constant = tree.keys() == {"name", "value"} and tree["name"] == "constant"
    return tree["value"] if constant else {name: typed(value) for name, value in tree.items()}


def differing(
    a: Mapping[str, Any], b: Mapping[str, Any], unread: frozenset[str] = frozenset()
) -> list[Difference]:
    """In the order in which a run is described. `unread` are settings that nobody uses."""
    names = dict.fromkeys([*a, *b])
    apart = [n for n in names if a.get(n, ABSENT) != b.get(n, ABSENT)]
    return [Difference(n, a.get(n, ABSENT), b.get(n, ABSENT), False if n in unread else None) for n in apart]


class Nested(NamedTuple):
    """What one run has below a part's name and the other has outright: one algorithm that holds another."""

    run: str  # "a" or "b": who has it below `part`; "" where nobody has
    part: str
    names: dict[str, str]  # by the outright name, the name below the part

    def __contains__(self, name: object) -> bool:
        return name in self.names or name in self.names.values()


def nested(a: Mapping[str, Any], b: Mapping[str, Any]) -> Nested:
    """What only one of them has, and the other has alike below one part; nothing where it is hardly any."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for run, (plain, below) in {"b": (a, b), "a": (b, a)}.items():
        for name in below.keys() - plain.keys():
            part, _, rest = name.partition(".")
            if rest in plain.keys() - below.keys() and plain[rest] == below[name]:
                found.setdefault((run, part), {})[rest] = name
    where = max(sorted(found), key=lambda where: len(found[where]), default=("", ""))
    names = found.get(where, {})
    return Nested(*where, names) if len(names) >= NESTED else Nested("", "", {})


def unread(*summaries: Mapping[str, Any]) -> frozenset[str]:
    """The settings of which every run's audit says that they are idle: that nobody reads them there."""

    def idle(summary: Mapping[str, Any]) -> frozenset[str]:
        audit = summary.get("audit") or {}
        return frozenset((audit.get("settings") or {}).get("idle") or ())

    return frozenset.intersection(*map(idle, summaries))


def circumstances(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    """Versions, machines and commits, as run.json holds them: bits depend on these as well."""

    def told(run):
        machine, git = run.get("machine") or {}, run.get("git") or {}
        facts = dict(run.get("versions") or {}) | {"devices": machine.get("devices")}
        return facts | {"commit": git.get("commit"), "uncommitted changes": git.get("changed")}

    return differing(told(a), told(b))


def tensors(engine: Engine) -> dict[str, str]:
    """Every tensor that the learners hold, by its name in the tree, with its shape."""
    sides = engine.trainer.slots
    several = sum(side.algorithm.experience.updates > 0 for side in sides) > 1
    held = {}
    for side, learner in zip(sides, engine.shapes.learners, strict=True):
        for name, leaf in checkpoint.named_leaves(learner):
            held[f"{side.name}/{name}" if several else name] = f"{leaf.dtype}{list(leaf.shape[1:])}"
    return held
