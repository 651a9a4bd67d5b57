"""VMAS's scenarios: `vmas:navigation`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import UserError
from .choices import WorldChoices
from .foreign import ForeignEnvironment
from .foreign_world import AbstractForeignWorld, ForeignMoment
from .imports import import_world, make_world
from .teams import TeamReward


def vmas(
    scenario: str,
    horizon: int = 100,
    team: tuple[str, ...] | None = None,
    team_reward: TeamReward = "mean",
    state: bool = True,
    **options: Any,
) -> ForeignEnvironment:
    """A scenario of VMAS, by its name; actions are continuous, or discrete with `continuous_actions=false`.

    VMAS steps many copies in one call of PyTorch, where covey makes one call for each copy. So this is for
    trying its scenarios, and slow: `spread`, `tag` and their like are compiled.

    Teams follow names: `agent_0` belongs to `agent`. Instead, `team` may name each agent's team; `[]` stands
    for one team of all. `horizon` is the longest episode, which the scenarios themselves do not limit. All
    other options go to the scenario: `env.n_agents=4`.
    """
    title = f"vmas:{scenario}"
    package = import_world("vmas")
    torch = import_world("torch")
    torch.set_num_threads(1)  # arrays of one copy are too small to share
    settings = {"scenario": scenario, "num_envs": 1, "terminated_truncated": True, **options}
    try:
        world = make_world(package.make_env, settings, title)
    except (AssertionError, ImportError, OSError, ValueError) as error:
        raise UserError(f"{title}: {error}") from error
    choices = WorldChoices(horizon, team, team_reward, state)
    return ForeignEnvironment(VMASWorld(world, torch, horizon), title, choices)


class VMASWorld(AbstractForeignWorld):
    """A batch of one copy of a VMAS scenario."""

    def __init__(self, world: Any, torch: Any, limit: int):
        self.world = world
        self.torch = torch
        self.limit = limit
        self.names = tuple(agent.name for agent in world.agents)
        self.observation_spaces = list(world.observation_space.spaces)
        self.action_spaces = list(world.action_space.spaces)

    def reset(self, seed: int) -> ForeignMoment:
        return self._moment(self.world.reset(seed=seed))

    def step(self, actions: dict[Any, Any]) -> ForeignMoment:
        joint = [
            self.torch.as_tensor(np.reshape(np.asarray(actions[name], np.float32), (1, -1)))
            for name in self.names
        ]
        obs, reward, terminated, truncated, _ = self.world.step(joint)
        over = bool(terminated[0])
        return self._moment(obs)._replace(
            reward={name: float(own[0]) for name, own in zip(self.names, reward, strict=True)},
            terminated=self.names if over else (),
            truncated=self.names if bool(truncated[0]) and not over else (),
        )

    def _moment(self, obs: Sequence[Any]) -> ForeignMoment:
        rows = [_first_copy(own) for own in obs]
        return ForeignMoment(obs=dict(zip(self.names, rows, strict=True)), playing=self.names)


def _first_copy(own: Any) -> Any:
    """Return the first copy's part of an observation, which may be a dictionary of arrays."""
    if isinstance(own, dict):
        return {key: _first_copy(part) for key, part in own.items()}
    return np.asarray(own[0])
