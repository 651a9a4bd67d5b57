"""PettingZoo's worlds: `pz:mpe2.simple_spread_v3` is the module that holds one."""

import importlib
import os
import re
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped

from ...core import AbstractHostEnvironment, HostObservation, HostStep, Spec
from ...errors import SettingError, UserError

MASKED = {"observation", "action_mask"}  # what a dictionary holds that says which actions are legal


def imported(name: str) -> Any:
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        packages, missing = ("pettingzoo", "gymnasium", "mpe2"), str(error.name)
        remedy = "run pip install 'covey[pettingzoo]'" if missing in packages else "check the name after pz:"
        raise UserError(f"pz:{name} needs the module {missing}, which is not here: {remedy}") from error


def parallel(module: str, options: dict[str, Any]) -> Any:
    """The module's world, all agents acting at once."""
    world = imported(module)
    try:
        if hasattr(world, "parallel_env"):
            return world.parallel_env(**options)
        if not hasattr(world, "env"):
            raise UserError(f"pz:{module} holds no PettingZoo world: it has neither parallel_env nor env")
        return imported("pettingzoo.utils.conversions").aec_to_parallel(world.env(**options))
    except AssertionError as error:
        raise UserError(
            f"pz:{module} is played in turns: choose a world whose agents act together"
        ) from error
    except TypeError as error:
        raise UserError(f"pz:{module} does not accept these options: {error}") from error


