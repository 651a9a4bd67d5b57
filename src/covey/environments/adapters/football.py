"""Google Research Football itself: `football:academy_3_vs_1_with_keeper`."""

import importlib
import sys
from types import ModuleType
from typing import Any, Literal

from ...errors import SettingError, UserError
from .choices import WorldChoices
from .football_world import FootballWorld
from .foreign import ForeignEnvironment
from .imports import import_world, make_world
from .teams import TeamReward

_ATTACKERS = {
    "academy_counterattack_easy": 4,
    "academy_counterattack_hard": 4,
}  # elsewhere all but the keeper
_SCENARIOS = "gfootball.scenarios"
_GYM = ("", ".spaces", ".envs", ".envs.registration")  # of gym, as gymnasium has them


def football(
    scenario: str,
    left: int | None = None,
    right: int = 0,
    rewards: Literal["scoring", "scoring,checkpoints"] = "scoring,checkpoints",
    sticky: bool = False,
    horizon: int | None = None,
    team: tuple[str, ...] | None = None,
    team_reward: TeamReward = "mean",
    state: bool = True,
    **options: Any,
) -> ForeignEnvironment:
    """Google Research Football: the academy's scenarios, 5_vs_5 and full games, by the names it gives them.

    `left` and `right` are the numbers of players that agents control, the last ones of each team; the rest
    play by the built-in rules. By default these are the players who attack: all on the left but the keeper,
    or the four forwards of a counterattack. An agent keeps its player for the whole episode.

    An agent observes `simple115v2`, the 115 numbers of the original; `sticky` adds the ten actions that hold
    until they are released. The state is these numbers without the agent's own player. Rewards are a goal's
    1, and for each agent ten checkpoints on its way to the goal. `won` counts episodes with more goals.

    `horizon` cuts episodes off earlier. All other options go to the configuration of the game.
    """
    _alias_gym()
    import_world("gfootball")
    full = _full_name(scenario)
    plan = _Plan(importlib.import_module(f"{_SCENARIOS}.{full}"))
    outfield = _ATTACKERS.get(full, len(plan.left) - 1 or 1)
    controlled = (outfield if left is None else left, right)
    _check_numbers(controlled, plan, scenario)
    title = f"football:{scenario}"
    level = _own_scenario(full, *controlled)
    players = f"agent:left_players={controlled[0]},right_players={controlled[1]}"
    config = import_world("gfootball.env.config").Config({"level": level, "players": [players], **options})
    game = make_world(import_world("gfootball.env.football_env").FootballEnv, {"config": config}, title)
    limit = min(filter(None, (horizon, plan.duration)))
    world = FootballWorld(game, config, controlled, limit, "checkpoints" in rewards, sticky)
    return ForeignEnvironment(world, title, WorldChoices(limit, team, team_reward, state))


def _alias_gym() -> None:
    """Let Gymnasium stand in for gym, which gfootball imports, where that is not installed."""
    try:
        importlib.import_module("gym")
    except ImportError:
        import_world("gymnasium.envs.registration")
        for part in _GYM:
            sys.modules[f"gym{part}"] = importlib.import_module(f"gymnasium{part}")


def _full_name(scenario: str) -> str:
    known = import_world("gfootball.env.scenario_builder").all_scenarios()
    found = [name for name in (scenario, f"academy_{scenario}") if name in known]
    if not found:
        raise UserError(f"football has no scenario '{scenario}': choose from {', '.join(sorted(known))}")
    return found[0]


def _check_numbers(controlled: tuple[int, int], plan: "_Plan", scenario: str) -> None:
    for side, n, players in zip(("left", "right"), controlled, (plan.left, plan.right), strict=True):
        if not 0 <= n <= len(players):
            problem = f"is {n}, but {scenario} has {len(players)} players there"
            raise SettingError(side, problem, f"choose `{side}={len(players)}` or fewer")
    if not any(controlled):
        raise SettingError("left", "leaves nobody to control", "set `left=1` or more")


class _Plan:
    """The teams of a scenario. It is a builder itself: it takes down what a scenario asks of one."""

    def __init__(self, scenario: ModuleType, builder: Any = None):
        teams = import_world("gfootball.env.scenario_builder").Team
        self.sides = {"left": teams.e_Left, "right": teams.e_Right}
        self.builder = builder
        self.settings = _Settings() if builder is None else builder.config()
        self.left: list[tuple[tuple, dict[str, Any]]] = []
        self.right: list[tuple[tuple, dict[str, Any]]] = []
        self.active = self.left
        scenario.build_scenario(self)
        self.duration = int(self.settings.game_duration)

    def config(self) -> Any:
        return self.settings

    def SetTeam(self, team: Any) -> None:  # noqa: N802
        self.active = self.left if team == self.sides["left"] else self.right

    def AddPlayer(self, *args: Any, **options: Any) -> None:  # noqa: N802
        self.active.append((args, options))

    def SetBallPosition(self, *position: float) -> None:  # noqa: N802
        if self.builder is not None:
            self.builder.SetBallPosition(*position)

    def EpisodeNumber(self) -> int:  # noqa: N802
        return 0 if self.builder is None else self.builder.EpisodeNumber()


class _Settings:
    """What a scenario sets, where no game is made yet."""

    game_duration = 3000


def _own_scenario(name: str, left: int, right: int) -> str:
    """Put a scenario beside gfootball's, in which nobody else can be controlled; return its name.

    Where fewer players are controlled than could be, the game chooses whom, and changes its mind.
    """
    original = importlib.import_module(f"{_SCENARIOS}.{name}")

    def build_scenario(builder: Any) -> None:
        plan = _Plan(original, builder)
        for side, players, n in (("left", plan.left, left), ("right", plan.right, right)):
            builder.SetTeam(plan.sides[side])
            for i, (args, options) in enumerate(players):
                lazy = args[3] if len(args) > 3 else options.get("lazy", False)
                builder.AddPlayer(*args[:3], lazy, i >= len(players) - n)

    level = f"covey_{name}_{left}_{right}"
    module = ModuleType(f"{_SCENARIOS}.{level}")
    module.build_scenario = build_scenario  # pyright: ignore[reportAttributeAccessIssue]
    sys.modules[module.__name__] = module
    return level
