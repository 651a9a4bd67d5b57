"""The checks for anything that has a name: a world, an algorithm, a mixer."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr

from ..config import catalogue
from ..config.making import make_algorithm, make_environment
from ..core import AbstractAlgorithm, AbstractHostEnvironment
from ..errors import UserError
from ..networks import AbstractMixer, Choices
from .algorithms import check_algorithm
from .checks import explain_failures
from .environments import check_environment
from .python_worlds import check_python_world

_WORLD = "two_step"  # in which an algorithm or a mixer is tried
_CONTINUOUS_WORLD = "probe/meeting"
_SMALL_QMIX = {
    "agent": "feed_forward",
    "agent.hidden": 8,
    "experience.capacity": 64,
    "experience.batch_size": 4,
}
_POINTS = 256  # at which a mixer's slopes are looked at


@dataclass(frozen=True)
class CheckReport:
    """What was proven about a class of the user's."""

    name: str
    kind: str
    proven: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{self.name} keeps the protocol ({self.kind})"]
        return "\n".join([*lines, *(f"  {line}" for line in self.proven)])


def check_name(
    name: str, settings: Mapping[str, Any], world: str | None = None, steps: int | None = None
) -> CheckReport:
    """Check a world, an algorithm or a mixer; `world` is where the latter two are tried."""
    thing = _class_of(name)
    is_a = lambda kind: isinstance(thing, type) and issubclass(thing, kind)
    if is_a(AbstractAlgorithm):
        return _check_named_algorithm(name, settings, world)
    if is_a(AbstractMixer):
        return _check_mixer(name, settings, world or _WORLD)
    if world:
        raise UserError(f"--env is where an algorithm or a mixer is tried: leave it out, {name} is a world")
    return _check_world(name, settings, steps)


def _class_of(name: str) -> Any:
    """Return the class, or what else makes the thing."""
    if name in catalogue.ALGORITHMS:
        return catalogue.load_class(catalogue.find("algorithm", name))
    return catalogue.load_class(catalogue.find("environment", name))


def _check_world(name: str, settings: Mapping[str, Any], steps: int | None) -> CheckReport:
    make = partial(make_environment, name, {key.removeprefix("env."): x for key, x in settings.items()})
    env = make()[0]
    if isinstance(env, AbstractHostEnvironment):
        found = check_python_world(env, steps, lambda: make()[0])  # pyright: ignore
        return CheckReport(name, "a world in plain Python", tuple(found))
    check_environment(env, steps=steps)
    spec = env.spec
    proven = (
        f"spec: {spec.agents} agents, {spec.features} features, {spec.actions} actions, "
        f"at most {spec.horizon} steps",
        "shapes and types: for two numbers of copies",
        "randomness: from the keys alone, and each copy draws its own",
        f"an episode of random play, {steps or spec.horizon} steps: finite numbers, masks, ends",
        "copies: actions in one change nothing in another",
    )
    return CheckReport(name, "a compiled world", proven)


def _check_named_algorithm(name: str, settings: Mapping[str, Any], world: str | None) -> CheckReport:
    algorithm, _ = make_algorithm(name, settings)
    world = world or (_WORLD if algorithm.traits.discrete else _CONTINUOUS_WORLD)
    _try_in(algorithm, world)
    learns = algorithm.experience.updates > 0
    proven = (
        "init: arrays alone, drawn from the key",
        "act: shapes, legal actions, and the same action again without exploration",
        f"training in {world}: changes its parameters, and all numbers stay finite"
        if learns
        else "it does not learn",
    )
    return CheckReport(name, "an algorithm", proven)


def _check_mixer(name: str, settings: Mapping[str, Any], world: str) -> CheckReport:
    of_mixer = {f"mixer.{key.removeprefix('mixer.')}": value for key, value in settings.items()}
    algorithm, _ = make_algorithm("qmix", _SMALL_QMIX, {"mixer": name}, of_mixer)
    make: Any = algorithm.mixer  # pyright: ignore
    with explain_failures(f"{name}"):
        monotonic = is_monotonic(make(3, 5, 4, key=jr.key(0)))
    _try_in(algorithm, world)
    slopes = (
        f"monotonic at {_POINTS} random points: the agents' own best actions are the team's"
        if monotonic
        else "not monotonic: the agents' own best actions need not be the team's"
    )
    return CheckReport(name, "a mixer", (f"qmix trains with it in {world}", slopes))


def is_monotonic(mixer: AbstractMixer) -> bool:
    """Return whether no value of the team falls as an agent's rises, at random points; for 3, 5, 4 sizes."""
    values = jr.normal(jr.key(1), (_POINTS, 3, 4))
    action = jr.randint(jr.key(2), (_POINTS, 3), 0, 4)
    world = jr.normal(jr.key(3), (_POINTS, 5))

    def team_value(rise, values, action, world):
        risen = values + rise[:, None] * jax.nn.one_hot(action, 4)
        return mixer(Choices(risen, action, jnp.ones((3, 4), bool)), world)

    slopes = jax.vmap(lambda *point: jax.jacobian(team_value)(jnp.zeros(3), *point))(values, action, world)
    return bool(slopes.min() > -1e-5)


def _try_in(algorithm: AbstractAlgorithm, world: str) -> None:
    env, _ = make_environment(world)
    if isinstance(env, AbstractHostEnvironment):
        raise UserError(f"--env {world} is a world in plain Python: try algorithms in a compiled one")
    check_algorithm(algorithm, env)
