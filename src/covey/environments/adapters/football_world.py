"""A game of Google Research Football, in covey's terms."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from .football_picture import draw_football
from .foreign_world import AbstractForeignWorld, ForeignMoment
from .spaces import Box, Discrete

_TEAMS = ("left_team", "left_team_direction", "right_team", "right_team_direction")
_PLAYERS = 11
_MODES = 7  # normal, kick-off, goal kick, free kick, corner, throw-in, penalty
_OWN = slice(97, 108)  # of the 115 numbers: the player whom the agent controls
_STICKY = 10
_CHECKPOINTS = 10


class FootballWorld(AbstractForeignWorld):
    """A game whose agents control the last players of one side or both, each the same one throughout.

    The game's `done` says nothing of its reason: a step with a goal, or before the time is up, is a true end.
    """

    counts = ("won", "goals", "goals_against", "timeouts")

    def __init__(
        self,
        game: Any,
        config: Any,
        controlled: tuple[int, int],
        limit: int,
        checkpoints: bool,
        sticky: bool,
    ):
        self.game = game
        self.config = config
        self.limit = limit
        self.steps = limit
        self.checkpoints = checkpoints
        self.sticky = sticky
        self.names = tuple(
            f"{side}_{i}" for side, n in zip(("left", "right"), controlled, strict=True) for i in range(n)
        )
        space = game.action_space
        choices = int(space.n if hasattr(space, "n") else space.nvec[0])
        self.action_spaces = [Discrete(choices)] * len(self.names)
        self.observation_spaces = [Box((115 + _STICKY * sticky,))] * len(self.names)
        self.collected = np.zeros(len(self.names), int)

    def reset(self, seed: int) -> ForeignMoment:
        self.t = 0
        self.score = np.zeros(2, int)
        self.collected = np.zeros(len(self.names), int)
        self.config["game_engine_random_seed"] = seed
        self.config["reverse_team_processing"] = bool(seed % 2)
        self.config["episode_number"] = seed // 2 % 2  # its parity chooses who kicks off in full games
        return self._moment(self.game.reset())

    def step(self, actions: dict[Any, Any]) -> ForeignMoment:
        self.t += 1
        seen, reward, done, _ = self.game.step([int(actions[name]) for name in self.names])
        score = np.asarray(seen[0]["score"], int)
        if self.names[0].startswith("right"):  # an observation's score begins with the observer's own side
            score = score[::-1]
        goals = score - self.score
        self.score = score
        late = self.t >= self.steps
        cut = late and not (done and goals.any())
        over = (done or late) and not cut
        earned = np.asarray(reward, float).ravel() + self._progress(seen, np.ravel(reward))
        return self._moment(seen)._replace(
            reward=dict(zip(self.names, earned, strict=True)),
            terminated=self.names if over else (),
            truncated=self.names if cut else (),
            counts={
                "goals": float(goals[0]),
                "goals_against": float(goals[1]),
                "won": float((over or cut) and score[0] > score[1]),
                "timeouts": float(cut),
            },
        )

    def _progress(
        self, seen: Sequence[Mapping[str, Any]], reward: Float[np.ndarray, " agents"]
    ) -> Float[np.ndarray, " agents"]:
        """Return what the checkpoints pay: .1 for each that an agent's player reaches with the ball first.

        The k-th lies .99 - .8 k / 9 from the goal's middle. A goal pays all that are left.
        """
        reached = self.collected.copy()
        if self.checkpoints:
            for i, own in enumerate(seen):
                if reward[i] == 1:
                    reached[i] = _CHECKPOINTS
                elif own["ball_owned_team"] == 0 and own["ball_owned_player"] == own["active"]:
                    distance = np.hypot(own["ball"][0] - 1, own["ball"][1])
                    passed = np.sum(distance <= 0.99 - 0.8 / (_CHECKPOINTS - 1) * np.arange(_CHECKPOINTS))
                    reached[i] = max(reached[i], passed)
        paid = 0.1 * (reached - self.collected)
        self.collected = reached
        return paid

    def render(self) -> UInt8[np.ndarray, "height width 3"]:
        """Return a picture of the newest moment."""
        return draw_football(self.names, self.seen)

    def _moment(self, seen: Sequence[Mapping[str, Any]]) -> ForeignMoment:
        self.seen = seen
        rows = [simple115(own) for own in seen]
        shown = [
            np.concatenate([row, own["sticky_actions"]]) if self.sticky else row
            for row, own in zip(rows, seen, strict=True)
        ]
        return ForeignMoment(
            obs=dict(zip(self.names, shown, strict=True)),
            playing=self.names,
            state=np.delete(rows[0], np.r_[_OWN]),
        )


def simple115(own: Mapping[str, Any]) -> Float[np.ndarray, " features"]:
    """Return an agent's raw observation as the 115 numbers of the original's `simple115v2`.

    Positions and directions of 11 players of both teams, -1 for those there are not; the ball's position and
    direction; who owns it; the agent's player; the mode of the game.
    """
    teams = np.full((len(_TEAMS), 2 * _PLAYERS), -1.0, np.float32)
    for row, name in zip(teams, _TEAMS, strict=True):
        values = np.ravel(own[name])
        row[: len(values)] = values
    owner = np.eye(3)[own["ball_owned_team"] + 1]
    active = np.arange(_PLAYERS) == own["active"]
    mode = np.arange(_MODES) == own["game_mode"]
    parts = [teams.ravel(), own["ball"], own["ball_direction"], owner, active, mode]
    return np.concatenate([np.asarray(part, np.float32) for part in parts])
