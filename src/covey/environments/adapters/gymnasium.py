"""Gymnasium worlds: `gym:Foraging-8x8-2p-3f-v3` names one by its ID."""

import contextlib
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...core import AbstractHostEnvironment
from ...ranges import Size
from .choices import WorldChoices
from .foreign import ForeignEnvironment
from .foreign_world import AbstractForeignWorld, ForeignMoment
from .horizons import episode_limit
from .imports import import_world, make_world
from .pictures import with_pictures
from .spaces import MASK, choice, kind_of, member_of_parts, parts_of, split_mask
from .teams import TeamReward

# The packages that register worlds when they are imported, by how their IDs begin.
PACKAGES = {
    r"Foraging": "lbforaging",
    r"Pogema": "pogema",
    r"rware-": "rware",
    r"(highway|merge|roundabout|parking|intersection|racetrack|exit|u-turn)-": "highway_env",
    r"Fetch|Hand|Adroit|AntMaze|PointMaze|FrankaKitchen": "gymnasium_robotics",
}
_COUNTS = ("n_agents", "num_agents")  # as worlds call the number of their agents


def is_gymnasium(thing: Any) -> bool:
    """Say whether a class or an object is a Gymnasium world."""
    bases = getattr(thing, "__mro__", type(thing).__mro__)
    return any(
        cls.__module__.split(".")[0] in ("gymnasium", "gym") and cls.__name__ == "Env" for cls in bases
    )


def gymnasium(
    id: str,
    horizon: int | None = None,
    team: tuple[str, ...] | None = None,
    team_reward: TeamReward = "mean",
    state: bool = True,
    shrink: Size = 1,
    grey: bool = False,
    stack: Size = 1,
    **options: Any,
) -> AbstractHostEnvironment:
    """A Gymnasium world of several agents, whose observations and actions come as tuples; or of one agent.

    Agents are numbered: `agent_0`, `agent_1` and so on. Observations are flattened and padded with zeros to
    the widest. Discrete actions are padded with illegal ones. Several choices at once are one number, up to
    64; each part of a larger action is an agent of its own (`agent_0.1`). Continuous actions are mapped to
    each agent's own Box from the range that all Boxes share, or from [-1, 1] if they share none.

    Rewards are a list, one for each agent; or one number, which all earn, unless `info` has
    `agents_rewards`. An end at the world's own time limit is a truncation, whatever the world calls it.
    `team` may name each agent's team. A team earns the mean or, with `team_reward`, the sum of its agents'
    rewards; `own` makes each agent a team.

    `horizon` cuts off episodes; it is needed if the world does not say how long they are. Of pictures,
    `shrink` takes the mean of so many pixels a side, `grey` that of the channels, and `stack` keeps the last
    so many. All other options go to the world.
    """
    title = f"gym:{id}"
    module, _, rest = id.rpartition(":")
    package = module or next((p for pattern, p in PACKAGES.items() if re.match(pattern, id)), "")
    if package:
        import_world(package, title)
    make = import_world("gymnasium", title).make
    world = make_world(lambda **kwargs: make(rest, disable_env_checker=True, **kwargs), options, title)
    choices = WorldChoices(horizon, team, team_reward, state)
    made = gymnasium_environment(world, title, options, choices)
    return with_pictures(made, shrink, grey, stack)


def gymnasium_environment(
    world: Any,
    title: str,
    options: Mapping[str, Any],
    choices: WorldChoices,
) -> ForeignEnvironment:
    """Return the environment of a Gymnasium world, made of `options`."""
    inner = TupleWorld(world, episode_limit(world, options, title))
    return ForeignEnvironment(inner, title, choices)


def _count(world: Any) -> int | None:
    """Return the number of agents; None: the world has one, and no tuples."""
    if kind_of(world.action_space) == "Tuple" and kind_of(world.observation_space) == "Tuple":
        return len(world.action_space.spaces)
    raw = world.unwrapped
    settings = getattr(raw, "grid_config", None)  # pogema's
    said = [*(getattr(raw, name, None) for name in _COUNTS), getattr(settings, "num_agents", None)]
    if not any(isinstance(n, int) for n in said):
        return None
    obs = _reset(world, 0)[0]  # of worlds whose spaces are one agent's, only this shows how many come
    return len(obs) if isinstance(obs, list | tuple) and len(obs) in said else None


