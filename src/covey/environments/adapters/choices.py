"""The settings that every foreign world has."""

from typing import NamedTuple

from ...errors import SettingError
from .teams import TeamReward


class WorldChoices(NamedTuple):
    """What a user chooses of a foreign world, whatever its protocol.

    - `horizon`: the longest episode; None: the world's own limit.
    - `team`: each agent's team; `()`: one team of all; None: as their names say.
    - `team_reward`: whether a team earns the mean or the sum of its agents' rewards, or each its own.
    - `state`: whether the world's global state is read.
    """

    horizon: int | None = None
    team: tuple[str, ...] | None = None
    team_reward: TeamReward = "mean"
    state: bool = True

    def longest(self, title: str, *limits: int | None) -> int:
        """Return the longest episode, the shortest of these limits and the chosen one; there must be one."""
        known = [limit for limit in (*limits, self.horizon) if limit]
        if not known:
            problem = f"is needed, for {title} does not say how long its episodes are"
            raise SettingError("horizon", problem, "set `horizon=500`, or the like")
        return min(known)
