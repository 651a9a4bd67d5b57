"""Actors that critics can be differentiated through; critics, of everybody's actions or of one's own.

An action travels as a vector here: one-hot where actions are discrete, itself where they are continuous.
"""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from ...core import Action, Observation, Spec, Trajectory
from ...errors import SettingError
from ...networks.actors import observation_inputs
from ...networks.agents import AbstractAgent, AgentNetworks, FeedForward, Sharing
from ...networks.distributions import scale_to_bounds, straight_through
from ...ops import masked
from ...parts import Factory

JointCriticInput = Literal["observations", "state"]  # everybody's, or the world's
Vectors = Float[Array, "*t agents dims"]


class Actors(eqx.Module):
    """A crew whose outputs x are logits; or, where actions are continuous, what tanh fits to the bounds."""

    networks: AgentNetworks
    bounds: tuple[float, float] | None = eqx.field(static=True)
    agent_id: bool = eqx.field(static=True)

    def __init__(
        self, make: Factory[AbstractAgent], spec: Spec, sharing: Sharing, agent_id: bool, *, key: PRNGKeyArray
    ):
        width = spec.features + agent_id * spec.agents
        self.networks = AgentNetworks(make, spec, width, spec.actions, sharing, key=key)
        self.bounds, self.agent_id = spec.bounds, agent_id

    @property
    def remember(self) -> bool:
        return self.networks.nets.carry_size > 0

    def init_carry(self) -> Float[Array, "agents h"]:
        return self.networks.init_carry()

    def step(self, h: Float[Array, "agents h"], obs: Observation) -> tuple[Float[Array, "agents h"], Vectors]:
        return self.networks.step(h, observation_inputs(obs, self.agent_id))

    def unroll(self, obs: Observation) -> Vectors:
        return self.networks.unroll(self.init_carry(), observation_inputs(obs, self.agent_id), obs.first)[1]

    def after(self, t: Trajectory) -> Vectors:
        """At the T moments that actions led to. Those who remember look at all that came before."""
        return self.unroll(t.obs if self.remember else t.next_obs)[-len(t.valid) :]

    def best(self, x: Vectors, legal: Bool[Array, "*t agents dims"]) -> Action:
        if self.bounds:
            return scale_to_bounds(jnp.tanh(x), legal, self.bounds)
        return jnp.argmax(masked(x, legal), axis=-1)

    def explore(self, x: Vectors, legal: Bool[Array, "*t agents dims"], noise, key: PRNGKeyArray) -> Action:
        """A draw; or, in a box, the best with Gaussian noise, whose deviation is in halves of the range."""
        if not self.bounds:
            return jnp.argmax(masked(x + jr.gumbel(key, x.shape), legal), axis=-1)
        near = jnp.tanh(x) + noise * jr.normal(key, x.shape)
        return scale_to_bounds(jnp.clip(near, -1.0, 1.0), legal, self.bounds)

    def sample(
        self, x: Vectors, legal: Bool[Array, "*t agents dims"], temperature, key: PRNGKeyArray
    ) -> Vectors:
        """What a critic is asked about, with its gradient: the best in a box, a draw among choices."""
        if self.bounds:
            return scale_to_bounds(jnp.tanh(x), legal, self.bounds)
        return straight_through(x, legal, temperature, key)

    def vectors(self, action: Action, obs: Observation) -> Vectors:
        """What was done."""
        return action if self.bounds else jax.nn.one_hot(action, obs.legal.shape[-1])


def known(networks: AgentNetworks, agent_id: bool) -> None:
    """Refuses a critic that agents share and that cannot tell whom it values."""
    if len(set(networks.groups)) < len(networks.groups) and not agent_id:
        problem = "leaves agents that share a network without an identity"
        raise SettingError("agent_id", problem, "set `agent_id=True`, or `sharing=none`", value=agent_id)


class Critics(eqx.Module):
    """Each agent's Q_i(all observations, all actions), or of the state. Of others than ours, no actions."""

    networks: AgentNetworks
    agent_id: bool = eqx.field(static=True)
    critic_input: JointCriticInput = eqx.field(static=True)

    def __init__(
        self,
        make: Factory[FeedForward],
        spec: Spec,
        sharing: Sharing,
        agent_id: bool,
        critic_input: JointCriticInput,
        *,
        key: PRNGKeyArray,
    ):
        shown = spec.world if critic_input == "state" else (spec.agents + spec.others) * spec.features
        width = shown + spec.agents * spec.actions + agent_id * spec.agents
        self.networks = AgentNetworks(make, spec, width, 1, sharing, key=key)
        self.agent_id, self.critic_input = agent_id, critic_input
        known(self.networks, agent_id)

    def judged(self, obs: Observation, joint: Float[Array, "T #agents joint"]) -> Float[Array, "T agents"]:
        """Every agent's value of its own row of joint actions, or of the one row that there is."""
        n, (t, rows) = len(self.networks.groups), joint.shape[:2]
        shown = obs.world if self.critic_input == "state" else obs.joint
        x = jnp.concatenate([jnp.broadcast_to(shown[:, None], (t, rows, shown.shape[-1])), joint], axis=-1)
        x = jnp.broadcast_to(x, (t, n, x.shape[-1]))
        if self.agent_id:
            x = jnp.concatenate([x, jnp.broadcast_to(jnp.eye(n), (t, n, n))], axis=-1)
        return self.networks.unroll(self.networks.init_carry(), x, obs.first)[1][..., 0]

    def __call__(self, obs: Observation, actions: Vectors) -> Float[Array, "T agents"]:
        return self.judged(obs, actions.reshape(len(actions), 1, -1))

    def of_own(self, obs: Observation, actions: Vectors, own: Vectors) -> Float[Array, "T agents"]:
        """Q_i where only agent i does its `own`, all others what they did in `actions`."""
        n = len(self.networks.groups)
        mine = jnp.eye(n, dtype=bool)[:, :, None]
        joint = jnp.where(mine, own[:, None], actions[:, None])
        return self.judged(obs, joint.reshape(len(own), n, -1))


class Networks(eqx.Module):
    """Actors, and the critics that they learn from."""

    actors: Actors
    critics: Critics

    def value(self, t: Trajectory, own: Vectors) -> Float[Array, "T agents"]:
        """Each agent's of its own fresh action, beside what the others did."""
        return self.critics.of_own(t.current_obs, self.actors.vectors(t.action, t.current_obs), own)


class LocalCritics(eqx.Module):
    """Q_i(o_i, a_i) of the agents of one team, `members`."""

    networks: AgentNetworks
    members: tuple[int, ...] = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)
    agent_id: bool = eqx.field(static=True)

    def __init__(
        self, make: Factory[FeedForward], spec: Spec, team: str, sharing: Sharing, agent_id: bool, *,
        key: PRNGKeyArray,
    ):  # fmt: skip
        self.members, self.agent_id = spec.members(team), agent_id
        width = spec.features + spec.actions + agent_id * spec.agents
        self.names = spec.subset(self.members).names
        self.networks = AgentNetworks(make, spec.subset(self.members), width, 1, sharing, key=key)

    def __call__(self, obs: Observation, actions: Vectors) -> Float[Array, "T members"]:
        x = jnp.concatenate([observation_inputs(obs, self.agent_id), actions], axis=-1)
        x = x[:, np.array(self.members)]
        return self.networks.unroll(self.networks.init_carry(), x, obs.first)[1][..., 0]
