"""Actors that critics are differentiated through; critics of everybody's actions, and of an agent's own.

An action is a vector here: one-hot where actions are discrete, itself where they are continuous.
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
from ...networks.interface import NetworkInterface, observation_parts, plain_parts
from ...ops import masked
from ...parts import Factory

JointCriticInput = Literal["observations", "state"]  # everybody's observations, or the world's state
Vectors = Float[Array, "*t agents dims"]


class DeterministicActors(eqx.Module):
    """Networks whose outputs x are logits; where actions are continuous, tanh scales x to the bounds."""

    networks: AgentNetworks
    bounds: tuple[float, float] | None = eqx.field(static=True)
    agent_id: bool = eqx.field(static=True)

    def __init__(
        self,
        factory: Factory[AbstractAgent],
        spec: Spec,
        sharing: Sharing,
        agent_id: bool,
        *,
        key: PRNGKeyArray,
    ):
        logits = 0 if spec.bounds else spec.actions
        interface = NetworkInterface(
            observation_parts(spec, agent_id=agent_id), logits, spec.actions - logits
        )
        self.networks = AgentNetworks(factory, spec, interface, sharing, key=key)
        self.bounds = spec.bounds
        self.agent_id = agent_id

    @property
    def recurrent(self) -> bool:
        return self.networks.nets.carry_size > 0

    def init_carry(self) -> Float[Array, "agents h"]:
        return self.networks.init_carry()

    def step(self, h: Float[Array, "agents h"], obs: Observation) -> tuple[Float[Array, "agents h"], Vectors]:
        return self.networks.step(h, observation_inputs(obs, self.agent_id))

    def unroll(self, obs: Observation) -> Vectors:
        return self.networks.unroll(self.init_carry(), observation_inputs(obs, self.agent_id), obs.first)[1]

    def next_outputs(self, t: Trajectory) -> Vectors:
        """Return the outputs at the T moments that actions led to; recurrent actors read all before too."""
        return self.unroll(t.obs if self.recurrent else t.next_obs)[-len(t.valid) :]

    def best(self, x: Vectors, legal: Bool[Array, "*t agents dims"]) -> Action:
        """Return the likeliest legal action, or the centre of a continuous one."""
        if self.bounds:
            return scale_to_bounds(jnp.tanh(x), legal, self.bounds)
        return jnp.argmax(masked(x, legal), axis=-1)

    def explore(self, x: Vectors, legal: Bool[Array, "*t agents dims"], noise, key: PRNGKeyArray) -> Action:
        """Draw a discrete action, or add Gaussian noise, its deviation in halves of the range."""
        if not self.bounds:
            return jnp.argmax(masked(x + jr.gumbel(key, x.shape), legal), axis=-1)
        near = jnp.tanh(x) + noise * jr.normal(key, x.shape)
        return scale_to_bounds(jnp.clip(near, -1.0, 1.0), legal, self.bounds)

    def sample(
        self, x: Vectors, legal: Bool[Array, "*t agents dims"], temperature, key: PRNGKeyArray
    ) -> Vectors:
        """Return differentiable actions for a critic: a draw if discrete, else the best ones."""
        if self.bounds:
            return scale_to_bounds(jnp.tanh(x), legal, self.bounds)
        return straight_through(x, legal, temperature, key)

    def vectors(self, action: Action, obs: Observation) -> Vectors:
        """Return the actions taken as vectors."""
        return action if self.bounds else jax.nn.one_hot(action, obs.legal.shape[-1])


def _require_agent_id(networks: AgentNetworks, agent_id: bool) -> None:
    """Refuse a critic that agents share and that cannot tell them apart."""
    if len(set(networks.groups)) < len(networks.groups) and not agent_id:
        problem = "leaves agents that share a network without an identity"
        raise SettingError("agent_id", problem, "set `agent_id=True`, or `sharing=none`", value=agent_id)


class JointCritics(eqx.Module):
    """Each agent's Q_i of all actions, and of all observations or the state.

    Agents that another learner controls add observations, but no actions.
    """

    networks: AgentNetworks
    agent_id: bool = eqx.field(static=True)
    critic_input: JointCriticInput = eqx.field(static=True)

    def __init__(
        self,
        factory: Factory[FeedForward],
        spec: Spec,
        sharing: Sharing,
        agent_id: bool,
        critic_input: JointCriticInput,
        *,
        key: PRNGKeyArray,
    ):
        world = spec.world if critic_input == "state" else (spec.agents + spec.others) * spec.features
        width = world + spec.agents * spec.actions + agent_id * spec.agents
        interface = NetworkInterface(plain_parts(width), others=1)
        self.networks = AgentNetworks(factory, spec, interface, sharing, key=key)
        self.agent_id = agent_id
        self.critic_input = critic_input
        _require_agent_id(self.networks, agent_id)

    def evaluate(self, obs: Observation, joint: Float[Array, "T #agents joint"]) -> Float[Array, "T agents"]:
        """Return each agent's value of its own row of joint actions, or of the only row."""
        n = len(self.networks.groups)
        t, rows = joint.shape[:2]
        world = obs.world if self.critic_input == "state" else obs.joint
        x = jnp.concatenate([jnp.broadcast_to(world[:, None], (t, rows, world.shape[-1])), joint], axis=-1)
        x = jnp.broadcast_to(x, (t, n, x.shape[-1]))
        if self.agent_id:
            x = jnp.concatenate([x, jnp.broadcast_to(jnp.eye(n), (t, n, n))], axis=-1)
        return self.networks.unroll(self.networks.init_carry(), x, obs.first)[1][..., 0]

    def __call__(self, obs: Observation, actions: Vectors) -> Float[Array, "T agents"]:
        return self.evaluate(obs, actions.reshape(len(actions), 1, -1))

    def evaluate_own(self, obs: Observation, actions: Vectors, own: Vectors) -> Float[Array, "T agents"]:
        """Return Q_i where agent i alone takes its action from `own`, all others theirs from `actions`."""
        n = len(self.networks.groups)
        is_own = jnp.eye(n, dtype=bool)[:, :, None]
        joint = jnp.where(is_own, own[:, None], actions[:, None])
        return self.evaluate(obs, joint.reshape(len(own), n, -1))


