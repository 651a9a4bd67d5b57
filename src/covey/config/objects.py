"""Classes and objects in the place of names: `covey.train(MyAlgorithm, MyWorld(n=3))`.

A class becomes the name by which any process finds it, an object that name and its settings. So a run that
was begun with objects is configured, copied and loaded as one that was begun with names.
"""

import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

import equinox as eqx

from ..core import AbstractAlgorithm, Spec
from ..errors import UserError
from . import catalogue
from .choices import choice_name
from .gathering import gather_source
from .settings import Tree, defaults
from .signatures import MISSING, make_object, settings_of, signature_of
from .trees import dump, layer

_INSTALLED = tuple({sysconfig.get_path(kind) for kind in ("purelib", "platlib", "stdlib")})


class NamedChoice(NamedTuple):
    """An algorithm or a world as a configuration has it; `complete`: its settings are all that it has."""

    name: str
    settings: Tree
    complete: bool


def name_choice(kind: catalogue.Kind, thing: Any) -> NamedChoice:
    """Return the name and the settings of an algorithm or a world: a name, a class, a function, an object.

    A mapping gives each team its own algorithm: `{"adversary": QMIX, "agent": "iql"}`.
    """
    if isinstance(thing, str):
        return NamedChoice(thing, {}, False)
    if isinstance(thing, Mapping):
        teams = {str(team): name_choice(kind, own) for team, own in thing.items()}
        name = "+".join(f"{team}={own.name}" for team, own in teams.items())
        settings = {team: own.settings for team, own in teams.items() if own.settings}
        return NamedChoice(name, settings, all(own.complete for own in teams.values()))
    if isinstance(thing, type | FunctionType):
        return NamedChoice(_name(kind, thing, {}), {}, False)
    tree = settings_of_object(thing)
    return NamedChoice(_name(kind, type(thing), tree), tree, True)


def plain_settings(tree: Mapping[str, Any]) -> Tree:
    """Return settings in which classes, functions and objects are names and numbers."""
    return {name: dump(value, part_name) for name, value in tree.items()}


def part_name(thing: Any) -> str:
    """Return the name of a class or function among settings."""
    return choice_name(thing) if thing.__module__.startswith("covey.") else own_path(thing)


def own_path(thing: Any) -> str:
    """Return the path by which any process finds a user's class or function."""
    name = thing.__qualname__
    if not name.isidentifier():
        raise UserError(
            f"{name} is defined within a function or a class, where another process cannot find it: "
            "define it at the top of a file or of a notebook's cell"
        )
    module = sys.modules[thing.__module__]
    if getattr(module, name, None) is not thing:
        raise UserError(f"{name} has been defined again since: make the object anew, of the newest {name}")
    if thing.__module__ == "__main__":
        return _gathered_path(name)
    file = getattr(module, "__file__", None)
    if file and not module.__name__.startswith(catalogue.FILE_MODULE) and _is_lone(thing.__module__, file):
        path = Path(file).resolve()
        near = path.is_relative_to(Path.cwd())
        return f"{path.relative_to(Path.cwd()) if near else path}:{name}"
    return catalogue.class_path(thing)


def _gathered_path(name: str) -> str:
    """Return the path of a class or function of `__main__`, in a file that holds what it needs and runs."""
    path = f"{gather_source(name)}:{name}"
    try:
        catalogue.resolve(path)
    except UserError as error:
        raise UserError(
            f"the definition of {name} does not stand by itself ({error.__cause__ or error}): put it, with "
            f"all that it needs, into a file, and import it from there or write file.py:{name}"
        ) from error
    return path


def _is_lone(module: str, file: str) -> bool:
    """Return whether a module is a file by itself: in no package, and not installed."""
    return "." not in module and file.endswith(".py") and not file.startswith(_INSTALLED)


def _name(kind: catalogue.Kind, thing: Any, tree: Tree) -> str:
    """Return the name of an algorithm or a world: that of the catalogue which fits the settings best."""
    if not thing.__module__.startswith("covey."):
        return own_path(thing)
    path = f"{thing.__module__}:{thing.__qualname__}"
    whole = layer(defaults(thing), tree)
    same = {name: entry for name, entry in catalogue.KNOWN[kind].items() if entry.path == path}
    fitting = {name: entry for name, entry in same.items() if layer(whole, entry.fixed) == whole}
    return max(fitting, key=lambda name: len(fitting[name].fixed), default=path)


def settings_of_object(thing: Any) -> Tree:
    """Return all settings of an algorithm or a world, as a tree.

    They are read from the attributes of their names, else from the spec, and refused if they do not make the
    same object again.
    """
    options = signature_of(type(thing))
    try:
        values = settings_of(thing)
    except AttributeError:
        known = _told_by_spec(thing)
        values = {name: getattr(thing, name, known.get(name, MISSING)) for name in options}
        values = {name: value for name, value in values.items() if value is not MISSING}
    lacking = [name for name in options if name not in values]
    needed = [n for n in lacking if not isinstance(thing, eqx.Module) or options[n].default is MISSING]
    if needed or not _makes_again(thing, values):
        raise _untold(thing, next(iter(needed or lacking or options), "setting"))
    return {name: dump(value, part_name) for name, value in values.items()}


def _told_by_spec(thing: Any) -> dict[str, Any]:
    """Return the settings of a world that its spec tells, by the names that they usually have."""
    spec = getattr(thing, "spec", None)
    if not isinstance(spec, Spec):
        return {}
    length = dict.fromkeys(("horizon", "rounds", "max_steps"), spec.horizon)
    return length | {"agents": spec.agents, "n": spec.agents, "continuous": spec.bounds is not None}


def _makes_again(thing: Any, values: Mapping[str, Any]) -> bool:
    """Return whether a class makes the same object of these settings."""
    try:
        again = make_object(type(thing), values)
        if isinstance(thing, eqx.Module):
            return bool(eqx.tree_equal(thing, again))
        return bool(getattr(thing, "spec", None) == getattr(again, "spec", None))
    except Exception:  # of the user's own constructor, or of values that cannot be compared
        return False


def _untold(thing: Any, name: str) -> UserError:
    """Return the error for an object whose settings cannot be read."""
    cls = type(thing).__name__
    is_algorithm = isinstance(thing, AbstractAlgorithm)
    instead = f"{name}=…" if is_algorithm else f"env={{'{name}': …}}"
    return UserError(
        f"{cls} does not tell what it was made with: keep its options as attributes, as in "
        f"self.{name} = {name}, or give the class itself and {instead}"
    )
