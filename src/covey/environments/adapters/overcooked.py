"""Overcooked-AI's kitchens (Carroll et al., 2019): `overcooked:cramped_room` names a layout."""

from typing import Any

import numpy as np

from ...errors import UserError
from .choices import WorldChoices
from .foreign import ForeignEnvironment
from .foreign_world import AbstractForeignWorld, ForeignMoment
from .imports import import_world
from .spaces import Box, Discrete
from .teams import TeamReward

_REWARDS = ("sparse_reward_by_agent", "shaped_reward_by_agent")


def overcooked(
    layout: str,
    horizon: int = 400,
    shaped: float = 1.0,
    team_reward: TeamReward = "mean",
) -> ForeignEnvironment:
    """A kitchen of Overcooked-AI: two cooks fetch onions, boil soups and serve them, 20 points each.

    An agent observes the kitchen's lossless encoding, seen as its own. A soup earns its points for both
    cooks. `shaped` weighs the small rewards for useful deeds, which each cook earns for itself. The count
    `points` is of soups alone.
    """
    title = f"overcooked:{layout}"
    mdp = import_world("overcooked_ai_py.mdp.overcooked_mdp", title)
    actions = import_world("overcooked_ai_py.mdp.actions", title).Action.INDEX_TO_ACTION
    try:
        kitchen = mdp.OvercookedGridworld.from_layout_name(layout)
    except FileNotFoundError as error:
        raise UserError(f"{title}: there is no such layout: {error.filename}") from error
    world = Kitchen(kitchen, actions, horizon, shaped)
    return ForeignEnvironment(world, title, WorldChoices(horizon, team_reward=team_reward))


class Kitchen(AbstractForeignWorld):
    """A kitchen, played by its rules alone: the package's environment also computes plans, slowly."""

    counts = ("points",)

    def __init__(self, kitchen: Any, actions: Any, limit: int, shaped: float):
        self.kitchen = kitchen
        self.actions = actions
        self.limit = limit
        self.shaped = shaped
        self.names = tuple(f"cook_{i}" for i in range(kitchen.num_players))
        shape = tuple(np.shape(self._look(kitchen.get_standard_start_state())[0]))
        self.observation_spaces = [Box(shape)] * len(self.names)
        self.action_spaces = [Discrete(len(actions))] * len(self.names)

    def _look(self, state: Any) -> Any:
        return self.kitchen.lossless_state_encoding(state, self.limit)

    def reset(self, seed: int) -> ForeignMoment:
        self.state = self.kitchen.get_standard_start_state()
        return ForeignMoment(self._seen(), self.names)

    def _seen(self) -> dict[str, Any]:
        return dict(zip(self.names, self._look(self.state), strict=True))

    def step(self, actions: dict[str, int]) -> ForeignMoment:
        joint = tuple(self.actions[actions[name]] for name in self.names)
        self.state, told = self.kitchen.get_state_transition(self.state, joint)
        served, deeds = (np.asarray(told[name], float) for name in _REWARDS)
        points = float(served.sum())
        reward = dict(zip(self.names, points + self.shaped * deeds, strict=True))
        cut = self.names if self.state.timestep >= self.limit else ()
        return ForeignMoment(self._seen(), self.names, reward, (), cut, counts={"points": points})
