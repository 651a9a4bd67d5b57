"""Users' classes with the members of XuanCe's `RawMultiAgentEnv`."""

import inspect
import random
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from ...errors import SettingError
from .choices import WorldChoices
from .foreign import ForeignEnvironment
from .foreign_world import AbstractForeignWorld, ForeignMoment
from .imports import make_world
from .spaces import kind_of

_METHODS = ("reset", "step", "get_env_info", "avail_actions", "agent_mask")
_CONFIG = ("env_config", "config", "args")  # the names of the one argument that holds all settings


def is_xuance(thing: Any) -> bool:
    """Say whether a class or an object has the members of XuanCe's `RawMultiAgentEnv`."""
    return all(callable(getattr(thing, name, None)) for name in _METHODS)


def make_xuance(make: Any, options: Mapping[str, Any], title: str) -> Any:
    """Return a XuanCe world; its constructor takes one object that holds all settings."""
    parameters = list(inspect.signature(make).parameters.values())
    if not parameters or parameters[0].name not in _CONFIG:
        return make_world(make, dict(options), title)
    name = getattr(make, "__name__", title)
    usual = {"env_name": name, "env_id": name, "env_seed": 0, "render_mode": "rgb_array"}
    config = SimpleNamespace(**usual | dict(options))
    try:
        return make(config)
    except AttributeError as error:
        if error.obj is not config:
            raise
        name = str(error.name)
        problem = f"is read by {title} from its configuration, and nobody gave it"
        raise SettingError(name, problem, f"set `{name}=...`") from error


def xuance_environment(
    world: Any,
    title: str,
    options: Mapping[str, Any],
    choices: WorldChoices,
) -> ForeignEnvironment:
    """Return the environment of a XuanCe world."""
    return ForeignEnvironment(XuanCeWorld(world), title, choices)


class XuanCeWorld(AbstractForeignWorld):
    """A XuanCe world: dictionaries by agent, one `truncated` for all, masks and the state by methods."""

    def __init__(self, world: Any):
        self.world = world
        self.names = tuple(world.agents)
        self.limit = getattr(world, "max_episode_steps", None)
        self.observation_spaces = [world.observation_space[name] for name in self.names]
        self.action_spaces = [world.action_space[name] for name in self.names]
        self.seeded = "seed" in inspect.signature(world.reset).parameters
        self.gone: set[Any] = set()

    def reset(self, seed: int) -> ForeignMoment:
        self.gone = set()
        random.seed(seed)  # for worlds that draw from the global generators: most of these take no seed
        np.random.seed(seed)
        obs, _ = self.world.reset(seed=seed) if self.seeded else self.world.reset()
        return self._moment(obs)

    def step(self, actions: dict[Any, Any]) -> ForeignMoment:
        joint = {name: actions.get(name, self._idle(i)) for i, name in enumerate(self.names)}
        obs, reward, terminated, truncated, _ = self.world.step(joint)
        over = [name for name in self.names if _flag(terminated, name)]
        cut = [name for name in self.names if _flag(truncated, name)]
        self.gone |= set(over)
        moment = self._moment(obs)
        return moment._replace(reward=reward, terminated=over, truncated=cut)

    def _idle(self, i: int) -> Any:
        """Return an action for an agent that is gone, for the world wants one of everybody."""
        space = self.action_spaces[i]
        return np.zeros(space.shape, space.dtype) if kind_of(space) == "Box" else 0

    def _moment(self, obs: Mapping[Any, Any]) -> ForeignMoment:
        alive = self.world.agent_mask() or {}
        here = [name for name in self.names if alive.get(name, True) and name not in self.gone]
        return ForeignMoment(
            obs={name: obs[name] for name in here},
            playing=[name for name in self.names if name not in self.gone],
            masks=self._masks(),
            state=self._state(),
        )

    def _masks(self) -> Mapping[Any, Any]:
        if any(kind_of(space) == "Box" for space in self.action_spaces):
            return {}
        return self.world.avail_actions() or {}

    def _state(self) -> Any:
        """Return the global state, where the world has one."""
        if getattr(self.world, "state_space", None) is None:
            return None
        return self.world.state()


def _flag(flags: Any, name: Any) -> bool:
    """Return an agent's own flag, where one for all may stand instead."""
    return bool(flags.get(name, False)) if isinstance(flags, Mapping) else bool(flags)