class PettingZoo(AbstractHostEnvironment):
    """Any ParallelEnv, and any AEC world that PettingZoo can run in parallel.

    Observations are flattened and padded with zeros to the widest, discrete actions with illegal
    ones. Boxes are mapped from the range they share, else from [-1, 1]. Names tell teams,
    `adversary_0` belongs to `adversary`, unless `team` says each agent's, or `[]` that all are one.
    An agent that is gone is dead, and sees zeros. `horizon` cuts episodes of worlds that do not say
    their own `max_cycles`; other options are the world's.
    """

    def __init__(
        self, module: str, horizon: int | None = None, team: tuple[str, ...] | None = None, **options: Any
    ):
        self.module, self.t = module, 0
        self.world = world = parallel(module, options)
        self.names = tuple(world.possible_agents)
        self.spaces = imported("gymnasium.spaces")
        self.seen = [self.unmasked(world.observation_space(name)) for name in self.names]
        self.acts = [world.action_space(name) for name in self.names]
        self.widths = [self.spaces.flatdim(space) for space in self.seen]
        self.own, self.bounds = self.actions()
        self.central = False  # until its first moment shows a state
        first = self.reset(0)
        self.central = self.has_state(first)
        self.spec = Spec(
            names=tuple(map(str, self.names)),
            features=max(self.widths),
            actions=self.own.shape[1],
            horizon=horizon or self.limit(options),
            state=len(self.state()),
            bounds=self.bounds,
            team=self.teams(team),
        )

    def __str__(self) -> str:
        return f"pz:{self.module}"

    def unmasked(self, space: Any) -> Any:
        """Where observations come with an action mask, the observations' own space."""
        masks = isinstance(space, self.spaces.Dict) and set(space.spaces) == MASKED
        return space["observation"] if masks else space

    def teams(self, given: tuple[str, ...] | None) -> tuple[str, ...]:
        """Each agent's, nothing where there is but one."""
        kinds = tuple(re.sub(r"[_-]?\d+$", "", str(name)) for name in self.names)
        team = kinds if given is None else given
        if team and len(team) != len(self.names):
            problem = f"is for {len(team)} agents, but {self} has {len(self.names)}"
            raise SettingError("team", problem, "name each one's team, or choose a world of as many")
        return team if len(set(team)) > 1 else ()

    def actions(self) -> tuple[Bool[np.ndarray, "agents actions"], tuple[float, float] | None]:
        """Which actions (dimensions) each agent has; and the bounds of continuous ones."""
        discrete = [isinstance(space, self.spaces.Discrete) for space in self.acts]
        boxes = [isinstance(space, self.spaces.Box) for space in self.acts]
        if not all(discrete) and not all(boxes):
            kinds = ", ".join(sorted({type(space).__name__ for space in self.acts}))
            raise UserError(f"{self} has actions of kinds {kinds}: train on one with all Discrete or all Box")
        sizes = [int(space.n) if all(discrete) else int(np.prod(space.shape)) for space in self.acts]
        own = np.arange(max(sizes)) < np.array(sizes)[:, None]
        if all(discrete):
            return own, None
        ends = {(float(x), float(y)) for s in self.acts for x, y in zip(s.low.flat, s.high.flat, strict=True)}
        if not np.isfinite(list(ends)).all():
            raise UserError(f"{self} has actions without bounds: wrap it so that every Box has finite ones")
        return own, ends.pop() if len(ends) == 1 else (-1.0, 1.0)

    def limit(self, options: dict[str, Any]) -> int:
        """The longest episode, where the world says it."""
        raw = self.world.unwrapped
        limit = options.get("max_cycles") or getattr(raw, "max_cycles", raw.metadata.get("max_cycles"))
        if not limit:
            problem = f"is needed, for {self} does not say how long its episodes are"
            raise SettingError("horizon", problem, "set `horizon=500`, or the like")
        return int(limit)

    def has_state(self, first: HostObservation) -> bool:
        """Whether it has a global state that is more than everybody's observations side by side."""
        try:
            state = np.ravel(self.world.state())
        except (NotImplementedError, AttributeError):
            return False
        known = np.concatenate([x[:n] for x, n in zip(first.agents, self.widths, strict=True)])
        return not np.array_equal(state, known)

    def state(self) -> Float[np.ndarray, " state"]:
        return np.ravel(self.world.state()).astype(np.float32) if self.central else np.zeros(0, np.float32)

    def reset(self, seed: int) -> HostObservation:
        self.t, self.ended = 0, set()
        return self.look(*self.world.reset(seed=seed))

    def step(self, action: Shaped[np.ndarray, "agents ..."]) -> HostStep:
        self.t += 1
        acts = {
            name: self.act(i, action[i]) for i, name in enumerate(self.names) if name in self.world.agents
        }
        obs, reward, terminated, truncated, info = self.world.step(acts)
        self.ended |= {name for name, ended in terminated.items() if ended}
        left = {name for name in self.world.agents if not truncated.get(name)} - self.ended
        done = not left and len(self.ended) == len(self.names)
        rewards = np.array([reward.get(name, 0.0) for name in self.names], np.float32)
        return HostStep(self.look(obs, info), rewards, terminated=done, truncated=not left and not done)

    def act(self, i: int, action: Any) -> Any:
        """Agent i's action in its own space."""
        space = self.acts[i]
        if self.bounds is None:
            return int(space.start) + int(action)
        (low, high), part = self.bounds, action[self.own[i]].reshape(space.shape)
        return (space.low + (part - low) / (high - low) * (space.high - space.low)).astype(space.dtype)

    def look(self, obs: dict[Any, Any], info: dict[Any, Any]) -> HostObservation:
        """Everybody's observation; whoever has none, or has ended, is dead."""
        agents = np.zeros((len(self.names), max(self.widths)), np.float32)
        alive = np.array([name in obs and name not in self.ended for name in self.names])
        legal = np.where(alive[:, None], self.own, np.arange(self.own.shape[1]) == 0)
        for i in map(int, np.flatnonzero(alive)):
            view, mask = obs[self.names[i]], info.get(self.names[i], {}).get("action_mask")
            if isinstance(view, dict) and set(view) == MASKED:
                view, mask = view["observation"], view["action_mask"]
            agents[i, : self.widths[i]] = self.flat(i, view)
            if mask is not None:
                legal[i, : len(mask)] = np.asarray(mask, bool)
        return HostObservation(agents, self.state(), legal, alive)

    def flat(self, i: int, view: Any) -> Shaped[np.ndarray, " width"]:
        x = self.spaces.flatten(self.seen[i], view)
        if len(x) != self.widths[i]:
            raise UserError(
                f"{self} gave {self.names[i]} an observation of {len(x)} numbers at step {self.t}, where "
                f"its observation_space says {self.widths[i]}: mend the world, or train another"
            )
        return x
