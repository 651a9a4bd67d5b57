"""Teams of a world that names none, and their rewards."""

import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float

from ...core import Spec
from ...errors import SettingError

TeamReward = Literal["mean", "sum", "own"]
TEAM_REWARDS = {
    "mean": "mean of the agents' rewards",
    "sum": "sum of the agents' rewards",
    "own": "own reward of each agent",
}  # as returns are announced


def choose_teams(
    names: Sequence[Any], chosen: tuple[str, ...] | None, team_reward: TeamReward, title: str
) -> tuple[str, ...]:
    """Return each agent's team, or `()` if there is only one.

    Teams follow names: `adversary_0` belongs to `adversary`. Instead, `chosen` may name each agent's team,
    `[]` stands for one team of all, and with `team_reward=own` each agent is a team.
    """
    if team_reward == "own":
        if chosen:
            raise SettingError("team", "has no use, for with team_reward=own each agent is a team", "drop it")
        return tuple(map(str, names)) if len(names) > 1 else ()
    prefixes = tuple(re.sub(r"[_-]?\d+$", "", str(name)) for name in names)
    team = prefixes if chosen is None else chosen
    if team and len(team) != len(names):
        problem = f"is for {len(team)} agents, but {title} has {len(names)}"
        raise SettingError("team", problem, "name each one's team, or choose a world of as many")
    return team if len(set(team)) > 1 else ()


def counted_rewards(
    spec: Spec, kind: TeamReward, reward: Float[np.ndarray, " agents"], counted: Bool[np.ndarray, " agents"]
) -> Float[np.ndarray, " teams"]:
    """Return each team's reward: the sum or the mean of its agents', of those that are counted."""
    own = [reward[[i for i in spec.members(team) if counted[i]]] for team in spec.teams]
    return np.array([each.sum() if kind == "sum" else each.mean() for each in own], np.float32)
