"""Actors and critics: agent networks from observations to distributions, and to values."""

from typing import Literal, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ..core import Observation, Spec
from ..ops import named
from ..parts import Factory, Number
from .agents import AbstractAgent, AgentNetworks, Sharing
from .distributions import AbstractDistribution, Categorical, Gaussian
from .identity import HyperSettings, IdentityNetworks
from .interface import InputPart, NetworkInterface, agent_state_part, observation_parts, state_part

CriticInput = Literal["state", "agent", "agent_state", "own"]
_X = TypeVar("_X", "Actor", "Critic")


def observation_inputs(obs: Observation, agent_id: bool) -> Float[Array, "*t agents i"]:
    """Return each agent's observation with, if asked for, its id, one-hot."""
    if not agent_id:
        return obs.agents
    n = obs.agents.shape[-2]
    ids = jnp.broadcast_to(jnp.eye(n), (*obs.agents.shape[:-1], n))
    return jnp.concatenate([obs.agents, ids], -1)


def _made(x: _X) -> _X:
    """Return an actor or a critic with weights for networks that are made."""
    networks = x.networks
    return (
        eqx.tree_at(lambda x: x.networks, x, networks.make()) if isinstance(networks, IdentityNetworks) else x
    )


class Actor(eqx.Module):
    """Agent networks whose outputs are logits or, where actions are continuous, means.

    The deviations of continuous actions are parameters, one per group and dimension. If `valued`, the
    networks have one more output, which is the value of the agent's observation.
    """

    networks: AgentNetworks | IdentityNetworks
    log_deviation: Float[Array, "groups dims"] | None  # None: actions are discrete
    bounds: tuple[float, float] | None = eqx.field(static=True)
    squashed: bool = eqx.field(static=True)
    agent_id: bool = eqx.field(static=True)
    valued: bool = eqx.field(static=True)

    def __init__(
        self,
        factory: Factory[AbstractAgent],
        spec: Spec,
        sharing: Sharing,
        agent_id: bool,
        squashed: bool,
        deviation: Number,
        valued: bool = False,
        *,
        hyper: HyperSettings | None = None,
        key: PRNGKeyArray,
    ):
        logits = 0 if spec.bounds else spec.actions
        parts = observation_parts(spec, agent_id=agent_id)
        interface = NetworkInterface(parts, logits, spec.actions - logits + valued)
        sharing = sharing if hyper is None else "none"
        networks = AgentNetworks(factory, spec, interface, sharing, key=key)
        self.networks = networks if hyper is None else hyper(networks, named(key, "hyper"))
        groups = len(set(self.networks.groups))
        start = jnp.full((groups, spec.actions), jnp.log(deviation), float)
        self.log_deviation = start if spec.bounds else None
        self.bounds = spec.bounds
        self.squashed = squashed
        self.agent_id = agent_id
        self.valued = valued

    def made(self) -> "Actor":
        """Return the actor whose weights, if a hypernetwork makes them, are made once and for all."""
        return _made(self)

    def policy(self, x: Float[Array, "*t agents o"], obs: Observation) -> AbstractDistribution:
        """Return the distribution that the networks' outputs describe."""
        x = x[..., :-1] if self.valued else x
        if self.bounds is None or self.log_deviation is None:
            return Categorical(x, obs.legal)
        log_deviation = self.log_deviation[np.array(self.networks.groups)]
        return Gaussian(x, log_deviation, obs.legal, self.bounds, self.squashed)

    def init_carry(self) -> Float[Array, "agents h"]:
        return self.networks.init_carry()

    def step(
        self, h: Float[Array, "agents h"], obs: Observation
    ) -> tuple[Float[Array, "agents h"], AbstractDistribution]:
        h, x = self.networks.step(h, observation_inputs(obs, self.agent_id))
        return h, self.policy(x, obs)

    def unroll_with_carry(
        self, h: Float[Array, "agents h"], obs: Observation
    ) -> tuple[Float[Array, "agents h"], AbstractDistribution]:
        """Return the last carry and the policies of a trajectory."""
        h, x = self.networks.unroll(h, observation_inputs(obs, self.agent_id), obs.first)
        return h, self.policy(x, obs)

    def unroll(self, h: Float[Array, "agents h"], obs: Observation) -> AbstractDistribution:
        """Return the policies of a trajectory."""
        return self.unroll_with_carry(h, obs)[1]

    def step_with_value(
        self, h: Float[Array, "agents h"], obs: Observation
    ) -> tuple[Float[Array, "agents h"], AbstractDistribution, Float[Array, " agents"]]:
        h, x = self.networks.step(h, observation_inputs(obs, self.agent_id))
        return h, self.policy(x, obs), x[..., -1]

    def unroll_with_value(
        self, h: Float[Array, "agents h"], obs: Observation
    ) -> tuple[AbstractDistribution, Float[Array, "T agents"]]:
        """Return the policies and the values of a trajectory."""
        _, x = self.networks.unroll(h, observation_inputs(obs, self.agent_id), obs.first)
        return self.policy(x, obs), x[..., -1]