def _reset(world: Any, seed: int) -> tuple[Any, Any]:
    """Reset a world by the seed, in the way that it knows; return observations and `info`."""
    settings = getattr(world.unwrapped, "grid_config", None)
    if settings is not None:  # pogema draws its map by this seed, not by reset's
        settings.seed = seed
    try:
        outcome = world.reset(seed=seed)
    except TypeError:  # a reset without a seed: such worlds draw from the global generators
        random.seed(seed)
        np.random.seed(seed)
        with contextlib.suppress(AttributeError):
            world.seed(seed)
        outcome = world.reset()
    told = isinstance(outcome, tuple) and len(outcome) == 2 and isinstance(outcome[1], dict | list)
    return outcome if told else (outcome, {})


class TupleWorld(AbstractForeignWorld):
    """A world whose agents come as tuples or lists; or of one agent, which comes by itself."""

    def __init__(self, world: Any, limit: int | None):
        self.world = world
        self.limit = limit
        count = _count(world)
        self.single = count is None
        n = count or 1
        self.names = ("agent",) if self.single else tuple(f"agent_{i}" for i in range(n))
        self.observation_spaces = self._each(world.observation_space)
        self.action_spaces = self._each(world.action_space)
        self.gone: set[str] = set()

    def _each(self, space: Any) -> Sequence[Any]:
        """Return each agent's space: a Tuple has one for each, any other is everybody's."""
        if not self.single and kind_of(space) == "Tuple":
            return list(space.spaces)
        return [space] * len(self.names)

    def reset(self, seed: int) -> ForeignMoment:
        self.t = 0
        self.gone = set()
        obs, info = _reset(self.world, seed)
        bare, masks = self._observations(obs, info)
        return ForeignMoment(bare, self.names, masks=masks)

    def step(self, actions: dict[Any, Any]) -> ForeignMoment:
        self.t += 1
        joint = tuple(actions.get(name, self._idle(i)) for i, name in enumerate(self.names))
        obs, reward, terminated, truncated, info = self._outcome(joint)
        bare, masks = self._observations(obs, info)
        over = self._names(terminated)
        cut = self._names(truncated)
        if self.limit and self.t >= self.limit and len(over) == len(self.names) and not cut:
            cut, over = over, []  # the world says `terminated` at its time limit, too
        ended = self._names(info.get("agents_terminated", False)) if isinstance(info, dict) else []
        over = over or ended
        self.gone |= set(over) | set(cut)
        playing = tuple(name for name in self.names if name not in self.gone)
        return ForeignMoment(bare, playing, self._rewards(reward, info), over, cut, masks)

    def _outcome(self, joint: tuple[Any, ...]) -> Any:
        outcome = self.world.step(joint[0] if self.single else joint)
        if len(outcome) == 5:
            return outcome
        obs, reward, done, info = outcome  # gym's, before 0.26
        cut = bool(np.all(done)) and bool(info.get("TimeLimit.truncated", False))
        return obs, reward, done and not cut, cut, info

    def _idle(self, i: int) -> Any:
        """Return an action for an agent that is gone, for the world wants one of everybody."""
        space = self.action_spaces[i]
        still = lambda part: (
            choice(part, 0) if kind_of(part) == "Discrete" else np.zeros(part.shape, part.dtype)
        )
        return member_of_parts(space, map(still, parts_of(space).values()))

    def _names(self, flags: Any) -> list[str]:
        """Return the agents that are marked, by one flag for all or one for each."""
        if np.ndim(flags) == 0:
            return list(self.names) if flags else []
        return [name for name, flag in zip(self.names, flags, strict=True) if flag]

    def _observations(self, obs: Any, info: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return each agent's observation and its legal actions, from there or from `info`."""
        each = [obs] if self.single else obs
        split = [split_mask(own) for own in each]
        masks = [mask for _, mask in split]
        infos = info if isinstance(info, list | tuple) else [info] * len(each)
        for i, own in enumerate(infos):
            told = own.get(MASK) if isinstance(own, Mapping) else None
            if told is not None and masks[i] is None:
                masks[i] = told if self.single or infos is info else told[i]
        here = [i for i, name in enumerate(self.names) if name not in self.gone]
        return (
            {self.names[i]: split[i][0] for i in range(len(self.names))},
            {self.names[i]: masks[i] for i in here},
        )

    def _rewards(self, reward: Any, info: Any) -> dict[str, float]:
        own = info.get("agents_rewards") if isinstance(info, dict) else None
        each = reward if own is None else own
        each = [each] * len(self.names) if np.ndim(each) == 0 else each
        return {name: float(x) for name, x in zip(self.names, each, strict=True)}
