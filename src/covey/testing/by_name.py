"""The checks for anything that has a name: a world, an algorithm, a mixer."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..audit.static import examine
from ..config import catalogue
from ..config.config import Config
from ..config.making import make_algorithm, make_environment
from ..core import AbstractAlgorithm, AbstractHostEnvironment
from ..errors import UserError
from ..networks import AbstractMixer
from ..networks.monotone import POINTS, is_monotonic
from ..runs.engine import Engine
from .algorithms import check_algorithm
from .checks import explain_failures, require
from .environments import check_environment
from .properties import first_ratio_gap, learned_pay
from .python_worlds import check_python_world

_WORLD = "two_step"  # in which an algorithm or a mixer is tried
_RATIO_GAP = 1e-3
_CONTINUOUS_WORLD = "probe/meeting"
_SMALL_QMIX = {
    "agent": "feed_forward",
    "agent.hidden": 8,
    "experience.capacity": 64,
    "experience.batch_size": 4,
}


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
    proven = [
        "init: arrays alone, drawn from the key",
        "act: shapes, legal actions, and the same action again without exploration",
    ]
    if algorithm.experience.updates == 0:
        return CheckReport(name, "an algorithm", (*proven, "it does not learn"))
    proven.append(f"training in {world}: changes its parameters, and all numbers stay finite")
    config = Config.parse(name, world, dict(settings), {"preset": "original", "seeds": 1, "envs": 4})
    proven += [f"possible defect: {note}" for note in examine(config, Engine(config).trainer).told]
    return CheckReport(name, "an algorithm", (*proven, *_check_sense(algorithm, world)))


def _check_sense(algorithm: AbstractAlgorithm, world: str) -> list[str]:
    """Require that an algorithm seeks reward; say what it earns."""
    try:
        pay = learned_pay(algorithm)
    except Exception as error:  # it needs another kind of world, which is no defect
        return [f"reward: not tried, for it does not run in a world of one step ({type(error).__name__})"]
    require(
        not pay.shuns,
        f"It shuns reward: {pay}. Look for a wrong sign of the advantage, the reward or the loss, or for a "
        "smallest value taken where the largest is meant.",
    )
    env: Any = make_environment(world)[0]
    gap = first_ratio_gap(algorithm, env) if algorithm.traits.on_policy else None
    if gap is None:
        return [f"reward: {pay}"]
    if gap < _RATIO_GAP:
        return [
            f"reward: {pay}",
            "ratios: 1 in the first pass, so the policy that acts is the one that learns",
        ]
    return [
        f"reward: {pay}",
        f"possible defect: the ratios of the first pass are off 1 by {gap:.2g} (median), so the policy that "
        "acts is not the one that learns; act with the networks that update reads, and store their log_prob",
    ]


def _check_mixer(name: str, settings: Mapping[str, Any], world: str) -> CheckReport:
    of_mixer = {f"mixer.{key.removeprefix('mixer.')}": value for key, value in settings.items()}
    algorithm, _ = make_algorithm("qmix", _SMALL_QMIX, {"mixer": name}, of_mixer)
    make: Any = algorithm.mixer  # pyright: ignore
    with explain_failures(f"{name}"):
        monotonic = is_monotonic(make)
    _try_in(algorithm, world)
    slopes = (
        f"monotonic at {POINTS} random points: the agents' own best actions are the team's"
        if monotonic
        else "not monotonic: the agents' own best actions need not be the team's"
    )
    return CheckReport(name, "a mixer", (f"qmix trains with it in {world}", slopes))


def _try_in(algorithm: AbstractAlgorithm, world: str) -> None:
    env, _ = make_environment(world)
    if isinstance(env, AbstractHostEnvironment):
        raise UserError(f"--env {world} is a world in plain Python: try algorithms in a compiled one")
    check_algorithm(algorithm, env)
