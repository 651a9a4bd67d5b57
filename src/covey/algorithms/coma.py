"""COMA: counterfactual multi-agent policy gradients (Foerster et al., 2018).

    pi_i = (1 - eps) softmax(f(tau_i)) + eps / |U|, set to 0 where illegal, then normalised to a sum of 1
    A_i = Q_i(s, u) - sum over v of pi_i(v | tau_i) Q_i(s, (u_-i, v))
    actor:   -mean over valid steps and agents of A_i log pi_i(u_i | tau_i)
    critic:  mean of (G_i - Q_i(s, u))^2,   G_t = r_t + gamma (1 - term_t) [(1 - lam) Q^-_{t+1} + lam G_{t+1}]

One network gives Q_i of all of agent i's actions at once. It reads the state, the agent's observation, the
others' actions, everybody's last actions, and the agent's identity. Q^- is the target critic's, of the next
actions taken. The policy that acts and learns has a floor under its probabilities; evaluation takes the
likeliest action.

Departures: the critic is updated once on the whole batch, not once for each time step, latest first, and the
actor then learns from the updated critic; `target` counts such updates. A time limit bootstraps from the
action that was chosen there; a rollout cut elsewhere leaves out its last step, whose successor it lacks.
"""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
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
from ..errors import SettingError
from ..experience import OnPolicy
from ..networks.actors import action_critic_inputs, action_critic_parts
from ..networks.agents import (
    AbstractAgent,
    AgentCarry,
    AgentNetworks,
    FeedForward,
    Recurrent,
    Sharing,
    agent_inputs,
    gradients_by_agent,
    init_agent_carry,
)
from ..networks.distributions import AbstractDistribution, Categorical, epsilon_floor
from ..networks.interface import NetworkInterface, observation_parts
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


class Learner(eqx.Module):
    actor: AgentNetworks
    critic: AgentNetworks
    target: Target[AgentNetworks]  # of the critic
    actor_opt_state: OptState
    critic_opt_state: OptState
    updates: Int[Array, ""]


