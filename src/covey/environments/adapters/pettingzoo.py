"""PettingZoo worlds: `pz:mpe2.simple_spread_v3` names the module that holds one."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from ...core import AbstractHostEnvironment
from ...errors import UserError
from ...ranges import Size
from .choices import WorldChoices
from .foreign import ForeignEnvironment, numbers_of
from .foreign_world import AbstractForeignWorld, ForeignMoment
from .horizons import episode_limit
from .imports import import_world, make_world
from .pictures import with_pictures
from .spaces import MASK, split_mask
from .teams import TeamReward

_IN_TURN = ("observe", "last", "agent_iter")
# Games whose players have one name and numbers, but are opponents.
_OPPONENTS = r"\b(tictactoe|connect_four|leduc_holdem|texas_holdem(_no_limit)?|go|chess|rps)_v\d"


def is_pettingzoo(thing: Any) -> bool:
    """Say whether a class or an object has a PettingZoo world's members: its spaces are functions."""
    members = [getattr(thing, name, None) for name in ("observation_space", "action_space", "reset", "step")]
    return all(map(callable, members))


def pettingzoo(
    module: str,
    horizon: int | None = None,
    team: tuple[str, ...] | None = None,
    team_reward: TeamReward = "mean",
    state: bool = True,
    shrink: Size = 1,
    grey: bool = False,
    stack: Size = 1,
    **options: Any,
) -> AbstractHostEnvironment:
    """A PettingZoo world: agents act together (ParallelEnv) or in turn (AECEnv).

    Observations are flattened and padded with zeros to the widest. Discrete actions are padded with illegal
    ones. Several choices at once are one number, up to 64; each part of a larger action is an agent of its
    own (`tank_0.1`). Continuous actions are mapped to each agent's own Box from the range that all Boxes
    share, or from [-1, 1] if they share none. Where some agents have discrete and others continuous actions,
    all are continuous, and a discrete agent takes its largest dimension.

    Teams follow names: `adversary_0` belongs to `adversary`; the players of known games, such as chess, are
    opponents. Instead, `team` may name each agent's team; `[]` stands for one team of all. A team earns the
    mean or, with `team_reward`, the sum of its agents' rewards; `own` makes each agent a team. An agent that
    is gone counts as dead and observes zeros. Where agents act in turn, a step is one turn, and those that
    wait have one legal action.

    `horizon` cuts off episodes; it is needed if the world does not say how long they are. `state=false`
    leaves the world's global state unread. Of pictures, `shrink` takes the mean of so many pixels a side,
    `grey` that of the channels, and `stack` keeps the last so many. All other options go to the world.
    """
    title = f"pz:{module}"
    world = _from_module(module, title, options)
    choices = WorldChoices(horizon, team, team_reward, state)
    made = pettingzoo_environment(world, title, options, choices)
    return with_pictures(made, shrink, grey, stack)


def pettingzoo_environment(
    world: Any,
    title: str,
    options: Mapping[str, Any],
    choices: WorldChoices,
) -> ForeignEnvironment:
    """Return the environment of a PettingZoo world, made of `options`."""
    if not hasattr(world, "possible_agents"):
        raise UserError(
            f"{title} does not say which agents it can have: give it `possible_agents`, all their names"
        )
    limit = episode_limit(world, options, title)
    world = together(world)
    in_turn = all(hasattr(world, name) for name in _IN_TURN)
    if choices.team is None and choices.team_reward != "own" and re.search(_OPPONENTS, title):
        choices = choices._replace(team=tuple(map(str, world.possible_agents)))
    inner = TurnWorld(world, limit) if in_turn else ParallelWorld(world, limit)
    return ForeignEnvironment(inner, title, choices)


def _from_module(module: str, title: str, options: dict[str, Any]) -> Any:
    """Return the world of a module, as a ParallelEnv where it can be one."""
    source = import_world(module, title)
    if hasattr(source, "parallel_env"):
        return make_world(source.parallel_env, options, title)
    if not hasattr(source, "env"):
        raise UserError(f"{title} holds no PettingZoo world: it has neither parallel_env nor env")
    return make_world(source.env, options, title)


def together(world: Any) -> Any:
    """Return an AEC world as a ParallelEnv, if it says that it can be one; else a world as it is."""
    in_turn = all(hasattr(world, name) for name in _IN_TURN)
    if not in_turn or not getattr(world, "metadata", {}).get("is_parallelizable", False):
        return world
    return import_world("pettingzoo.utils.conversions").aec_to_parallel(world)


