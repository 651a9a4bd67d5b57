"""QMIX (Rashid et al., 2018), VDN (Sunehag et al., 2018), IQL (Tan, 1993).

    Q_tot(tau, u, s) = f_s(Q_1(tau_1, u_1), ..., Q_n(tau_n, u_n)),      df_s / dQ_i >= 0
    y_t = r_t + gamma (1 - terminated_t) Q_tot^-(tau', u*, s'),   u*_i = argmax over legal u of Q_i(tau'_i, u)
    loss = mean over valid steps of (y - Q_tot)^2

f_s is a network with non-negative weights made from the state (QMIX), the sum (VDN: `mixer=sum`),
or absent (IQL: `mixer=independent`, the same loss for each agent on the team's reward).

Departures: a time limit bootstraps from the final observation; TD(lambda) stops at the end of an
episode, not of the padded window; targets are copied every so many updates, not episodes.
"""

from dataclasses import replace
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from .. import ops
from ..core import (
    AbstractAlgorithm,
    AbstractExperience,
    AgentGradients,
    Metrics,
    Observation,
    OptState,
    Spec,
    Target,
    Traits,
    Trajectory,
)
from ..experience import Replay, require_whole_episodes, without_memory
from ..networks.agents import (
    AbstractAgent,
    AgentCarry,
    AgentNetworks,
    Recurrent,
    Sharing,
    agent_inputs,
    gradients_by_agent,
    init_agent_carry,
)
from ..networks.interface import NetworkInterface, observation_parts
from ..networks.mixers import AbstractMixer, Choices, MixerInput, MonotonicMixer, mixer_part, mixer_world
from ..parts import (
    AbstractOptimiser,
    AbstractTarget,
    Factory,
    HardTarget,
    LinearSchedule,
    RMSProp,
    UnitSchedule,
)
from ..ranges import Unit
from .off_policy.reward_scale import standardise_rewards


class ValueNetworks(eqx.Module):
    """The agents' networks, and the mixer of their values."""

    agents: AgentNetworks
    mixer: AbstractMixer


class Learner(eqx.Module):
    online: ValueNetworks
    target: Target[ValueNetworks]
    opt_state: OptState
    updates: Int[Array, ""]
    rewards: Float[Array, "2"]  # running mean and mean square of the reward


