"""The real StarCraft II battles: `smac:3m`, `smacv2:terran_5_vs_5`."""

import re
from typing import Any

from ...errors import UserError
from .choices import WorldChoices
from .foreign import ForeignEnvironment
from .imports import import_world, make_world
from .pymarl import pymarl_environment
from .teams import TeamReward

_INSTALL = "git+https://github.com/oxwhirl/{}.git"
_SCENARIO = re.compile(r"(terran|protoss|zerg)_(\d+)_vs_(\d+)")
_UNITS = {
    "terran": ("marine", "marauder", "medivac"),
    "protoss": ("stalker", "zealot", "colossus"),
    "zerg": ("zergling", "hydralisk", "baneling"),
}
_NEVER_ALONE = ("medivac", "baneling")  # a team of these alone is drawn anew
_SMACV2 = {"conic_fov": False, "use_unit_ranges": True, "min_attack_range": 2, "obs_own_pos": True}


def smac(
    map: str,
    horizon: int | None = None,
    team: tuple[str, ...] | None = None,
    team_reward: TeamReward = "mean",
    state: bool = True,
    **options: Any,
) -> ForeignEnvironment:
    """SMAC's battles in StarCraft II itself; the game and the package `smac` must be installed.

    Each copy is a process of the game. `skirmish/3m` and its like are the same battles compiled, for which
    nothing is installed.

    `horizon` cuts battles off earlier. All other options go to `StarCraft2Env`: `env.difficulty=7`,
    `env.game_version=4.10`, `env.reward_sparse=true`.
    """
    title = f"smac:{map}"
    world = make_world(_package("smac").StarCraft2Env, {"map_name": map, **options}, title)
    return pymarl_environment(world, title, options, WorldChoices(horizon, team, team_reward, state))


def smacv2(
    scenario: str,
    horizon: int | None = None,
    team: tuple[str, ...] | None = None,
    team_reward: TeamReward = "mean",
    state: bool = True,
    **options: Any,
) -> ForeignEnvironment:
    """SMACv2's scenarios in StarCraft II itself: `terran_5_vs_5`, `protoss_10_vs_11`, `zerg_20_vs_23`.

    The game and the package `smacv2` must be installed. Each copy is a process of the game.
    `skirmish/terran_5_vs_5` and its like are the same battles compiled, for which nothing is installed.

    `horizon` cuts battles off earlier. All other options go to SMACv2's wrapper.
    """
    title = f"smacv2:{scenario}"
    settings = {**_SMACV2, **_scenario(scenario), **options}
    world = make_world(_package("smacv2").StarCraftCapabilityEnvWrapper, settings, title)
    return pymarl_environment(world, title, options, WorldChoices(horizon, team, team_reward, state))


def _package(name: str) -> Any:
    """Return the package's worlds; PyPI's `smac` is another project, without these."""
    source = import_world(f"{name}.env")
    if not hasattr(source, "StarCraft2Env"):
        raise UserError(f"the installed {name} is another project: pip install {_INSTALL.format(name)}")
    return source


def _scenario(name: str) -> dict[str, Any]:
    """Return SMACv2's published configuration of a scenario."""
    match = _SCENARIO.fullmatch(name)
    if not match:
        raise UserError(f"SMACv2 has no scenario '{name}': give a race and two numbers, as terran_5_vs_5")
    race = match[1]
    units = _UNITS[race]
    team = {"dist_type": "weighted_teams", "unit_types": list(units), "weights": [0.45, 0.45, 0.1]}
    exceptions = [unit for unit in units if unit in _NEVER_ALONE]
    team |= {"observe": True} | ({"exception_unit_types": exceptions} if exceptions else {})
    places = {"dist_type": "surrounded_and_reflect", "p": 0.5, "map_x": 32, "map_y": 32}
    capability = {
        "n_units": int(match[2]),
        "n_enemies": int(match[3]),
        "team_gen": team,
        "start_positions": places,
    }
    return {"map_name": f"10gen_{race}", "capability_config": capability}