def _masks(obs: Mapping[Any, Any], infos: Mapping[Any, Any]) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Return observations without their action masks, and the masks, which may stand in `infos` instead."""
    bare = {}
    masks = {}
    for name, own in obs.items():
        if own is None:  # it sees nothing now
            continue
        bare[name], mask = split_mask(own)
        masks[name] = infos.get(name, {}).get(MASK) if mask is None else mask
    return bare, masks


class StateReader:
    """The global state of a PettingZoo world; None where it has none, or cannot tell it any more.

    Of worlds that have one, some fail after their agents are gone: multiwalker's bodies are destroyed.
    """

    def __init__(self, world: Any):
        self.world = world
        self.exists = callable(getattr(world, "state", None))

    def begin(self) -> Float[np.ndarray, " state"] | None:
        """Read the state of a new episode; a world that cannot tell even this has none."""
        if not self.exists:
            return None
        try:
            state = numbers_of(self.world.state())
        except Exception:  # whatever a world without a state answers
            state = None
        self.exists = state is not None
        self.width = 0 if state is None else len(state)
        return state

    def read(self, gone: bool) -> Float[np.ndarray, " state"] | None:
        """Read the state; None where agents are gone and it fails, or has another width."""
        if not self.exists:
            return None
        try:
            state = numbers_of(self.world.state())
        except Exception:
            if not gone:
                raise
            return None
        return None if gone and state is not None and len(state) != self.width else state


class ParallelWorld(AbstractForeignWorld):
    """A world whose agents act together."""

    def __init__(self, world: Any, limit: int | None):
        self.world = world
        self.limit = limit
        self.names = tuple(world.possible_agents)
        self.observation_spaces = [world.observation_space(name) for name in self.names]
        self.action_spaces = [world.action_space(name) for name in self.names]
        self.state = StateReader(world)

    def reset(self, seed: int) -> ForeignMoment:
        obs, infos = self.world.reset(seed=seed)
        bare, masks = _masks(obs, infos)
        return ForeignMoment(bare, tuple(self.world.agents), masks=masks, state=self.state.begin())

    def step(self, actions: dict[Any, Any]) -> ForeignMoment:
        obs, reward, terminated, truncated, infos = self.world.step(actions)
        bare, masks = _masks(obs, infos)
        playing = tuple(self.world.agents)
        gone = len(playing) < len(self.names)
        return ForeignMoment(
            bare,
            playing,
            reward,
            [name for name, ended in terminated.items() if ended],
            [name for name, ended in truncated.items() if ended],
            masks,
            state=self.state.read(gone) if self.state_is_read else None,
        )


class TurnWorld(AbstractForeignWorld):
    """A world whose agents act in turn: a step is one turn.

    Everybody observes after every turn, and earns what the turn brought. An agent that is over is stepped
    past at once, for it has nothing to choose.
    """

    def __init__(self, world: Any, limit: int | None):
        self.world = world
        self.limit = limit
        self.names = tuple(world.possible_agents)
        self.observation_spaces = [world.observation_space(name) for name in self.names]
        self.action_spaces = [world.action_space(name) for name in self.names]
        self.state = StateReader(world)

    def reset(self, seed: int) -> ForeignMoment:
        self.world.reset(seed=seed)
        return self._moment({}, (), (), self.state.begin())

    def step(self, actions: dict[Any, Any]) -> ForeignMoment:
        world = self.world
        (action,) = actions.values()
        world.step(action)
        reward = dict(world.rewards)
        terminated = [name for name, ended in world.terminations.items() if ended]
        truncated = [name for name, ended in world.truncations.items() if ended]
        gone = bool(terminated or truncated)
        state = self.state.read(gone) if self.state_is_read else None
        return self._moment(reward, terminated, truncated, state)

    def _moment(self, reward: Any, terminated: Any, truncated: Any, state: Any) -> ForeignMoment:
        """Return this moment. Those who are over are observed before they leave, the others after that."""
        world = self.world
        infos = dict(world.infos)
        obs = {name: world.observe(name) for name in world.agents if self._over(name)}
        while world.agents and self._over(world.agent_selection):
            world.step(None)
        obs |= {name: world.observe(name) for name in world.agents}
        bare, masks = _masks(obs, infos | dict(world.infos))
        playing = tuple(world.agents)
        turn = (world.agent_selection,) if playing else ()
        return ForeignMoment(bare, playing, reward, terminated, truncated, masks, turn, state)

    def _over(self, name: Any) -> bool:
        return self.world.terminations[name] or self.world.truncations[name]