class QMIX(AbstractAlgorithm[Learner]):
    """Value factorisation with a monotonic mixer; `covey describe qmix` lists every field."""

    traits: ClassVar[Traits] = Traits(
        centralised=True, on_policy=False, discrete=True, continuous=False, recurrent=True, cooperative=True
    )
    experience: AbstractExperience = Replay(capacity=5000, batch_size=32)
    agent: Factory[AbstractAgent] = Factory(Recurrent, hidden=64)
    mixer: Factory[AbstractMixer] = Factory(MonotonicMixer, embed=32, hyper=64)
    sharing: Sharing = "team"
    last_action: bool = True  # among an agent's inputs, one-hot
    agent_id: bool = True  # likewise
    mixer_input: MixerInput = "state"  # the world's, or the team's observations
    gamma: Unit = 0.99
    lam: Unit = 0.0  # of TD(lambda); 0: one-step targets
    double: bool = True  # the online net chooses, the target net evaluates
    epsilon: UnitSchedule = LinearSchedule(1.0, 0.05, 50_000)
    target: AbstractTarget = HardTarget(200)
    optimiser: AbstractOptimiser = RMSProp()
    standardise_rewards: bool = False

    def init_networks(self, spec: Spec, key: PRNGKeyArray, agent: str = "agent") -> ValueNetworks:
        """Return new networks; `agent` is what their setting is called."""
        parts = observation_parts(spec, self.last_action, self.agent_id)
        interface = NetworkInterface(parts, actions=spec.actions)
        agents = AgentNetworks(self.agent, spec, interface, self.sharing, key=ops.named(key, "agent"))
        if agents.nets.carry_size:
            require_whole_episodes(self.experience, without_memory(agent, self.agent))
        if self.last_action:
            require_whole_episodes(self.experience, "`last_action=False`")
        world = mixer_part(self.mixer_input, spec)
        make = self.mixer.offer(layout=world.layout)
        mixer = make(spec.agents, world.width, spec.actions, key=ops.named(key, "mixer"))
        return ValueNetworks(agents, mixer)

    def init(self, spec: Spec, key: PRNGKeyArray) -> Learner:
        online = self.init_networks(spec, key)
        opt_state = ops.init_opt_state(self.optimiser, online)
        rewards = jnp.array([0.0, 1.0])
        return Learner(online, ops.init_target(online), opt_state, jnp.zeros((), int), rewards)

    def init_carry(self, spec: Spec, learner: Learner) -> AgentCarry:
        return init_agent_carry(learner.online.agents)

    def inputs(self, obs: Observation, last: Int[Array, "*t agents"]) -> Float[Array, "*t agents i"]:
        return agent_inputs(obs, last, self.last_action, self.agent_id)

    def act(self, learner: Learner, carry: AgentCarry, obs: Observation, key, step, explore: bool):
        return self.choose(learner.online.agents, carry, obs, key, step, explore)

    def choose(self, agents: AgentNetworks, carry: AgentCarry, obs: Observation, key, step, explore: bool):
        """Choose epsilon-greedy actions; greedy ones where `explore` is false."""
        hidden, q = agents.step(carry.hidden, self.inputs(obs, carry.action))
        action = ops.epsilon_greedy(q, obs.legal, self.epsilon(step) if explore else 0.0, key)
        return AgentCarry(hidden, action), action, None

    def agent_values(
        self, networks: ValueNetworks, episode: Trajectory, start: AgentCarry | None = None
    ) -> Float[Array, "moments agents actions"]:
        """Return each agent's values of all its actions, at each moment; `start` is the first one's carry."""
        last = ops.previous(episode.action, episode.obs.first)
        hidden = networks.agents.init_carry()
        if start is not None:
            last = last.at[0].set(start.action.astype(last.dtype))
            hidden = start.hidden
        return networks.agents.unroll(hidden, self.inputs(episode.obs, last), episode.obs.first)[1]

    def joint_value(
        self,
        networks: ValueNetworks,
        values: Float[Array, "t agents actions"],
        action: Int[Array, "t agents"],
        obs: Observation,
    ) -> Float[Array, "t k"]:
        """Return the mixer's value of the agents' actions."""
        choices = Choices(values, action, obs.legal)
        return networks.mixer(choices, mixer_world(self.mixer_input, obs))

    def td_target(self, episode: Trajectory, next_value: Float[Array, "T k"]) -> Float[Array, "T k"]:
        """Return y of an episode, which takes no gradient."""
        reward = jnp.broadcast_to(episode.team_reward[:, :1], next_value.shape)
        y = ops.td_lambda(reward, next_value, episode.terminated, episode.valid, self.gamma, self.lam)
        return jax.lax.stop_gradient(y)

    def td_error(
        self, online: ValueNetworks, target: ValueNetworks, episode: Trajectory
    ) -> tuple[Float[Array, "T k"], Float[Array, "T k"]]:
        """Return one episode's errors, as in the paper, and its joint values of the actions taken."""
        q = self.agent_values(online, episode)
        q_target = self.agent_values(target, episode)
        best = jnp.argmax(ops.masked(q if self.double else q_target, episode.obs.legal), axis=-1)
        joint = self.joint_value(online, q[:-1], episode.action, episode.current_obs)
        next_joint = self.joint_value(target, q_target[1:], best[1:], episode.next_obs)
        return self.td_target(episode, next_joint) - joint, joint

    def loss(
        self, online: ValueNetworks, target: ValueNetworks, batch: Trajectory
    ) -> tuple[Float[Array, ""], Metrics]:
        error, joint = jax.vmap(self.td_error, in_axes=(None, None, 0))(online, target, batch)
        loss = ops.term("loss")(ops.mean(error**2, batch.valid))
        average = lambda x: ops.mean(x, batch.valid, exact=False)
        return loss, {"loss": loss, "q_tot": average(joint), "td_error": average(jnp.abs(error))}

    def update(self, learner: Learner, batch: Trajectory, key: PRNGKeyArray, step) -> tuple[Learner, Metrics]:
        rewards = learner.rewards
        if self.standardise_rewards:
            rewards, batch = standardise_rewards(rewards, learner.updates, batch)
        online, opt_state, metrics = ops.descend_by_rows(
            self.optimiser, self.loss, learner.online, learner.opt_state, learner.target.network, batch
        )
        updates = learner.updates + 1
        target = self.target(online, learner.target, updates)
        learner = Learner(online, target, opt_state, updates, rewards)
        return learner, metrics | {"epsilon": self.epsilon(step)}

    def agent_gradients(self, learner: Learner, batch: Trajectory, step) -> AgentGradients:
        """Return each agent's part of the loss's gradient on the agents' networks, through the mixer."""
        online = learner.online
        loss = lambda agents: self.loss(replace(online, agents=agents), learner.target.network, batch)[0]
        return gradients_by_agent(loss, online.agents)

    def insight(self, learner: Learner, episode: Trajectory) -> dict[str, Float[Array, "T k"]]:
        return self.explain(learner.online, episode)

    def explain(self, networks: ValueNetworks, episode: Trajectory) -> dict[str, Float[Array, "T k"]]:
        """Return the joint value of each step's actions, or each agent's own where nothing is mixed."""
        q = self.agent_values(networks, episode)[:-1]
        joint = self.joint_value(networks, q, episode.action, episode.current_obs)
        return {"Q_tot" if joint.shape[-1] == 1 else "Q": joint}

    def decisions(self, learner: Learner, episode: Trajectory) -> dict[str, Float[Array, "T *k"]]:
        return self.explain_choices(learner.online, episode)

    def explain_choices(
        self, networks: ValueNetworks, episode: Trajectory
    ) -> dict[str, Float[Array, "T *k"]]:
        """Return every action's value, and the derivative of the joint value by each agent's."""
        q = self.agent_values(networks, episode)[:-1]
        mixed = lambda q: self.joint_value(networks, q, episode.action, episode.current_obs)
        credit = jax.grad(lambda more: jnp.sum(mixed(q + more[..., None])))(jnp.zeros(q.shape[:-1]))
        return {"action_values": q} | ({"credit": credit} if mixed(q).shape[-1] == 1 else {})
