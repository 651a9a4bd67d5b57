"""The texts of `covey list` and `covey describe`.

Functions that need JAX import it themselves, so that `covey list` answers at once.
"""

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .. import yaml_text
from ..config import catalogue
from ..errors import UserError
from ..text import nearest, table

_NO_SETTINGS = "  none"


def list_catalogue() -> str:
    """List algorithms and environments, a line each."""
    width = max(map(len, catalogue.ALGORITHMS | catalogue.ENVIRONMENTS))
    return f"""Algorithms
{_summaries(catalogue.ALGORITHMS, width)}

Environments
{_summaries(catalogue.ENVIRONMENTS, width)}

Your own are path/to/file.py:Name or package.module:Name; an environment may be covey's, PettingZoo's or
Gymnasium's. Other packages' environments train by name: pz:module for PettingZoo's, gym:ID for Gymnasium's,
jaxmarl:SMAX/3m for JaxMARL's, smac:3m for StarCraft's. A class written for one of these libraries, for
XuanCe or for PyMARL trains unchanged by its file.
`covey describe NAME` explains one and lists its settings."""


def _summaries(entries: Mapping[str, Any], width: int) -> str:
    return table((name.ljust(width), entry.summary) for name, entry in entries.items())


def describe_name(name: str, env: Mapping[str, Any] | None = None) -> str:
    """Describe an algorithm, an environment or a part, with all its settings.

    `env` holds settings of the environment, as `key` or as `key.key`.
    """
    known = catalogue.ALGORITHMS | catalogue.ENVIRONMENTS
    if name not in known and ":" not in name:
        raise UserError(f"unknown name '{name}'{nearest(name, known)}: `covey list` shows them all")
    from ..config import making
    from ..core import AbstractAlgorithm, AbstractEnvironment, AbstractHostEnvironment

    if name in catalogue.ALGORITHMS:
        return _describe_algorithm(name)
    thing = making.environment_maker(name)
    is_a = lambda *kinds: isinstance(thing, type) and issubclass(thing, kinds)
    if is_a(AbstractAlgorithm):
        return _describe_algorithm(name)
    if isinstance(thing, type) and not is_a(AbstractEnvironment, AbstractHostEnvironment):
        return _describe_part(name, thing)
    return _describe_environment(name, thing, env or {})


def _describe_algorithm(name: str) -> str:
    from ..config import making, settings
    from ..config.tuned import tuned_environments

    cls = making.algorithm_class(name)
    _, tree = making.make_algorithm(name)
    return f"""{name}: {_docstring(cls)}

Settings, given as key=value
{table(_setting_rows(settings.signature_of(cls), tree))}

Tuned for: {", ".join(tuned_environments(name)) or "nothing yet"}

Beside others
{traits_table(dict.fromkeys([*catalogue.ALGORITHMS, name]))}"""


def _describe_part(name: str, cls: type) -> str:
    """Describe a class that stands in a setting: a mixer, a network, a schedule."""
    from ..config import settings

    options = settings.signature_of(cls, later=True)
    return f"""{name}: {_docstring(cls)}

Its own settings, below the name of the setting it stands in
{table(_setting_rows(options, {})) or _NO_SETTINGS}"""


def _describe_environment(name: str, make: Any, chosen: Mapping[str, Any]) -> str:
    from ..config import making, settings

    env, tree = making.make_environment(name, chosen)
    spec = env.spec
    action = f"one of {spec.actions}"
    if spec.bounds:
        action = f"{spec.actions} numbers in [{spec.bounds[0]:g}, {spec.bounds[1]:g}]"
    joint = "" if spec.state else ", everybody's observations side by side"
    facts = {
        "agents": _few(spec.names),
        "teams": ", ".join(f"{team} ({len(spec.members(team))})" for team in spec.teams),
        "observation": f"{spec.features} numbers{_picture(spec)}",
        "state": f"{spec.world} numbers{joint}",
        "action": action,
        "horizon": f"{spec.horizon}",
        "returns": f"{spec.team_reward} summed over an episode",
    }
    return f"""{name}: {_docstring(make)}

Settings, given as key=value
{table(_setting_rows(settings.signature_of(make), tree, "env")) or _NO_SETTINGS}

With these settings
{table(facts.items())}"""


def _picture(spec: Any) -> str:
    """Write the shape of observations that are pictures."""
    kept = " of bytes" if spec.feature_type == "uint8" else ""
    return f", a picture of {' × '.join(map(str, spec.shape))}{kept}" if spec.shape else ""


def _few(names: Sequence[str], most: int = 12) -> str:
    """Write names in a row; of many, the first and the last."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 2])}, … {names[-1]} ({len(names)})"


def _docstring(thing: Any) -> str:
    """Return a class's docstring; for covey's own algorithms their module's, which has the equation."""
    ours = thing.__module__.startswith("covey.algorithms.")
    return inspect.getdoc(inspect.getmodule(thing) if ours else thing) or "(it has no docstring)"


def _setting_rows(options: dict[str, Any], tree: dict[str, Any], prefix: str = "") -> Iterator[list[str]]:
    """Yield the path, value and type of every setting; those of a part follow it."""
    from ..config import settings

    for path, value, kind in settings.walk(options, tree, settings.SettingPlace("", prefix)):
        if settings.part_of(kind) is not None and isinstance(value, dict):
            yield [path, value["name"], settings.describe_type(kind)]
            continue
        shown = "(to be given)" if value is settings.MISSING else yaml_text.inline(value)
        yield [path, shown, settings.describe_type(kind)]


def traits_table(names: Iterable[str] = catalogue.ALGORITHMS) -> str:
    """Write what each algorithm can learn, and from what."""
    from ..config.making import algorithm_class

    rows = [["", "training", "data", "actions", "memory", "learns for"]]
    for name in names:
        traits = algorithm_class(name).traits._replace(**catalogue.find("algorithm", name).traits)
        rows.append(
            [
                name,
                "centralised" if traits.centralised else "decentralised",
                "on-policy" if traits.on_policy else "off-policy",
                " or ".join(["discrete"] * traits.discrete + ["continuous"] * traits.continuous),
                "recurrent" if traits.recurrent else "none",
                "one team" if traits.cooperative else "any number of teams",
            ]
        )
    return table(rows)
