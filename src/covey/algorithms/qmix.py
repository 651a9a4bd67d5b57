"""QMIX (Rashid et al., 2018), VDN (Sunehag et al., 2018), IQL (Tan, 1993).

    Q_tot(tau, u, s) = f_s(Q_1(tau_1, u_1), ..., Q_n(tau_n, u_n)),      df_s / dQ_i >= 0
    y_t = r_t + gamma (1 - terminated_t) Q_tot^-(tau', u*, s'),   u*_i = argmax over legal u of Q_i(tau'_i, u)
    loss = mean over valid steps of (y - Q_tot)^2

f_s is a network with non-negative weights made from the state (QMIX), the sum (VDN: `mixer=sum`),
or absent (IQL: `mixer=independent`, the same loss for each agent on the team's reward).

Departures: a time limit bootstraps from the final observation; TD(lambda) stops at the end of an
episode, not of the padded window; targets are copied every so many updates, not episodes.
"""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from .. import ops
from ..core import (
    AbstractAlgorithm,
    AbstractExperience,
    Metrics,
    Observation,
    OptState,
    Spec,
    Target,
    Traits,
    Trajectory,
)
from ..experience import Replay, require_whole_episodes
from ..networks.agents import (
    AbstractAgent,
    AgentCarry,
    AgentNetworks,
    Recurrent,
    Sharing,
    agent_inputs,
    init_agent_carry,
)
from ..networks.mixers import AbstractMixer, MixerInput, MonotonicMixer, world_of, world_width
from ..parts import (
    AbstractOptimiser,
    AbstractSchedule,
    AbstractTarget,
    Factory,
    HardTarget,
    LinearSchedule,
    RMSProp,
)


class Networks(eqx.Module):
    agents: AgentNetworks
    mixer: AbstractMixer


class Learner(eqx.Module):
    online: Networks
    target: Target[Networks]
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
    gamma: float = 0.99
    lam: float = 0.0  # of TD(lambda); 0: one-step targets
    double: bool = True  # the online net chooses, the target net evaluates
    epsilon: AbstractSchedule = LinearSchedule(1.0, 0.05, 50_000)
    target: AbstractTarget = HardTarget(200)
    optimiser: AbstractOptimiser = RMSProp()
    standardise_rewards: bool = False

    def networks(self, spec: Spec, key: PRNGKeyArray) -> Networks:
        width = spec.features + self.last_action * spec.actions + self.agent_id * spec.agents
        world = world_width(self.mixer_input, spec)
        agents = AgentNetworks(
            self.agent, spec, width, spec.actions, self.sharing, key=ops.named(key, "agent")
        )
        if agents.nets.carry_size or self.last_action:
            require_whole_episodes(self.experience, "`agent=feed_forward` `last_action=False`")
        return Networks(agents, self.mixer(spec.agents, world, key=ops.named(key, "mixer")))

    def init(self, spec: Spec, key: PRNGKeyArray) -> Learner:
        online = self.networks(spec, key)
        updates, rewards = jnp.zeros((), int), jnp.array([0.0, 1.0])
        return Learner(
            online, ops.init_target(online), ops.init_opt_state(self.optimiser, online), updates, rewards
        )

    def init_carry(self, spec: Spec, learner: Learner) -> AgentCarry:
        return init_agent_carry(learner.online.agents)

    def inputs(self, obs: Observation, last: Int[Array, "*t agents"]) -> Float[Array, "*t agents i"]:
        return agent_inputs(obs, last, self.last_action, self.agent_id)

    def act(self, learner: Learner, carry: AgentCarry, obs: Observation, key, step, explore: bool):
        return self.play(learner.online, carry, obs, key, self.epsilon(step) if explore else 0.0)

    def play(self, networks: Networks, carry: AgentCarry, obs: Observation, key, epsilon):
        hidden, q = networks.agents.step(carry.hidden, self.inputs(obs, carry.action))
        action = ops.epsilon_greedy(q, obs.legal, epsilon, key)
        return AgentCarry(hidden, action), action, None

    def values(self, networks: Networks, episode: Trajectory) -> Float[Array, "moments agents actions"]:
        """Everybody's, of every action, at each moment of an episode."""
        x = self.inputs(episode.obs, ops.previous(episode.action, episode.obs.first))
        return networks.agents.unroll(networks.agents.init_carry(), x, episode.obs.first)[1]

    def mix(self, networks: Networks, q: Float[Array, "T agents"], obs: Observation) -> Float[Array, "T k"]:
        return networks.mixer(q, world_of(self.mixer_input, obs))

    def td_error(
        self, online: Networks, target: Networks, episode: Trajectory
    ) -> tuple[Float[Array, "T k"], Float[Array, "T k"]]:
        """One episode, as in the paper: the errors, and the joint values of what was done."""
        q, q_target = self.values(online, episode), self.values(target, episode)
        best = jnp.argmax(ops.masked(q if self.double else q_target, episode.obs.legal), axis=-1)
        joint = self.mix(online, ops.take(q[:-1], episode.action), episode.current_obs)
        later = self.mix(target, ops.take(q_target, best)[1:], episode.next_obs)
        reward = jnp.broadcast_to(episode.team_reward[:, :1], joint.shape)
        y = ops.td_lambda(reward, later, episode.terminated, episode.valid, self.gamma, self.lam)
        return jax.lax.stop_gradient(y) - joint, joint

    def insight(self, learner: Learner, episode: Trajectory) -> dict[str, Float[Array, "T k"]]:
        """The joint value of each step's actions; each agent's own where nothing is mixed."""
        q = self.values(learner.online, episode)[:-1]
        joint = self.mix(learner.online, ops.take(q, episode.action), episode.current_obs)
        return {"Q_tot" if joint.shape[-1] == 1 else "Q": joint}

    def loss(self, online: Networks, target: Networks, batch: Trajectory) -> tuple[Float[Array, ""], Metrics]:
        error, joint = jax.vmap(self.td_error, in_axes=(None, None, 0))(online, target, batch)
        loss = ops.mean(error**2, batch.valid)
        told = lambda x: ops.mean(x, batch.valid, exact=False)
        return loss, {"loss": loss, "q_tot": told(joint), "td_error": told(jnp.abs(error))}

    def update(self, learner: Learner, batch: Trajectory, key: PRNGKeyArray, step) -> tuple[Learner, Metrics]:
        rewards = learner.rewards
        if self.standardise_rewards:
            rewards, batch = self.standardised(learner, batch)
        online, optimiser, metrics = ops.descend(
            self.optimiser, self.loss, learner.online, learner.opt_state, learner.target.network, batch
        )
        updates = learner.updates + 1
        target = self.target(online, learner.target, updates)
        return Learner(online, target, optimiser, updates, rewards), metrics | {"epsilon": self.epsilon(step)}

    def standardised(self, learner: Learner, batch: Trajectory) -> tuple[Float[Array, "2"], Trajectory]:
        """Rewards less their running mean, over their running deviation: averages over all updates."""
        r = batch.team_reward
        new = ops.pooled(jnp.stack([ops.mean(r, batch.valid), ops.mean(r**2, batch.valid)]))
        rewards = learner.rewards + (new - learner.rewards) / (learner.updates + 1)
        deviation = jnp.sqrt(jnp.maximum(rewards[1] - rewards[0] ** 2, 1e-8))
        return rewards, eqx.tree_at(lambda t: t.team_reward, batch, (r - rewards[0]) / deviation)
