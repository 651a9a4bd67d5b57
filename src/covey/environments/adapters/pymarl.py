"""Worlds with the methods of PyMARL's `MultiAgentEnv`: SMAC, SMACv2, and users' own classes."""

import contextlib
import random
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from .choices import WorldChoices
from .foreign import ForeignEnvironment
from .foreign_world import AbstractForeignWorld, ForeignMoment
from .spaces import Box, Discrete

_METHODS = ("reset", "step", "get_obs", "get_state", "get_avail_actions", "get_env_info")
_NAMES = {"battle_won": "won"}  # covey's names for what `info` tells
_OF_BATTLES = ("won", "dead_allies", "dead_enemies", "timeouts", "crashes")
_UNCOUNTED = ("episode_limit",)


def is_pymarl(thing: Any) -> bool:
    """Say whether a class or an object has the methods of PyMARL's `MultiAgentEnv`."""
    return all(callable(getattr(thing, name, None)) for name in _METHODS)


def pymarl_environment(
    world: Any,
    title: str,
    options: Mapping[str, Any],
    choices: WorldChoices,
) -> ForeignEnvironment:
    """Return the environment of a PyMARL world."""
    inner = PyMARLWorld(world)
    return ForeignEnvironment(inner, title, choices)


class _Outcome(NamedTuple):
    """The answer of `step`."""

    reward: Any  # a number for all, or one for each agent
    over: bool
    cut: bool
    info: Mapping[str, Any]


class PyMARLWorld(AbstractForeignWorld):
    """A PyMARL world: agents are numbered, one reward is for all, and `info` is counted at the end.

    PyMARL reports a time limit as `terminated`, with `episode_limit` in `info` if at all: here an end at the
    limit is a truncation, unless a battle has just been decided. In battles the dead have the no-op only.
    Where the game has crashed, SMAC answers `0, True, {}`: that episode is cut off at its last observation.
    """

    def __init__(self, world: Any):
        self.world = world
        facts = world.get_env_info()
        n = int(facts["n_agents"])
        self.limit = int(facts.get("episode_limit") or 0) or None
        self.names = tuple(f"agent_{i}" for i in range(n))
        self.observation_spaces = [Box(np.shape(np.zeros(facts["obs_shape"])))] * n
        self.action_spaces = [Discrete(int(facts["n_actions"]))] * n
        self.battle = hasattr(world, "death_tracker_ally")
        self.launched = False
        self.counts = _OF_BATTLES if self.battle else self._counts()

    def _counts(self) -> tuple[str, ...]:
        """Take one step, and return the names of the numbers that it tells."""
        self.reset(0)
        first_legal = [int(np.argmax(mask)) for mask in self.world.get_avail_actions()]
        info = _outcome(self.world.step(first_legal)).info
        numbers = [key for key, x in info.items() if np.ndim(x) == 0 and isinstance(x, _NUMBERS)]
        return tuple(_NAMES.get(key, key) for key in numbers if key not in _UNCOUNTED)

    def reset(self, seed: int) -> ForeignMoment:
        if not self.launched and self.battle:
            _seed_game(self.world, seed)
        self.t = 0
        random.seed(seed)  # such a world draws from the global generators: its `reset` takes no seed
        np.random.seed(seed)
        self.world.reset()
        if not self.launched:
            self.versions = _versions(self.world)
        self.launched = True
        self.last = self._moment()
        return self.last

    def step(self, actions: dict[Any, Any]) -> ForeignMoment:
        self.t += 1
        joint = [int(actions.get(name, 0)) for name in self.names]
        outcome = _outcome(self.world.step(joint))
        if self.battle and outcome.over and not outcome.info:
            return self.last._replace(truncated=self.names, reward={}, counts={"crashes": 1.0})
        self.last = self._moment()
        cut = outcome.cut or (outcome.over and self._at_limit(outcome.info))
        ended = self.names if outcome.over or cut else ()
        each = [outcome.reward] * len(self.names) if np.ndim(outcome.reward) == 0 else outcome.reward
        return self.last._replace(
            reward={name: float(x) for name, x in zip(self.names, each, strict=True)},
            terminated=() if cut else ended,
            truncated=ended if cut else (),
            counts=self._counted(outcome.info, cut) if ended else {},
        )

    def _at_limit(self, info: Mapping[str, Any]) -> bool:
        """Say whether an episode that is over has been cut off by the time limit."""
        if info.get("episode_limit"):
            return True
        decided = info.get("battle_won") or info.get("dead_allies") == len(self.names)
        return self.limit is not None and self.t >= self.limit and not decided

    def _counted(self, info: Mapping[str, Any], cut: bool) -> dict[str, float]:
        told = {_NAMES.get(key, key): x for key, x in info.items()} | {"timeouts": cut, "crashes": 0}
        return {name: float(told.get(name, 0)) for name in self.counts}

    def _moment(self) -> ForeignMoment:
        masks = [np.asarray(mask) for mask in self.world.get_avail_actions()]
        rows = self.world.get_obs()
        here = [i for i, mask in enumerate(masks) if not (self.battle and mask[0])]
        return ForeignMoment(
            obs={self.names[i]: rows[i] for i in here},
            playing=[self.names[i] for i in here],
            masks={self.names[i]: masks[i] for i in here},
            state=self._state(),
        )

    def _state(self) -> Any:
        """Return the global state; None where a class leaves it to PyMARL's base, which has none."""
        with contextlib.suppress(NotImplementedError):
            return self.world.get_state()
        return None


_NUMBERS = (bool, int, float, np.number, np.bool_)


def _outcome(answer: Any) -> _Outcome:
    """Return the answer of `step`: PyMARL's `reward, terminated, info`, or EPyMARL's five."""
    if len(answer) == 3:
        reward, over, info = answer
        return _Outcome(reward, bool(over), False, info)
    _, reward, over, cut, info = answer
    return _Outcome(reward, bool(np.all(over)), bool(np.all(cut)), info)


def _game(world: Any) -> Any:
    """Return SMAC's own object, which SMACv2 wraps."""
    return world if "_seed" in vars(world) else getattr(world, "env", world)


def _versions(world: Any) -> dict[str, str]:
    """Return the version of the game that runs, where there is one."""
    game = getattr(_game(world), "_controller", None)
    return {} if game is None else {"StarCraft II": str(game.ping().game_version)}


def _seed_game(world: Any, seed: int) -> None:
    """Choose the seed of the game, unless its user has chosen one, before it is launched."""
    game = _game(world)
    if getattr(game, "_seed", 0) is None:
        game._seed = seed
