"""Environments and algorithms made by their names."""

from collections.abc import Mapping
from typing import Any

from ..core import AbstractAlgorithm, AbstractEnvironment, AbstractHostEnvironment, Spec
from ..core.spec import spec_fault
from ..errors import UserError
from . import catalogue
from .fitting import require_subclass
from .settings import SettingPlace, Tree, construct, defaults, layer, odd_settings

AnyEnvironment = AbstractEnvironment | AbstractHostEnvironment
RUN_PREFIX = "run:"  # `TEAM=run:DIR` is an opponent that an earlier run trained
POOL_PREFIX = "pool:"  # `TEAM=pool:DIR` draws one of a run's checkpoints for each episode
OPPONENTS = (RUN_PREFIX, POOL_PREFIX)


def without_name(tree: Tree) -> Tree:
    """Return the options of a part's tree."""
    return {key: value for key, value in tree.items() if key != "name"}


def environment_maker(name: str) -> Any:
    """Return the class of an environment, or the function that makes it.

    A user's world that keeps another package's protocol comes with the adapter that it needs.
    """
    entry = catalogue.find("environment", name)
    module = entry.path.rpartition(":")[0]
    if entry.protocol and not module.endswith(".py"):
        from ..environments.adapters.imports import import_world

        import_world(module, name)  # which tells what to install
    thing = catalogue.load_class(entry)
    if not callable(thing):
        raise UserError(f"{name} makes no environment: derive it from covey.core:AbstractEnvironment")
    if getattr(thing, "__module__", "covey.").startswith("covey."):
        return thing
    from ..environments.adapters import recognise

    return recognise.adapted(thing, name, entry.protocol)


def make_environment(name: str, *layers: Mapping[str, Any]) -> tuple[AnyEnvironment, Tree]:
    """Return an environment by its name, and all of its settings."""
    return _construct(environment_maker(name), name, catalogue.find("environment", name).fixed, *layers)


def environment_of(thing: Any, settings: Mapping[str, Any]) -> AnyEnvironment:
    """Return an environment by its name, of a class or a function, or the object itself."""
    if isinstance(thing, str):
        return make_environment(thing, settings)[0]
    if isinstance(thing, AbstractEnvironment | AbstractHostEnvironment):
        if settings:
            raise UserError(f"{type(thing).__name__} is made already: give its settings to the class")
        return thing
    title = getattr(thing, "__name__", type(thing).__name__)
    if not callable(thing):
        raise UserError(f"{title} makes no environment: give a name, a class, or an object of covey's worlds")
    from ..environments.adapters import recognise

    return _construct(recognise.adapted(thing, title), title, settings)[0]


def _construct(maker: Any, name: str, *layers: Mapping[str, Any]) -> tuple[AnyEnvironment, Tree]:
    tree = layer(defaults(maker), *layers)
    env, tree = construct(maker, tree, SettingPlace(name, "env"))
    if not isinstance(getattr(env, "spec", None), Spec):
        raise UserError(f"{name} makes no environment: derive it from covey.core:AbstractEnvironment")
    fault = spec_fault(env.spec)
    if fault:
        raise UserError(f"{name}: {fault}")
    return env, tree


def make_named_world(name: str, tree: Tree) -> AnyEnvironment:
    """Return an environment with all of its settings; other processes call it, too."""
    return make_environment(name, tree)[0]


def algorithm_class(name: str) -> type[AbstractAlgorithm]:
    """Return the class of an algorithm by its name."""
    if name.startswith(OPPONENTS):  # its settings name an algorithm, and only a loaded class has a name
        for entry in catalogue.ALGORITHMS.values():
            catalogue.load_class(entry)
    cls = catalogue.load_class(catalogue.find("algorithm", name))
    return require_subclass(cls, AbstractAlgorithm, name)


def make_algorithm(name: str, *layers: Mapping[str, Any]) -> tuple[AbstractAlgorithm, Tree]:
    """Return an algorithm by its name, and the tree of all its settings."""
    cls = algorithm_class(name)
    tree = layer(defaults(cls), catalogue.find("algorithm", name).fixed, *layers)
    algorithm, tree = construct(cls, tree, SettingPlace(name))
    return algorithm, {"name": name} | tree


def describe_odd_settings(environment: str, env: Tree, learners: Mapping[str, Tree]) -> list[str]:
    """Return a sentence for every value that is possible but odd."""
    maker = environment_maker(environment)
    said = odd_settings(maker, env, SettingPlace("", "env"))
    for slot, tree in learners.items():
        place = SettingPlace("", slot if len(learners) > 1 else "")
        said += odd_settings(algorithm_class(tree["name"]), without_name(tree), place)
    return said
