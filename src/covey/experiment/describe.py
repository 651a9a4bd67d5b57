"""What `covey list` and `covey describe` print.

What needs JAX is imported where it is needed, so that the list comes at once.
"""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from . import catalogue

if TYPE_CHECKING:
    from .settings import Option, Tree


def table(rows: Iterable[Iterable[str]]) -> str:
    """Columns, each as wide as it must be."""
    rows = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(f"  {line}".rstrip() for line in lines)


def listing() -> str:
    """Algorithms and environments, a line each."""
    names = lambda entries: [(name, entry.summary) for name, entry in entries.items()]
    width = max(map(len, catalogue.ALGORITHMS | catalogue.ENVIRONMENTS))
    padded = lambda entries: table((name.ljust(width), summary) for name, summary in names(entries))
    return "\n\n".join([
        f"Algorithms\n{padded(catalogue.ALGORITHMS)}",
        f"Environments\n{padded(catalogue.ENVIRONMENTS)}",
        "Your own: path/to/file.py:Name or package.module:Name; any PettingZoo world: pz:module.\n"
        "`covey describe NAME` tells what one is and lists every setting.",
    ])  # fmt: skip


def describe(name: str) -> str:
    """An algorithm or an environment: what it is and every setting it has."""
    known = catalogue.ALGORITHMS | catalogue.ENVIRONMENTS
    if name not in known and ":" not in name:
        raise UserError(f"unknown name '{name}'{catalogue.nearest(name, known)}: `covey list` shows them all")
    from ..core import AbstractAlgorithm

    kind = "algorithm" if name in catalogue.ALGORITHMS else "environment"
    thing = catalogue.load(catalogue.find(kind, name))
    learns = isinstance(thing, type) and issubclass(thing, AbstractAlgorithm)
    return describe_algorithm(name) if learns else describe_environment(name)


def describe_algorithm(name: str) -> str:
    from .config import PRESETS, algorithm_class, learner, unnamed
    from .settings import signature_of

    cls = algorithm_class(name)
    tree = unnamed(learner(name)[1])
    tuned = sorted(str(path.relative_to(PRESETS / name).with_suffix("")) for path in PRESETS.glob(f"{name}/**/*.yaml"))
    names = [*catalogue.ALGORITHMS, *([] if name in catalogue.ALGORITHMS else [name])]
    return "\n\n".join([
        f"{name}: {about(cls)}",
        f"Settings, given as key=value\n{table(rows(signature_of(cls), tree))}",
        f"Tuned for: {', '.join(tuned) or 'nothing yet'}",
        f"Beside the others\n{traits_table(names)}",
    ])  # fmt: skip


def describe_environment(name: str) -> str:
    from .config import world
    from .settings import signature_of

    make = catalogue.load(catalogue.find("environment", name))
    env, tree = world(name)
    spec = env.spec
    teams = {team: len(spec.members(team)) for team in spec.teams}
    facts = {
        "agents": ", ".join(spec.names),
        "teams": ", ".join(f"{team} ({size})" for team, size in teams.items()),
        "observation": f"{spec.features} numbers",
        "state": f"{spec.world} numbers" + (", all observations side by side" if not spec.state else ""),
        "actions": f"{spec.actions} dimensions within {spec.bounds}" if spec.bounds else f"{spec.actions} choices",
        "horizon": f"{spec.horizon} steps",
    }
    options = table(("env." + path, *rest) for path, *rest in rows(signature_of(make), tree))
    return "\n\n".join([
        f"{name}: {about(make)}",
        f"Settings, given as key=value\n{options or '  none'}",
        f"With these settings\n{table(facts.items())}",
    ])  # fmt: skip


def about(thing: Any) -> str:
    """Its own words; of a covey algorithm its file's, which hold the equation."""
    text = inspect.getdoc(thing) or ""
    module = inspect.getdoc(inspect.getmodule(thing)) if thing.__module__.startswith("covey.algorithms.") else ""
    return "\n\n".join(filter(None, [text, module]))


def rows(options: "Mapping[str, Option]", tree: "Tree", prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Every setting's path, value and type, those of parts below the parts."""
    from .settings import MISSING, choose, Place, part_of, signature_of, words

    for name, option in options.items():
        value, path = tree.get(name, MISSING), prefix + name
        base = part_of(option.kind)
        part = base is not None and isinstance(value, dict)
        shown = value["name"] if part else "(must be given)" if value is MISSING else written(value)
        yield path, shown, words(option.kind)
        if part:
            cls = choose(base, value["name"], Place("", path))
            yield from rows(signature_of(cls, later=option.kind is not base), value, path + ".")


def written(value: Any) -> str:
    from . import text

    return text.inline(value)


def traits_table(names: Iterable[str] = tuple(catalogue.ALGORITHMS)) -> str:
    """What each algorithm is and can do."""
    from .config import algorithm_class

    head = ["", "training", "data", "actions", "memory", "learns for"]
    body = []
    for name in names:
        traits = algorithm_class(name).traits
        actions = ["discrete"] * traits.discrete + ["continuous"] * traits.continuous
        body.append([
            name,
            "centralised" if traits.centralised else "decentralised",
            "on-policy" if traits.on_policy else "off-policy",
            " or ".join(actions),
            "recurrent" if traits.recurrent else "none",
            "one team" if traits.cooperative else "any number of teams",
        ])  # fmt: skip
    return table([head, *body])
