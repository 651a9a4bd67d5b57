"""What everything else is made of: observations, steps, trajectories, and three interfaces."""

import abc
from typing import ClassVar, Generic, NamedTuple, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree, Shaped

Metrics = dict[str, Shaped[Array, "..."]]
Action = Int[Array, "*b agents"] | Float[Array, "*b agents dims"]
_EnvState = TypeVar("_EnvState")
_Learner = TypeVar("_Learner")


class Spec(eqx.Module):
    """Static facts about an environment, or about the part of it that one learner acts in.

    Agents are stacked along an axis and padded to one shape. `state` is the width of the global
    state, 0 where the state is simply everybody's observations side by side. `actions` counts
    choices or, where `bounds` are given, dimensions. `team` names each agent's team; `()` is
    one team of all. `others` counts the agents of an environment that a learner does not control.
    """

    names: tuple[str, ...] = eqx.field(static=True)
    features: int = eqx.field(static=True)
    actions: int = eqx.field(static=True)
    horizon: int = eqx.field(static=True)
    state: int = eqx.field(static=True, default=0)
    bounds: tuple[float, float] | None = eqx.field(static=True, default=None)
    team: tuple[str, ...] = eqx.field(static=True, default=())
    others: int = eqx.field(static=True, default=0)

    def __check_init__(self):
        if self.team and len(self.team) != len(self.names):
            raise ValueError(f"{len(self.names)} agents, but a team for {len(self.team)} of them")

    @property
    def agents(self) -> int:
        return len(self.names)

    @property
    def teams(self) -> tuple[str, ...]:
        """The teams, in the order in which they first appear."""
        return tuple(dict.fromkeys(self.team)) or ("team",)

    @property
    def world(self) -> int:
        """The width of `Observation.world`."""
        return self.state or (self.agents + self.others) * self.features

    @property
    def action_type(self) -> jnp.dtype:
        """The smallest type that holds an action: what replay keeps."""
        return jnp.dtype("float32" if self.bounds else "int8" if self.actions < 128 else "int16")

    @property
    def action_shape(self) -> tuple[int, ...]:
        return (self.agents, self.actions) if self.bounds else (self.agents,)

    def members(self, team: str) -> tuple[int, ...]:
        own = self.team or self.teams * self.agents
        return tuple(i for i, name in enumerate(own) if name == team)

    def of(self, members: tuple[int, ...]) -> "Spec":
        """The same world as a learner sees it that controls only `members`."""
        pick = lambda xs: tuple(xs[i] for i in members) if xs else ()
        others = self.others + self.agents - len(members)
        return Spec(
            pick(self.names), self.features, self.actions, self.horizon, self.state, self.bounds,
            pick(self.team), others,
        )  # fmt: skip

    def team_mean(self, reward: Float[Array, "*b agents"]) -> Float[Array, "*b teams"]:
        """Each team's reward where the environment has no other idea of it."""
        team = lambda own: sum(reward[..., i] for i in own) / len(own)
        return jnp.stack([team(self.members(name)) for name in self.teams], axis=-1)


class Observation(eqx.Module):
    """What there is to see at one moment.

    `legal` marks the actions an agent may take (the dimensions it has, where actions are
    continuous); `alive` the agents still taking part; `first` an episode's first moment. `others`
    holds the observations of agents that the learner at hand does not control: it is empty where
    an environment makes an observation, and filled when a learner looks at one. What an environment
    makes of noughts and ones may be boolean: so it is kept, and learners see numbers.
    """

    agents: Float[Array, "*b agents features"] | Bool[Array, "*b agents features"]
    state: Float[Array, "*b state"] | Bool[Array, "*b state"]
    legal: Bool[Array, "*b agents actions"]
    alive: Bool[Array, "*b agents"]
    first: Bool[Array, "*b"]
    others: Float[Array, "*b others features"] | Bool[Array, "*b others features"]

    def __init__(self, agents, state, legal, alive, first, others=None):
        self.agents, self.state, self.legal, self.alive, self.first = agents, state, legal, alive, first
        self.others = agents[..., :0, :] if others is None else others

    @property
    def world(self) -> Float[Array, "*b world"] | Bool[Array, "*b world"]:
        """The global state: the environment's own, or everybody's observations side by side."""
        return self.state if self.state.shape[-1] else self.everybody

    @property
    def everybody(self) -> Float[Array, "*b seen"]:
        """All observations side by side, those of others too."""
        every = jnp.concatenate([self.agents, self.others], axis=-2)
        return every.reshape(*every.shape[:-2], -1)


class Step(eqx.Module):
    """What n actions led to. `tally` counts what is worth counting in an episode: captures, wins."""

    obs: Observation
    reward: Float[Array, "*n agents"]
    team_reward: Float[Array, "*n teams"]
    terminated: Bool[Array, "*n"]
    truncated: Bool[Array, "*n"]
    tally: dict[str, Float[Array, "*n"]] = eqx.field(default_factory=dict)


