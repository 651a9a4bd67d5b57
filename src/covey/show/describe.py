"""What `covey list` and `covey describe` print.

What needs JAX is imported where it is needed, so that the list comes at once.
"""

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

from .. import yaml_text
from ..config import catalogue
from ..errors import UserError
from ..text import table


def listing() -> str:
    """Algorithms and environments, a line each."""
    width = max(map(len, catalogue.ALGORITHMS | catalogue.ENVIRONMENTS))
    lines = lambda entries: table((name.ljust(width), entry.summary) for name, entry in entries.items())
    return f"""Algorithms
{lines(catalogue.ALGORITHMS)}

Environments
{lines(catalogue.ENVIRONMENTS)}

Your own are path/to/file.py:Name or package.module:Name; a PettingZoo world is pz:module.
`covey describe NAME` tells what one is and lists every setting."""


def describe(name: str) -> str:
    """An algorithm or an environment: what it is and every setting it has."""
    known = catalogue.ALGORITHMS | catalogue.ENVIRONMENTS
    if name not in known and ":" not in name:
        raise UserError(f"unknown name '{name}'{catalogue.nearest(name, known)}: `covey list` shows them all")
    from ..core import AbstractAlgorithm, AbstractEnvironment, AbstractHostEnvironment

    kind = "algorithm" if name in catalogue.ALGORITHMS else "environment"
    thing = catalogue.load_class(catalogue.find(kind, name))
    is_a = lambda *kinds: isinstance(thing, type) and issubclass(thing, kinds)
    if is_a(AbstractAlgorithm):
        return describe_algorithm(name)
    if isinstance(thing, type) and not is_a(AbstractEnvironment, AbstractHostEnvironment):
        return describe_part(name, thing)
    return describe_environment(name, thing)


def describe_algorithm(name: str) -> str:
    from ..config import making, settings
    from ..config.tuned import tuned_environments

    cls = making.algorithm_class(name)
    _, tree = making.make_algorithm(name)
    return f"""{name}: {about(cls)}

Settings, given as key=value
{table(rows(settings.signature_of(cls), tree))}

Tuned for: {", ".join(tuned_environments(name)) or "nothing yet"}

Beside others
{traits_table(dict.fromkeys([*catalogue.ALGORITHMS, name]))}"""


def describe_part(name: str, make: type) -> str:
    """A mixer, a network, a schedule: whatever stands in a setting."""
    from ..config import settings

    options = settings.signature_of(make, later=True)
    return f"""{name}: {about(make)}

Its own settings, below the name of the setting it stands in
{table(rows(options, {})) or "  none"}"""


def describe_environment(name: str, make: Any) -> str:
    from ..config import making, settings

    env, tree = making.make_environment(name)
    spec = env.spec
    bounds = f"{spec.actions} numbers in [{spec.bounds[0]:g}, {spec.bounds[1]:g}]" if spec.bounds else ""
    facts = {
        "agents": ", ".join(spec.names),
        "teams": ", ".join(f"{team} ({len(spec.members(team))})" for team in spec.teams),
        "observation": f"{spec.features} numbers",
        "state": f"{spec.world} numbers" + ("" if spec.state else ", everybody's observations side by side"),
        "action": bounds or f"one of {spec.actions}",
        "horizon": f"{spec.horizon}",
    }
    return f"""{name}: {about(make)}

Settings, given as key=value
{table(rows(settings.signature_of(make), tree, "env")) or "  none"}

With these settings
{table(facts.items())}"""


def about(thing: Any) -> str:
    """Its own words; for an algorithm of covey's its file's, which hold the equation."""
    ours = thing.__module__.startswith("covey.algorithms.")
    return inspect.getdoc(inspect.getmodule(thing) if ours else thing) or "(it has no docstring)"


def rows(options: dict[str, Any], tree: dict[str, Any], prefix: str = "") -> Iterator[list[str]]:
    """Every setting's path, value and type; a part's own below it."""
    from ..config import settings

    for path, value, kind in settings.walk(options, tree, settings.Place("", prefix)):
        if settings.part_of(kind) is not None and isinstance(value, dict):
            yield [path, value["name"], settings.describe_type(kind)]
            continue
        shown = "(to be given)" if value is settings.MISSING else yaml_text.inline(value)
        yield [path, shown, settings.describe_type(kind)]


def traits_table(names: Iterable[str] = catalogue.ALGORITHMS) -> str:
    """What each algorithm is and can do."""
    from ..config.making import algorithm_class

    table_rows = [["", "training", "data", "actions", "memory", "learns for"]]
    for name in names:
        traits = algorithm_class(name).traits._replace(**catalogue.find("algorithm", name).traits)
        table_rows.append(
            [
                name,
                "centralised" if traits.centralised else "decentralised",
                "on-policy" if traits.on_policy else "off-policy",
                " or ".join(["discrete"] * traits.discrete + ["continuous"] * traits.continuous),
                "recurrent" if traits.recurrent else "none",
                "one team" if traits.cooperative else "any number of teams",
            ]
        )
    return table(table_rows)
