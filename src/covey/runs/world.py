"""One copy of a world to play in by hand, on NumPy: what a policy sees and does, without training."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import jax
import jax.random as jr
import numpy as np
from jaxtyping import Bool, Shaped, UInt8

from ..commands import as_called
from ..config.making import AnyEnvironment
from ..core import AbstractEnvironment, HostObservation, HostStep, Observation, Scene, Scenic, Spec
from ..errors import UserError
from ..ops import named
from ..training.copies import Copy, team_means
from .observed import check_actions

Frame = UInt8[np.ndarray, "height width 3"]


@runtime_checkable
class _OneCopy(Protocol):
    """One copy of a world: compiled or a Python program."""

    def reset(self, seed: int) -> HostStep: ...

    def step(self, action: Shaped[np.ndarray, "agents ..."]) -> HostStep: ...


class _CompiledCopy:
    """One copy of a compiled world."""

    def __init__(self, env: AbstractEnvironment):
        self.state: Any = None
        self._reset = jax.jit(lambda key: env.reset(named(key, "begin"), 1))
        self._step = jax.jit(lambda state, action, key: env.step(state, action, key))

    def reset(self, seed: int) -> HostStep:
        self.key = jr.key(seed)
        self.t = 0
        self.state, obs = self._reset(self.key)
        seen = _of_one_copy(obs)
        return HostStep(seen, np.zeros(len(seen.alive), np.float32), False, False)

    def step(self, action: Shaped[np.ndarray, "agents ..."]) -> HostStep:
        key = named(self.key, "step", self.t)
        self.t += 1
        self.state, step = self._step(self.state, action[None], key)
        one = lambda x: np.asarray(x)[0]
        counts = {name: float(one(x)) for name, x in step.counts.items()}
        ends = (bool(one(step.terminated)), bool(one(step.truncated)))
        return HostStep(_of_one_copy(step.obs), one(step.reward), *ends, one(step.team_reward), counts)


def _of_one_copy(obs: Observation) -> HostObservation:
    one = lambda x: np.asarray(x)[0]
    agents = one(obs.agents)
    agents = agents.astype(np.float32) if agents.dtype == bool else agents
    return HostObservation(agents, one(obs.state).astype(np.float32), one(obs.legal), one(obs.alive))


class World:
    """One copy of a world, compiled or a Python program.

        world = covey.make("spread", agents=4)
        obs = world.reset(seed=1)
        while not world.over:
            step = world.step(policy.act(obs))
            obs = step.obs

    `obs` has `agents`, `state`, `legal` and `alive`, without an axis of copies; `step` has `reward`,
    `team_reward`, `terminated`, `truncated` and `counts` besides. `spec` tells names and sizes, `returns`
    what each team has earned in the episode.
    """

    def __init__(self, env: AnyEnvironment, draw: Callable[["World"], Frame]):
        self.env = env
        self.spec: Spec = env.spec
        self.over = True
        self.observation: HostObservation | None = None
        self.returns = np.zeros(len(self.spec.teams))
        self._draw = draw
        self._copy: _OneCopy = _CompiledCopy(env) if isinstance(env, AbstractEnvironment) else Copy(env)
        self._members = [self.spec.members(team) for team in self.spec.teams]

    @as_called
    def reset(self, seed: int = 0) -> HostObservation:
        """Begin an episode; the same seed and actions give the same one."""
        self.observation = self._copy.reset(int(seed)).obs
        self.over = False
        self.returns = np.zeros(len(self.spec.teams))
        return self.observation

    def step(self, actions: Any) -> HostStep:
        """Take one joint action: a row, or a mapping by agent's name."""
        if self.observation is None or self.over:
            raise UserError("no episode is under way: call reset(seed) first")
        step = self._copy.step(check_actions(self.spec, actions, self.legal))
        earned = step.team_reward
        if earned is None:
            earned = team_means(self._members, np.asarray(step.reward, np.float32))
        self.observation = step.obs
        self.over = step.terminated or step.truncated
        self.returns = self.returns + earned
        return step._replace(team_reward=earned)

    @property
    def legal(self) -> Bool[np.ndarray, "agents actions"]:
        """The actions that are legal now."""
        if self.observation is None:
            raise UserError("no episode is under way: call reset(seed) first")
        return self.observation.legal

    @as_called
    def sample(self, seed: int | None = None) -> Shaped[np.ndarray, "agents ..."]:
        """Return a joint action at random, among those that are legal now."""
        rng = np.random.default_rng(seed)
        if self.spec.bounds:
            return rng.uniform(*self.spec.bounds, self.spec.action_shape).astype(np.float32)
        return np.array([rng.choice(np.flatnonzero(may)) for may in self.legal])

    def scene(self) -> Scene | None:
        """Return who stands where, if the world is on a plane; the last axis of arrays is one copy."""
        if self.observation is None or not isinstance(self.env, Scenic):
            return None
        assert isinstance(self._copy, _CompiledCopy)
        return self.env.scene(self._copy.state)

    def render(self) -> Frame:
        """Return a picture of this moment, as films show it."""
        return self._draw(self)

    def __repr__(self) -> str:
        return (
            f"World({', '.join(self.spec.names)}; {self.spec.features} features, {self.spec.actions} actions)"
        )
