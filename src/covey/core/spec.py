"""The static facts of a world."""

import math
from typing import Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .layout import EntityLayout


class Spec(eqx.Module):
    """The static facts of an environment, or of the part of it that one learner controls.

    Agents are stacked along an axis and padded to one shape.

    - `names`: one name per agent.
    - `features`: the width of an agent's observation.
    - `actions`: the number of choices; where `bounds` are given, the number of dimensions.
    - `horizon`: the longest episode, in steps.
    - `state`: the width of the global state. 0: the state is the joint observation.
    - `state_by_agent`: whether the state is one row for each agent, side by side.
    - `bounds`: the range of continuous actions. None: actions are discrete.
    - `team`: each agent's team. `()`: all agents form one team.
    - `others`: the number of agents that the learner does not control.
    - `team_reward`: a team's reward in words, as returns are announced.
    - `layouts`: each team's observations as rows of entities, in the order of `teams`. `()`: they are not.
    - `state_layouts`: the state as rows of entities, as each team sees it; where the state is one row for
      each agent, that row. `()`: it is not told.
    - `shape`: rows, columns and channels of observations that are pictures, flattened in that order. `()`:
      they are none.
    - `feature_type`: how observations are kept. Learners receive bytes, `uint8`, divided by 255.
    """

    names: tuple[str, ...] = eqx.field(static=True)
    features: int = eqx.field(static=True)
    actions: int = eqx.field(static=True)
    horizon: int = eqx.field(static=True)
    state: int = eqx.field(static=True, default=0)
    bounds: tuple[float, float] | None = eqx.field(static=True, default=None)
    team: tuple[str, ...] = eqx.field(static=True, default=())
    others: int = eqx.field(static=True, default=0)
    layouts: tuple[EntityLayout, ...] = eqx.field(static=True, default=())
    state_by_agent: bool = eqx.field(static=True, default=False)
    team_reward: str = eqx.field(static=True, default="team reward")
    state_layouts: tuple[EntityLayout, ...] = eqx.field(static=True, default=())
    shape: tuple[int, ...] = eqx.field(static=True, default=())
    feature_type: Literal["float32", "uint8"] = eqx.field(static=True, default="float32")

    def __check_init__(self):
        if self.team and len(self.team) != len(self.names):
            raise ValueError(
                f"Spec has {len(self.names)} agents and names the team of {len(self.team)}: "
                "give each agent's team, or team=()"
            )
        if self.shape and (len(self.shape) != 3 or math.prod(self.shape) != self.features):
            raise ValueError(
                f"Spec has {self.features} features and pictures of shape {self.shape}: "
                "give rows, columns and channels, whose product is features, or shape=()"
            )
        for name, layouts in (("layouts", self.layouts), ("state_layouts", self.state_layouts)):
            if layouts and len(layouts) != len(self.teams):
                raise ValueError(
                    f"Spec has {len(self.teams)} teams and the {name} of {len(layouts)}: "
                    f"give each team's layout, or {name}=()"
                )

    @property
    def agents(self) -> int:
        """The number of agents."""
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
        """The smallest type that holds an action; replay buffers store actions in it."""
        return jnp.dtype("float32" if self.bounds else "int8" if self.actions < 128 else "int16")

    @property
    def action_shape(self) -> tuple[int, ...]:
        """The shape of one joint action."""
        return (self.agents, self.actions) if self.bounds else (self.agents,)

    def members(self, team: str) -> tuple[int, ...]:
        """Return the indices of a team's agents."""
        teams = self.team or self.teams * self.agents
        return tuple(i for i, name in enumerate(teams) if name == team)

    def subset(self, members: tuple[int, ...]) -> "Spec":
        """Return the spec of a learner that controls only `members`; the rest become `others`."""
        pick = lambda items: tuple(items[i] for i in members) if items else ()
        teams = dict.fromkeys(pick(self.team or self.teams * self.agents))
        of_teams = lambda layouts: tuple(layouts[self.teams.index(team)] for team in teams if layouts)
        return Spec(
            names=pick(self.names),
            features=self.features,
            actions=self.actions,
            horizon=self.horizon,
            state=self.state,
            bounds=self.bounds,
            team=pick(self.team),
            others=self.others + self.agents - len(members),
            layouts=of_teams(self.layouts),
            state_by_agent=self.state_by_agent and len(members) == self.agents,
            team_reward=self.team_reward,
            shape=self.shape,
            feature_type=self.feature_type,
            state_layouts=of_teams(self.state_layouts),
        )

    def team_mean(self, reward: Float[Array, "*b agents"]) -> Float[Array, "*b teams"]:
        """Return each team's mean reward: the team reward of worlds that define no other."""
        # Spelt out rather than jnp.mean, so that the order of additions is fixed.
        mean = lambda members: sum(reward[..., i] for i in members) / len(members)
        return jnp.stack([mean(self.members(team)) for team in self.teams], axis=-1)


def spec_fault(spec: Spec) -> str:
    """Return in words which fact of a world cannot be; nothing where all may."""
    for name in ("features", "actions", "horizon", "agents"):
        if getattr(spec, name) < 1:
            return f"spec.{name} is {getattr(spec, name)}: it must be 1 or more"
    if len(set(spec.names)) != spec.agents:
        return f"spec.names contains a name twice: {spec.names}: give each agent its own"
    if spec.state < 0:
        return f"spec.state is {spec.state}: it must be 0 (for none) or the state's width"
    if spec.bounds and not -math.inf < spec.bounds[0] < spec.bounds[1] < math.inf:
        return f"spec.bounds is {spec.bounds}: both must be finite, the lower one first"
    return ""
