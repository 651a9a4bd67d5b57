"""Users' own worlds of other packages' protocols, recognised by what they have."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ...core import AbstractEnvironment, AbstractHostEnvironment
from . import gymnasium, jumanji_copy, multi_agent_env, pettingzoo, pymarl, xuance
from .choices import WorldChoices
from .imports import make_world
from .pictures import with_pictures
from .teams import TeamReward

_PICTURES = dict(list(inspect.signature(with_pictures).parameters.items())[1:])  # its options
_PLAIN = {"bool": bool, "int": int, "float": float, "str": str}


_Environment = AbstractEnvironment | AbstractHostEnvironment


class Protocol(NamedTuple):
    """A protocol of worlds that are not covey's.

    - `recognises`: whether a class or an object keeps it.
    - `environment_of(world, title, options, choices)`: the environment.
    - `make(thing, options, title)`: the world that a class or a function makes of a user's options.
    """

    recognises: Callable[[Any], bool]
    environment_of: Callable[..., _Environment]
    make: Callable[[Any, dict[str, Any], str], Any] = make_world


PROTOCOLS: Mapping[str, Protocol] = {
    "jaxmarl:": Protocol(multi_agent_env.is_multi_agent_env, multi_agent_env.multi_agent_env),
    "jumanji:": Protocol(jumanji_copy.is_jumanji, jumanji_copy.jumanji_environment),
    "pymarl:": Protocol(pymarl.is_pymarl, pymarl.pymarl_environment),
    "xuance:": Protocol(xuance.is_xuance, xuance.xuance_environment, xuance.make_xuance),
    "pz:": Protocol(pettingzoo.is_pettingzoo, pettingzoo.pettingzoo_environment),
    "gym:": Protocol(gymnasium.is_gymnasium, gymnasium.gymnasium_environment),
}  # the first that recognises a class takes it


def adapted(thing: Any, title: str, prefix: str = "") -> Any:
    """Return a class or function as a maker of environments; covey's own as it is.

    A `prefix` names the protocol of a function, which cannot be recognised before it is called.
    """
    if prefix:
        return _maker(thing, title, PROTOCOLS[prefix])
    if not isinstance(thing, type) or issubclass(thing, _Environment):
        return thing
    found = [protocol for protocol in PROTOCOLS.values() if protocol.recognises(thing)]
    return _maker(thing, title, found[0]) if found else thing


def _maker(thing: Any, title: str, protocol: Protocol) -> Callable[..., _Environment]:
    own = _parameters(thing)

    def make(
        horizon: int | None = None,
        team: tuple[str, ...] | None = None,
        team_reward: TeamReward = "mean",
        state: bool = True,
        **options: Any,
    ) -> _Environment:
        choices = WorldChoices(horizon, team, team_reward, state)
        of_pictures = {name: options.pop(name) for name in pictures if name in options}
        chosen = {name: x for name, x in choices._asdict().items() if x != shared.parameters[name].default}
        world = protocol.make(thing, options | {k: x for k, x in chosen.items() if k in own}, title)
        made = protocol.environment_of(world, title, options, choices)
        return with_pictures(made, **of_pictures) if of_pictures else made

    pictures = {name: p for name, p in _PICTURES.items() if name not in own}
    shared = inspect.signature(make)
    make.__doc__ = inspect.getdoc(thing)
    make.__module__ = thing.__module__
    make.__qualname__ = getattr(thing, "__qualname__", title)
    make.__signature__ = _signature(shared, pictures, own)  # pyright: ignore[reportFunctionMemberAccess]
    return make


def _parameters(thing: Any) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(thing).parameters)
    except ValueError:  # a builtin has none
        return {}


def _signature(
    shared: inspect.Signature, pictures: Mapping[str, inspect.Parameter], own: Mapping[str, inspect.Parameter]
) -> inspect.Signature:
    """Return the settings that all such worlds have, then those of a user's class.

    Of its own, those with a plain default are listed, and checked if they say a type; others are passed on.
    """
    *first, anything = shared.parameters.values()
    own = {name: p for name, p in own.items() if name not in shared.parameters or p.kind is p.VAR_KEYWORD}
    listed = [
        p.replace(annotation=_kind(p), kind=inspect.Parameter.KEYWORD_ONLY)
        for p in own.values()
        if p.default is None or isinstance(p.default, tuple(_PLAIN.values()))
    ]
    others = [anything] if len(listed) < len(own) else []
    return shared.replace(parameters=[*first, *pictures.values(), *listed, *others])


def _kind(parameter: inspect.Parameter) -> Any:
    """Return a plain type that a parameter says by its annotation; otherwise Any."""
    said = parameter.annotation
    return _PLAIN.get(said if isinstance(said, str) else getattr(said, "__name__", ""), Any)
