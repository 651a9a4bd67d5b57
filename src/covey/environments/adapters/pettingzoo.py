"""PettingZoo worlds: `pz:mpe2.simple_spread_v3` names the module that holds one."""

import importlib
import os
import re
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped

from ...core import AbstractHostEnvironment, HostObservation, HostStep, Spec
from ...errors import SettingError, UserError

_MASKED_KEYS = {"observation", "action_mask"}  # of an observation that comes with its legal actions
_PACKAGES = ("pettingzoo", "gymnasium", "mpe2")  # of the extra `pettingzoo`


def _import(name: str) -> Any:
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = str(error.name)
        remedy = "run pip install 'covey[pettingzoo]'" if missing in _PACKAGES else "check the name after pz:"
        raise UserError(f"pz:{name} needs the module {missing}, which is not installed: {remedy}") from error


def _parallel_env(module: str, options: dict[str, Any]) -> Any:
    """Return the module's world as a ParallelEnv."""
    world = _import(module)
    try:
        if hasattr(world, "parallel_env"):
            return world.parallel_env(**options)
        if not hasattr(world, "env"):
            raise UserError(f"pz:{module} holds no PettingZoo world: it has neither parallel_env nor env")
        return _import("pettingzoo.utils.conversions").aec_to_parallel(world.env(**options))
    except AssertionError as error:
        raise UserError(
            f"pz:{module} is played in turns: choose a world whose agents act together"
        ) from error
    except TypeError as error:
        raise UserError(f"pz:{module} does not accept these options: {error}") from error