class COMA(AbstractAlgorithm[Learner]):
    """A policy gradient with a baseline for each agent; `covey describe coma` lists every field."""

    traits: ClassVar[Traits] = Traits(
        centralised=True, on_policy=True, discrete=True, continuous=False, recurrent=True, cooperative=True
    )
    experience: AbstractExperience = OnPolicy()
    actor: Factory[AbstractAgent] = Factory(Recurrent, hidden=64)
    critic: Factory[AbstractAgent] = Factory(FeedForward, hidden=128, depth=2)
    sharing: Sharing = "team"
    last_action: bool = True  # among the actor's inputs, one-hot
    agent_id: bool = True  # likewise
    gamma: Unit = 0.99
    lam: Unit = 0.8
    epsilon: UnitSchedule = LinearSchedule(0.5, 0.01, 100_000)
    target: AbstractTarget = HardTarget(200)
    actor_optimiser: AbstractOptimiser = RMSProp()
    critic_optimiser: AbstractOptimiser = RMSProp()

    def init(self, spec: Spec, key: PRNGKeyArray) -> Learner:
        interface = lambda parts: NetworkInterface(parts, actions=spec.actions)
        own = interface(observation_parts(spec, self.last_action, self.agent_id))
        every = interface(action_critic_parts(spec))
        actor = AgentNetworks(self.actor, spec, own, self.sharing, key=ops.named(key, "actor"))
        critic = AgentNetworks(self.critic, spec, every, self.sharing, key=ops.named(key, "critic"))
        if critic.nets.carry_size:
            problem = "has a carry, and a rollout may begin within an episode"
            raise SettingError("critic", problem, "set `critic=feed_forward`, or `critic.recurrent=False`")
        actor_opt_state = ops.init_opt_state(self.actor_optimiser, actor)
        critic_opt_state = ops.init_opt_state(self.critic_optimiser, critic)
        target = ops.init_target(critic)
        return Learner(actor, critic, target, actor_opt_state, critic_opt_state, jnp.zeros((), int))

    def init_carry(self, spec: Spec, learner: Learner) -> AgentCarry:
        return init_agent_carry(learner.actor)

    def act(self, learner: Learner, carry: AgentCarry, obs: Observation, key, step, explore: bool):
        x = agent_inputs(obs, carry.action, self.last_action, self.agent_id)
        hidden, logits = learner.actor.step(carry.hidden, x)
        p = epsilon_floor(logits, obs.legal, self.epsilon(step))
        action = jnp.argmax(ops.masked(logits, obs.legal), axis=-1)
        action = jr.categorical(key, jnp.log(p)) if explore else action
        return AgentCarry(hidden, action), action, carry

    def action_values(
        self, critic: AgentNetworks, t: Trajectory, last: Int[Array, "T agents"]
    ) -> Float[Array, "T agents actions"]:
        """Return the value of each of an agent's actions, beside the actions that the others took."""
        x = action_critic_inputs(t.current_obs, t.action, last)
        return critic.unroll(critic.init_carry(), x, t.current_obs.first)[1]

    def critic_loss(
        self, critic: AgentNetworks, target: AgentNetworks, batch: Trajectory
    ) -> tuple[Float[Array, ""], Metrics]:
        def td_error(t: Trajectory) -> tuple[Float[Array, "t agents"], Float[Array, "t agents"]]:
            taken = lambda critic: ops.take(self.action_values(critic, t, t.extras.action), t.action)
            next_value = taken(target)[1:]
            value = taken(critic)[:-1]
            reward = jnp.broadcast_to(t.team_reward[:-1, :1], value.shape)
            y = ops.td_lambda(reward, next_value, t.terminated[:-1], t.valid[:-1], self.gamma, self.lam)
            return jax.lax.stop_gradient(y) - value, value

        error, value = jax.vmap(td_error)(batch)
        valid = batch.valid[:, :-1]
        loss = ops.term("critic_loss")(ops.mean(error**2, valid))
        return loss, {"critic_loss": loss, "q": ops.mean(value, valid, exact=False)}

    def actor_loss(
        self, actor: AgentNetworks, critic: AgentNetworks, batch: Trajectory, epsilon
    ) -> tuple[Float[Array, ""], Metrics]:
        def terms(t: Trajectory) -> tuple[Float[Array, "T agents"], Float[Array, "T agents"]]:
            x = agent_inputs(t.current_obs, t.extras.action, self.last_action, self.agent_id)
            logits = actor.unroll(t.extras.hidden[0], x, t.current_obs.first)[1]
            p = epsilon_floor(logits, t.current_obs.legal, epsilon)
            q = self.action_values(critic, t, t.extras.action)
            advantage = jax.lax.stop_gradient(ops.take(q, t.action) - jnp.sum(p * q, axis=-1))
            p_taken = jnp.maximum(ops.take(p, t.action), 1e-10)
            return -advantage * jnp.log(p_taken), -jnp.sum(p * jnp.log(jnp.maximum(p, 1e-10)), axis=-1)

        loss, entropy = jax.vmap(terms)(batch)
        valid = batch.valid.at[:, -1].set(False)
        loss = ops.term("policy_loss")(ops.mean(loss, valid))
        return loss, {"policy_loss": loss, "entropy": ops.mean(entropy, valid, exact=False)}

    def update(self, learner: Learner, batch: Trajectory, key: PRNGKeyArray, step) -> tuple[Learner, Metrics]:
        batch = ops.shard(batch)
        epsilon = self.epsilon(step)
        args = (learner.critic, learner.critic_opt_state, learner.target.network, batch)
        critic, critic_opt_state, metrics = ops.descend(self.critic_optimiser, self.critic_loss, *args)
        args = (learner.actor, learner.actor_opt_state, critic, batch, epsilon)
        actor, actor_opt_state, actor_metrics = ops.descend(self.actor_optimiser, self.actor_loss, *args)
        updates = learner.updates + 1
        target = self.target(critic, learner.target, updates)
        learner = Learner(actor, critic, target, actor_opt_state, critic_opt_state, updates)
        return learner, metrics | actor_metrics | {"epsilon": epsilon}

    def policy(self, learner: Learner, episode: Trajectory, step) -> AbstractDistribution:
        x = agent_inputs(episode.current_obs, episode.extras.action, self.last_action, self.agent_id)
        logits = learner.actor.unroll(learner.actor.init_carry(), x, episode.current_obs.first)[1]
        legal = episode.current_obs.legal
        p = epsilon_floor(logits, legal, self.epsilon(step))
        return Categorical(jnp.log(jnp.maximum(p, 1e-10)), legal)

    def agent_gradients(self, learner: Learner, batch: Trajectory, step) -> AgentGradients:
        """Return each agent's part of the gradient of the actor's loss."""
        loss = lambda actor: self.actor_loss(actor, learner.critic, batch, self.epsilon(step))[0]
        return gradients_by_agent(loss, learner.actor)

    def insight(self, learner: Learner, episode: Trajectory) -> dict[str, Float[Array, "T k"]]:
        last = ops.previous(episode.action, episode.obs.first)[:-1]
        return {"Q": ops.take(self.action_values(learner.critic, episode, last), episode.action)}

    def decisions(self, learner: Learner, episode: Trajectory) -> dict[str, Float[Array, "T *k"]]:
        """Return the policy, and the counterfactual advantage of each action taken."""
        last = ops.previous(episode.action, episode.obs.first)[:-1]
        obs = episode.current_obs
        x = agent_inputs(obs, last, self.last_action, self.agent_id)
        p = epsilon_floor(
            learner.actor.unroll(learner.actor.init_carry(), x, obs.first)[1], obs.legal, jnp.zeros(())
        )
        q = self.action_values(learner.critic, episode, last)
        return {"action_probabilities": p, "advantage": ops.take(q, episode.action) - jnp.sum(p * q, axis=-1)}