class Critic(eqx.Module):
    """Values from one of four inputs.

    `state`: one value for the team, from the global state. `own`: one value per agent, from its observation.
    `agent`: one value per agent, from both. The dead receive zeros in place of the state. `agent_state`: one
    value per agent, from its row of a state that has one for each.
    """

    networks: AgentNetworks | IdentityNetworks
    critic_input: CriticInput = eqx.field(static=True)
    agent_id: bool = eqx.field(static=True)

    def __init__(
        self,
        factory: Factory[AbstractAgent],
        spec: Spec,
        sharing: Sharing,
        agent_id: bool,
        critic_input: CriticInput,
        *,
        hyper: HyperSettings | None = None,
        key: PRNGKeyArray,
    ):
        own = observation_parts(spec, agent_id=agent_id)
        state = state_part(spec)
        parts = {
            "state": (state,),
            "agent": (state, *own),
            "agent_state": (agent_state_part(spec),),
            "own": own,
        }
        interface = NetworkInterface(parts[critic_input], others=1)
        rows = spec.subset((0,)) if critic_input == "state" else spec
        sharing = sharing if hyper is None else "none"
        networks = AgentNetworks(factory, rows, interface, sharing, key=key)
        self.networks = networks if hyper is None else hyper(networks, named(key, "hyper"))
        self.critic_input = critic_input
        self.agent_id = agent_id

    def made(self) -> "Critic":
        """Return the critic whose weights, if a hypernetwork makes them, are made once and for all."""
        return _made(self)

    def inputs(self, obs: Observation) -> Float[Array, "*t k i"]:
        """Return the input of each of the k values."""
        world = obs.world[..., None, :]
        if self.critic_input == "state":
            return world
        if self.critic_input == "agent_state":
            return obs.state.reshape(*obs.alive.shape, -1)
        own = observation_inputs(obs, self.agent_id)
        if self.critic_input == "own":
            return own
        return jnp.concatenate([world * obs.alive[..., None], own], axis=-1)

    def init_carry(self) -> Float[Array, "k h"]:
        return self.networks.init_carry()

    def step(
        self, h: Float[Array, "k h"], obs: Observation
    ) -> tuple[Float[Array, "k h"], Float[Array, " k"]]:
        h, value = self.networks.step(h, self.inputs(obs))
        return h, value[..., 0]

    def unroll(self, h: Float[Array, "k h"], obs: Observation) -> Float[Array, "T k"]:
        """Return the values of a trajectory."""
        return self.networks.unroll(h, self.inputs(obs), obs.first)[1][..., 0]


def action_critic_parts(spec: Spec) -> tuple[InputPart, ...]:
    """Return the parts of `action_critic_inputs`."""
    actions = InputPart(spec.agents * spec.actions)
    (observation,) = observation_parts(spec)
    return (state_part(spec), actions, observation, actions, InputPart(spec.agents))


def action_critic_inputs(
    obs: Observation, action: Int[Array, "T agents"], last: Int[Array, "T agents"]
) -> Float[Array, "T agents i"]:
    """Return the input of a critic of each agent's actions.

    State, everybody's last actions, own observation, the other agents' actions, id.
    """
    t, n = action.shape
    count = obs.legal.shape[-1]
    one_hot = jax.nn.one_hot(action, count)
    last_one_hot = jax.nn.one_hot(last, count)
    others = jnp.where(jnp.eye(n, dtype=bool)[:, :, None], 0.0, one_hot[:, None])
    public = jnp.concatenate([obs.world, last_one_hot.reshape(t, -1)], axis=-1)
    public = jnp.broadcast_to(public[:, None], (t, n, public.shape[-1]))
    ids = jnp.broadcast_to(jnp.eye(n), (t, n, n))
    return jnp.concatenate([public, obs.agents, others.reshape(t, n, -1), ids], axis=-1)
