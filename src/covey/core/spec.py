"""The static facts of a world."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float


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

    def subset(self, members: tuple[int, ...]) -> "Spec":
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
