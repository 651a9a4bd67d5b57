"""JaxMARL's worlds, compiled into the training loop: `jaxmarl:SMAX/3m`, `jaxmarl:MPE_simple_spread_v3`."""

import contextlib
import io
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from ...core import Vectorised
from ...errors import UserError
from .choices import WorldChoices
from .imports import import_world, make_world
from .multi_agent_env import multi_agent_env
from .teams import TeamReward

# What stands before the slash: the world, and the option that takes what stands behind it.
_VARIANTS = {
    "SMAX": ("HeuristicEnemySMAX", "scenario"),
    "HeuristicEnemySMAX": ("HeuristicEnemySMAX", "scenario"),
    "overcooked": ("overcooked", "layout"),
    "overcooked_v2": ("overcooked_v2", "layout"),
}
_BRAX = ("ant_", "halfcheetah_", "hopper_", "humanoid_", "walker2d_")


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Discard what is printed, `sys.__stdout__` included: JaxMARL sets `sys.stdout` back to that."""
    streams = {name: getattr(sys, name) for name in ("stdout", "stderr", "__stdout__", "__stderr__")}
    try:
        for name in streams:
            setattr(sys, name, io.StringIO())
        yield
    finally:
        for name, stream in streams.items():
            setattr(sys, name, stream)


def _import(name: str) -> Any:
    """Import a module of JaxMARL without what it prints."""
    with _silence():
        return import_world(name, "")


def _named(options: Mapping[str, Any], world: str) -> dict[str, Any]:
    """Return the options with the objects that SMAX's maps and Overcooked's layouts are called for."""
    chosen = dict(options)
    tables = {
        "scenario": ("jaxmarl.environments.smax.smax_env", "MAP_NAME_TO_SCENARIO"),
        "layout": ("jaxmarl.environments.overcooked.layouts", "overcooked_layouts"),
    }
    for option, (module, table) in tables.items():
        name = chosen.get(option)
        if not isinstance(name, str) or (option == "layout" and world != "overcooked"):
            continue
        known = getattr(_import(module), table)
        if name not in known:
            raise UserError(f"jaxmarl:{world} has no {option} '{name}': choose from {', '.join(known)}")
        chosen[option] = known[name]
    return chosen


def _make(name: str, options: Mapping[str, Any]) -> Any:
    """Return one of JaxMARL's registered worlds."""
    base, _, variant = name.partition("/")
    package = _import("jaxmarl")
    if variant and base not in _VARIANTS:
        raise UserError(f"jaxmarl:{name}: only {', '.join(_VARIANTS)} take a name after the slash")
    world, option = _VARIANTS[base] if variant else (base, "")
    known = _import("jaxmarl.registration").registered_envs
    if world not in known:
        raise UserError(f"JaxMARL has no world '{world}': choose from {', '.join(known)}")
    chosen = {option: variant, **options} if variant else dict(options)
    if world.startswith(_BRAX):
        chosen.setdefault("auto_reset", False)
    try:
        return make_world(partial(package.make, world), _named(chosen, world), f"jaxmarl:{name}")
    except (ImportError, ValueError, AssertionError) as error:
        raise UserError(f"jaxmarl:{name}: {error}") from error


def jaxmarl(
    name: str,
    horizon: int | None = None,
    team: tuple[str, ...] | None = None,
    team_reward: TeamReward = "mean",
    state: bool = True,
    shaped: float = 0.0,
    **options: Any,
) -> Vectorised:
    """Any world of JaxMARL by its registered name, compiled into the training loop.

    `SMAX/3m` is `HeuristicEnemySMAX` on the map 3m, as JaxMARL's own scripts play it; `SMAX` alone has a team
    on each side. `overcooked/LAYOUT` and `overcooked_v2/LAYOUT` choose a kitchen.

    The world is stepped by `step_env`, which does not reset it. So the last observation of an episode is the
    real one, an end at the time limit is a truncation, and an episode has as many steps as the limit says.

    Observations are flattened and padded with zeros to the widest; actions are padded with illegal ones.
    Teams follow names: `ally_0` belongs to `ally`. Instead, `team` may name each agent's team; `[]` stands
    for one team of all. A team earns the mean or, with `team_reward`, the sum of its agents' rewards; `own`
    makes each agent a team. `state=False` leaves the world's global state unread.

    `shaped` adds that multiple of the world's shaped reward, as in Overcooked. `horizon` cuts episodes off
    earlier, or where the world has no limit. All other options go to the world.
    """
    world = _make(name, options)
    choices = WorldChoices(horizon, team, team_reward, state)
    return multi_agent_env(world, f"jaxmarl:{name}", options, choices, shaped)