class PettingZoo(AbstractHostEnvironment):
    """Any ParallelEnv, and any AEC world that PettingZoo can run in parallel.

    Observations are flattened and padded with zeros to the widest. Discrete actions are padded with illegal
    ones. Continuous actions are mapped to each agent's own Box from the range that all Boxes share, or from
    [-1, 1] if they share none.

    Teams follow names: `adversary_0` belongs to `adversary`. Instead, `team` may name each agent's team;
    `[]` stands for one team of all. An agent that is gone counts as dead and observes zeros.

    `horizon` cuts off episodes of worlds that have no `max_cycles`. All other options go to the world.
    """

    def __init__(
        self, module: str, horizon: int | None = None, team: tuple[str, ...] | None = None, **options: Any
    ):
        self.module = module
        self.t = 0
        self.world = _parallel_env(module, options)
        self.names = tuple(self.world.possible_agents)
        self.spaces = _import("gymnasium.spaces")
        spaces = [self.world.observation_space(name) for name in self.names]
        self.observation_spaces = [self.without_mask(space) for space in spaces]
        self.action_spaces = [self.world.action_space(name) for name in self.names]
        self.widths = [self.spaces.flatdim(space) for space in self.observation_spaces]
        self.available, self.bounds = self.actions()
        self.central = False  # until the first observation tells whether there is a state of its own
        first = self.reset(0)
        self.central = self.has_state(first)
        self.spec = Spec(
            names=tuple(map(str, self.names)),
            features=max(self.widths),
            actions=self.available.shape[1],
            horizon=horizon or self.limit(options),
            state=len(self.state()),
            bounds=self.bounds,
            team=self.teams(team),
        )

    def __str__(self) -> str:
        return f"pz:{self.module}"

    def without_mask(self, space: Any) -> Any:
        """Return the space of the observation itself, where one comes with an action mask."""
        masked = isinstance(space, self.spaces.Dict) and set(space.spaces) == _MASKED_KEYS
        return space["observation"] if masked else space

    def teams(self, chosen: tuple[str, ...] | None) -> tuple[str, ...]:
        """Return each agent's team, or `()` if there is only one."""
        prefixes = tuple(re.sub(r"[_-]?\d+$", "", str(name)) for name in self.names)
        team = prefixes if chosen is None else chosen
        if team and len(team) != len(self.names):
            problem = f"is for {len(team)} agents, but {self} has {len(self.names)}"
            raise SettingError("team", problem, "name each one's team, or choose a world of as many")
        return team if len(set(team)) > 1 else ()

    def actions(self) -> tuple[Bool[np.ndarray, "agents actions"], tuple[float, float] | None]:
        """Return the actions (or dimensions) that each agent has, and the bounds of continuous ones."""
        discrete = [isinstance(space, self.spaces.Discrete) for space in self.action_spaces]
        boxes = [isinstance(space, self.spaces.Box) for space in self.action_spaces]
        if not all(discrete) and not all(boxes):
            kinds = ", ".join(sorted({type(space).__name__ for space in self.action_spaces}))
            raise UserError(f"{self} has actions of kinds {kinds}: train on one with all Discrete or all Box")
        size = lambda space: int(space.n) if all(discrete) else int(np.prod(space.shape))
        sizes = [size(space) for space in self.action_spaces]
        available = np.arange(max(sizes)) < np.array(sizes)[:, None]
        if all(discrete):
            return available, None
        bounds = {
            (float(low), float(high))
            for space in self.action_spaces
            for low, high in zip(space.low.flat, space.high.flat, strict=True)
        }
        if not np.isfinite(list(bounds)).all():
            raise UserError(f"{self} has actions without bounds: wrap it so that every Box has finite ones")
        return available, bounds.pop() if len(bounds) == 1 else (-1.0, 1.0)

    def limit(self, options: dict[str, Any]) -> int:
        """Return the longest episode, as the world gives it."""
        raw = self.world.unwrapped
        limit = options.get("max_cycles") or getattr(raw, "max_cycles", raw.metadata.get("max_cycles"))
        if not limit:
            problem = f"is needed, for {self} does not say how long its episodes are"
            raise SettingError("horizon", problem, "set `horizon=500`, or the like")
        return int(limit)

    def has_state(self, first: HostObservation) -> bool:
        """Tell whether the world has a global state that is more than the joint observation."""
        try:
            state = np.ravel(self.world.state())
        except (NotImplementedError, AttributeError):
            return False
        joint = np.concatenate([x[:n] for x, n in zip(first.agents, self.widths, strict=True)])
        return not np.array_equal(state, joint)

    def state(self) -> Float[np.ndarray, " state"]:
        return np.ravel(self.world.state()).astype(np.float32) if self.central else np.zeros(0, np.float32)

    def reset(self, seed: int) -> HostObservation:
        self.t = 0
        self.terminated = set()
        return self.observe(*self.world.reset(seed=seed))

    def step(self, action: Shaped[np.ndarray, "agents ..."]) -> HostStep:
        self.t += 1
        acting = [(i, name) for i, name in enumerate(self.names) if name in self.world.agents]
        actions = {name: self.own_action(i, action[i]) for i, name in acting}
        obs, reward, terminated, truncated, info = self.world.step(actions)
        self.terminated |= {name for name, ended in terminated.items() if ended}
        left = {name for name in self.world.agents if not truncated.get(name)} - self.terminated
        all_terminated = not left and len(self.terminated) == len(self.names)
        rewards = np.array([reward.get(name, 0.0) for name in self.names], np.float32)
        return HostStep(
            obs=self.observe(obs, info),
            reward=rewards,
            terminated=all_terminated,
            truncated=not left and not all_terminated,
        )

    def own_action(self, i: int, action: Any) -> Any:
        """Convert an action of agent i to its own space."""
        space = self.action_spaces[i]
        if self.bounds is None:
            return int(space.start) + int(action)
        low, high = self.bounds
        dims = action[self.available[i]].reshape(space.shape)
        return (space.low + (dims - low) / (high - low) * (space.high - space.low)).astype(space.dtype)

    def observe(self, obs: dict[Any, Any], info: dict[Any, Any]) -> HostObservation:
        """Return all agents' observations. An agent without one, or that has terminated, is dead."""
        agents = np.zeros((len(self.names), max(self.widths)), np.float32)
        alive = np.array([name in obs and name not in self.terminated for name in self.names])
        legal = np.where(alive[:, None], self.available, np.arange(self.available.shape[1]) == 0)
        for i in map(int, np.flatnonzero(alive)):
            own = obs[self.names[i]]
            mask = info.get(self.names[i], {}).get("action_mask")
            if isinstance(own, dict) and set(own) == _MASKED_KEYS:
                mask = own["action_mask"]
                own = own["observation"]
            agents[i, : self.widths[i]] = self.flat(i, own)
            if mask is not None:
                legal[i, : len(mask)] = np.asarray(mask, bool)
        return HostObservation(agents, self.state(), legal, alive)

    def flat(self, i: int, own: Any) -> Shaped[np.ndarray, " width"]:
        """Flatten an observation of agent i."""
        x = self.spaces.flatten(self.observation_spaces[i], own)
        if len(x) != self.widths[i]:
            raise UserError(
                f"{self} gave {self.names[i]} an observation of {len(x)} numbers at step {self.t}, where "
                f"its observation_space says {self.widths[i]}: fix the world, or train another"
            )
        return x
