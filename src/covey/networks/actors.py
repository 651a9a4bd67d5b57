"""Actors and critics: crews that read observations; they give distributions, and values."""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ..core import Observation, Spec
from ..parts import Factory
from .agents import AbstractAgent, AgentNetworks, Sharing
from .distributions import AbstractDistribution, Categorical, Gaussian

CriticInput = Literal["state", "agent", "own"]


def observation_inputs(obs: Observation, agent_id: bool) -> Float[Array, "*t agents i"]:
    """What an agent sees and, one-hot, who it is."""
    own, n = obs.agents, obs.agents.shape[-2]
    return jnp.concatenate([own, jnp.broadcast_to(jnp.eye(n), (*own.shape[:-1], n))], -1) if agent_id else own


class Actor(eqx.Module):
    """A crew's outputs are logits or, where actions are continuous, means; deviations are parameters."""

    networks: AgentNetworks
    log_deviation: Float[Array, "groups dims"] | None  # None: actions are discrete
    bounds: tuple[float, float] | None = eqx.field(static=True)
    squashed: bool = eqx.field(static=True)
    agent_id: bool = eqx.field(static=True)

    def __init__(
        self, make: Factory[AbstractAgent], spec: Spec, sharing: Sharing, agent_id: bool, squashed: bool,
        deviation: float, *, key: PRNGKeyArray,
    ):  # fmt: skip
        self.networks = AgentNetworks(
            make, spec, spec.features + agent_id * spec.agents, spec.actions, sharing, key=key
        )
        begin = jnp.full((len(set(self.networks.groups)), spec.actions), np.log(deviation))
        self.log_deviation = begin if spec.bounds else None
        self.bounds, self.squashed, self.agent_id = spec.bounds, squashed, agent_id

    def policy(self, x: Float[Array, "*t agents o"], obs: Observation) -> AbstractDistribution:
        if self.bounds is None or self.log_deviation is None:
            return Categorical(x, obs.legal)
        own = self.log_deviation[np.array(self.networks.groups)]
        return Gaussian(x, own, obs.legal, self.bounds, self.squashed)

    def init_carry(self) -> Float[Array, "agents h"]:
        return self.networks.init_carry()

    def step(
        self, h: Float[Array, "agents h"], obs: Observation
    ) -> tuple[Float[Array, "agents h"], AbstractDistribution]:
        h, x = self.networks.step(h, observation_inputs(obs, self.agent_id))
        return h, self.policy(x, obs)

    def follow(
        self, h: Float[Array, "agents h"], obs: Observation
    ) -> tuple[Float[Array, "agents h"], AbstractDistribution]:
        """As `unroll`; its last memory, too."""
        h, x = self.networks.unroll(h, observation_inputs(obs, self.agent_id), obs.first)
        return h, self.policy(x, obs)

    def unroll(self, h: Float[Array, "agents h"], obs: Observation) -> AbstractDistribution:
        return self.follow(h, obs)[1]


class Critic(eqx.Module):
    """Values from what it is shown: the `state`, once for the team; or one value for each agent, from its
    `own` observation, or from state and observation of an `agent`. The dead are shown no state."""

    networks: AgentNetworks
    critic_input: CriticInput = eqx.field(static=True)
    agent_id: bool = eqx.field(static=True)

    def __init__(
        self,
        make: Factory[AbstractAgent],
        spec: Spec,
        sharing: Sharing,
        agent_id: bool,
        critic_input: CriticInput,
        *,
        key: PRNGKeyArray,
    ):
        own = spec.features + agent_id * spec.agents
        width = {"state": spec.world, "agent": spec.world + own, "own": own}[critic_input]
        self.networks = AgentNetworks(
            make, spec.subset((0,)) if critic_input == "state" else spec, width, 1, sharing, key=key
        )
        self.critic_input, self.agent_id = critic_input, agent_id

    def shown(self, obs: Observation) -> Float[Array, "*t k i"]:
        world, own = obs.world[..., None, :], observation_inputs(obs, self.agent_id)
        if self.critic_input == "state":
            return world
        return (
            own
            if self.critic_input == "own"
            else jnp.concatenate([world * obs.alive[..., None], own], axis=-1)
        )

    def init_carry(self) -> Float[Array, "k h"]:
        return self.networks.init_carry()

    def step(
        self, h: Float[Array, "k h"], obs: Observation
    ) -> tuple[Float[Array, "k h"], Float[Array, " k"]]:
        h, value = self.networks.step(h, self.shown(obs))
        return h, value[..., 0]

    def unroll(self, h: Float[Array, "k h"], obs: Observation) -> Float[Array, "T k"]:
        return self.networks.unroll(h, self.shown(obs), obs.first)[1][..., 0]


def action_critic_inputs(
    obs: Observation, action: Int[Array, "T agents"], last: Int[Array, "T agents"]
) -> Float[Array, "T agents i"]:
    """What a critic of actions reads: state, last actions, own observation, others' actions, who it is."""
    (t, n), count = action.shape, obs.legal.shape[-1]
    did, before = jax.nn.one_hot(action, count), jax.nn.one_hot(last, count)
    others = jnp.where(jnp.eye(n, dtype=bool)[:, :, None], 0.0, did[:, None])
    public = jnp.concatenate([obs.world, before.reshape(t, -1)], axis=-1)
    public = jnp.broadcast_to(public[:, None], (t, n, public.shape[-1]))
    own = jnp.broadcast_to(jnp.eye(n), (t, n, n))
    return jnp.concatenate([public, obs.agents, others.reshape(t, n, -1), own], axis=-1)