class Trajectory(eqx.Module):
    """T steps and T+1 observations of one environment.

    The one rule: where `valid[t]`, `obs[t+1]` is what `action[t]` led to. Beginning anew costs
    a step of its own, recorded with `valid[t] = False`; so a final observation is never
    overwritten, and bootstrapping through a time limit needs no special case.

    A learner of one team of several sees its own agents; what the others saw and did stands in
    `obs.others` and `others`. `team_reward` has a column per team that the learner controls.
    """

    obs: Observation  # leaves lead with T+1
    action: Shaped[Array, "..."]  # T, agents, and dimensions where actions are continuous
    reward: Float[Array, "*T agents"]
    team_reward: Float[Array, "*T teams"]
    terminated: Bool[Array, "*T"]
    valid: Bool[Array, "*T"]
    memo: PyTree[Shaped[Array, "..."]] = None  # whatever `act` asked to be remembered
    others: Shaped[Array, "..."] | None = None  # [T, others, ...]
    tally: dict[str, Float[Array, "*T"]] = eqx.field(default_factory=dict)

    @property
    def now(self) -> Observation:
        """The T observations that were acted on. Of one trajectory: for a batch, under vmap."""
        return jax.tree.map(lambda x: x[:-1], self.obs)

    @property
    def later(self) -> Observation:
        """The T observations that actions led to. Of one trajectory: for a batch, under vmap."""
        return jax.tree.map(lambda x: x[1:], self.obs)


class Traits(NamedTuple):
    """What an algorithm is, for tables, and for refusing what it cannot do before it starts."""

    centralised: bool  # training uses more than an agent's own observation
    on_policy: bool
    discrete: bool
    continuous: bool
    recurrent: bool  # can remember within an episode
    cooperative: bool  # learns one team's reward; False: learns any number of teams at once


class AbstractEnvironment(eqx.Module, Generic[_EnvState]):
    """n copies at once. Observations and steps LEAD with n; every leaf of the state ENDS with it.

    So a kernel computes on `[..., n]`, where the innermost loop is long, and a mask of n
    selects among states by plain broadcasting. It never resets itself: the loop does.
    """

    spec: eqx.AbstractVar[Spec]

    @abc.abstractmethod
    def reset(self, key: PRNGKeyArray, n: int) -> tuple[_EnvState, Observation]: ...

    @abc.abstractmethod
    def step(self, state: _EnvState, action: Action, key: PRNGKeyArray) -> tuple[_EnvState, Step]: ...


class Vectorised(AbstractEnvironment):
    """Lifts `reset(key)` and `step(state, action, key)` of one copy to the batched contract."""

    one: eqx.Module
    spec: Spec

    def __init__(self, one):
        self.one, self.spec = one, one.spec

    def reset(self, key, n):
        return jax.vmap(self.one.reset, out_axes=(-1, 0))(jax.random.split(key, n))  # pyright: ignore

    def step(self, state, action, key):
        keys = jax.random.split(key, action.shape[0])
        return jax.vmap(self.one.step, (-1, 0, 0), (-1, 0))(state, action, keys)  # pyright: ignore


class AbstractExperience(eqx.Module):
    """Between collecting and learning: what becomes of rollouts `[n, T, ...]`.

    `clock` counts iterations. It is the same for every seed, so it is never mapped: a write
    at a place that it decides stays a write in place, a branch on it stays a branch.
    """

    updates: eqx.AbstractVar[int]  # 0: it never learns

    @abc.abstractmethod
    def length(self, spec: Spec, n: int) -> int:
        """How many steps of each of n copies it would like to be given an iteration."""

    @abc.abstractmethod
    def rounds(self, n: int, length: int) -> int:
        """How many updates follow an iteration of n copies by `length` steps."""

    @abc.abstractmethod
    def warmup(self, spec: Spec, n: int, length: int) -> int:
        """How many iterations of n copies by `length` steps go by before the first update."""

    @abc.abstractmethod
    def init(self, spec: Spec, rollouts: Trajectory) -> PyTree[Array]:
        """An empty store for rollouts like these."""

    @abc.abstractmethod
    def add(self, store: PyTree[Array], rollouts: Trajectory, clock: Int[Array, ""]) -> PyTree[Array]: ...

    @abc.abstractmethod
    def batch(
        self, spec: Spec, store: PyTree[Array], rollouts: Trajectory, clock: Int[Array, ""], key: PRNGKeyArray
    ) -> Trajectory:
        """What one update learns from: trajectories `[B, T, ...]`."""


class AbstractAlgorithm(eqx.Module, Generic[_Learner]):
    """Pure functions of a learner. `act` sees one environment; `update` a batch of trajectories.

    `memory` is one environment's; the loop lays it anew wherever an episode begins. `step`
    counts environment steps, for schedules. What `act` returns last comes back in `Trajectory.memo`.
    """

    traits: ClassVar[Traits]
    experience: eqx.AbstractVar[AbstractExperience]

    @abc.abstractmethod
    def init(self, spec: Spec, key: PRNGKeyArray) -> _Learner: ...

    @abc.abstractmethod
    def memory(self, spec: Spec, learner: _Learner) -> PyTree[Array]:
        """What an episode begins with."""

    @abc.abstractmethod
    def act(
        self,
        learner: _Learner,
        memory: PyTree[Array],
        obs: Observation,
        key: PRNGKeyArray,
        step: Int[Array, ""],
        explore: bool,
    ) -> tuple[PyTree[Array], Action, PyTree[Array]]: ...

    @abc.abstractmethod
    def update(
        self, learner: _Learner, batch: Trajectory, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[_Learner, Metrics]: ...
