"""From the arguments of `train` and `Session` to a configuration: names, classes, objects, keywords."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from ..config.config import Config
from ..config.objects import NamedChoice, name_choice, plain_settings
from ..config.settings import Tree, UnknownSettingError, layer
from ..errors import UserError

_NOTHING = NamedChoice("", {}, False)


def read_config(
    algorithm: Any,
    environment: Any,
    keywords: Mapping[str, Any],
    settings: Mapping[str, Any],
    env: Mapping[str, Any],
    function: Callable[..., Any],
    options: type,
) -> Config:
    """Return the configuration that these arguments of `function` describe.

    `options` lists the keywords that are the run's; all others are settings. An object's settings lie under
    those that are given beside it.
    """
    run = {name: value for name, value in keywords.items() if name in options.__annotations__}
    own = {name: value for name, value in keywords.items() if name not in run}
    choices = {"algorithm": algorithm, "environment": environment}
    if isinstance(run.get("config"), Mapping):
        base = dict(run["config"])
        choices = {kind: base.pop(kind, None) if x is None else x for kind, x in choices.items()}
        run["config"] = plain_settings(base)
    learner = _named("algorithm", choices["algorithm"])
    world = _named("environment", choices["environment"])
    of_env = {f"env.{name}": value for name, value in env.items()}
    typed = plain_settings(_joined(own, settings, of_env))
    if learner.complete and "config" not in run:
        typed = {"preset": "original"} | typed
    below = learner.settings | ({"env": world.settings} if world.settings else {})
    typed = layer(below, typed) if below else typed
    try:
        return Config.parse(learner.name or None, world.name or None, typed, run)
    except UnknownSettingError as error:
        words = [*options.__annotations__, *inspect.signature(function).parameters]
        raise (error.among(words) if error.name in own else error) from error


def _named(kind: Any, choice: Any) -> NamedChoice:
    return _NOTHING if choice is None else name_choice(kind, choice)


def _joined(*sources: Mapping[str, Any]) -> Tree:
    """Return the settings of several sources; refuse one that has two values."""
    joined: Tree = {}
    for source in sources:
        for name, value in source.items():
            if name in joined and joined[name] is not value and joined[name] != value:
                raise UserError(f"{name} is given twice, as {joined[name]} and as {value}: give it once")
            joined[name] = value
    return joined