class DeterministicNetworks(eqx.Module):
    """DeterministicActors, and the critics that they learn from."""

    actors: DeterministicActors
    critics: JointCritics

    def value(self, t: Trajectory, own: Vectors) -> Float[Array, "T agents"]:
        """Return each agent's value of its own new action, beside the actions that the others took."""
        taken = self.actors.vectors(t.action, t.current_obs)
        return self.critics.evaluate_own(t.current_obs, taken, own)


class LocalCritics(eqx.Module):
    """Q_i(o_i, a_i) of the agents of one team, `members`."""

    networks: AgentNetworks
    members: tuple[int, ...] = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)
    agent_id: bool = eqx.field(static=True)

    def __init__(
        self,
        factory: Factory[FeedForward],
        spec: Spec,
        team: str,
        sharing: Sharing,
        agent_id: bool,
        *,
        key: PRNGKeyArray,
    ):
        self.members = spec.members(team)
        self.agent_id = agent_id
        width = spec.features + spec.actions + agent_id * spec.agents
        self.names = spec.subset(self.members).names
        interface = NetworkInterface(plain_parts(width), others=1)
        self.networks = AgentNetworks(factory, spec.subset(self.members), interface, sharing, key=key)

    def __call__(self, obs: Observation, actions: Vectors) -> Float[Array, "T members"]:
        x = jnp.concatenate([observation_inputs(obs, self.agent_id), actions], axis=-1)
        x = x[:, np.array(self.members)]
        return self.networks.unroll(self.networks.init_carry(), x, obs.first)[1][..., 0]
