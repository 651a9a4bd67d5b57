"""COMA: counterfactual multi-agent policy gradients (Foerster et al., 2018).

    pi_i = (1 - eps) softmax(f(tau_i)) + eps / |U|, what is illegal set to 0, the rest brought to a sum of 1
    A_i = Q_i(s, u) - sum over v of pi_i(v | tau_i) Q_i(s, (u_-i, v))
    actor:   -mean over valid steps and agents of A_i log pi_i(u_i | tau_i)
    critic:  mean of (G_i - Q_i(s, u))^2,   G_t = r_t + gamma (1 - term_t) [(1 - lam) Q^-_{t+1} + lam G_{t+1}]

Q_i is one network's, for all of agent i's actions at once. It reads the state, the agent's observation, what
the others do, what everybody did last, who the agent is. Q^- is the target critic's, of what was done next.
What acts and learns has a floor under its probabilities; evaluation takes the likeliest action.

Departures: the critic is updated once on the whole batch, not once for each time step, latest first, and the
actor then learns from the updated critic; `target` counts such updates. A time limit bootstraps from the
action that was chosen there; a rollout cut elsewhere spares its last step, whose successor it does not hold.
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
    Metrics,
    Observation,
    OptState,
    Spec,
    Target,
    Traits,
    Trajectory,
)
from ..experience import OnPolicy
from ..networks.actors import action_critic_inputs
from ..networks.agents import (
    AbstractAgent,
    AgentCarry,
    AgentNetworks,
    FeedForward,
    Recurrent,
    Sharing,
    agent_inputs,
    init_agent_carry,
)
from ..networks.distributions import epsilon_floor
from ..parts import (
    AbstractOptimiser,
    AbstractSchedule,
    AbstractTarget,
    Factory,
    HardTarget,
    LinearSchedule,
    RMSProp,
)


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
    critic: Factory[FeedForward] = Factory(FeedForward, hidden=128, depth=2)
    sharing: Sharing = "team"
    last_action: bool = True  # among the actor's inputs, one-hot
    agent_id: bool = True  # likewise
    gamma: float = 0.99
    lam: float = 0.8
    epsilon: AbstractSchedule = LinearSchedule(0.5, 0.01, 100_000)
    target: AbstractTarget = HardTarget(200)
    actor_optimiser: AbstractOptimiser = RMSProp()
    critic_optimiser: AbstractOptimiser = RMSProp()

    def init(self, spec: Spec, key: PRNGKeyArray) -> Learner:
        n, a = spec.agents, spec.actions
        networks = lambda name, make, width: AgentNetworks(
            make, spec, width, a, self.sharing, key=ops.named(key, name)
        )
        actor = networks("actor", self.actor, spec.features + self.last_action * a + self.agent_id * n)
        critic = networks("critic", self.critic, spec.world + spec.features + 2 * n * a + n)
        opt_state = (
            ops.init_opt_state(self.actor_optimiser, actor),
            ops.init_opt_state(self.critic_optimiser, critic),
        )
        return Learner(actor, critic, ops.init_target(critic), *opt_state, jnp.zeros((), int))

    def init_carry(self, spec: Spec, learner: Learner) -> AgentCarry:
        return init_agent_carry(learner.actor)

    def act(self, learner: Learner, carry: AgentCarry, obs: Observation, key, step, explore: bool):
        x = agent_inputs(obs, carry.action, self.last_action, self.agent_id)
        hidden, logits = learner.actor.step(carry.hidden, x)
        likely = epsilon_floor(logits, obs.legal, self.epsilon(step))
        action = jnp.argmax(ops.masked(logits, obs.legal), axis=-1)
        action = jr.categorical(key, jnp.log(likely)) if explore else action
        return AgentCarry(hidden, action), action, carry

    def judged(
        self, critic: AgentNetworks, t: Trajectory, last: Int[Array, "T agents"]
    ) -> Float[Array, "T agents actions"]:
        """Every agent's every action, beside what the others did."""
        return critic.unroll(
            critic.init_carry(), action_critic_inputs(t.current_obs, t.action, last), t.current_obs.first
        )[1]

    def critic_loss(
        self, critic: AgentNetworks, target: AgentNetworks, batch: Trajectory
    ) -> tuple[Float[Array, ""], Metrics]:
        def one(t: Trajectory) -> tuple[Float[Array, "t agents"], Float[Array, "t agents"]]:
            taken = lambda critic: ops.take(self.judged(critic, t, t.extras.action), t.action)
            later, value = taken(target)[1:], taken(critic)[:-1]
            reward = jnp.broadcast_to(t.team_reward[:-1, :1], value.shape)
            y = ops.td_lambda(reward, later, t.terminated[:-1], t.valid[:-1], self.gamma, self.lam)
            return jax.lax.stop_gradient(y) - value, value

        error, value = jax.vmap(one)(batch)
        valid = batch.valid[:, :-1]
        loss = ops.mean(error**2, valid)
        return loss, {"critic_loss": loss, "q": ops.mean(value, valid, exact=False)}

    def actor_loss(
        self, actor: AgentNetworks, critic: AgentNetworks, batch: Trajectory, epsilon
    ) -> tuple[Float[Array, ""], Metrics]:
        def one(t: Trajectory) -> tuple[Float[Array, "T agents"], Float[Array, "T agents"]]:
            x = agent_inputs(t.current_obs, t.extras.action, self.last_action, self.agent_id)
            p = epsilon_floor(
                actor.unroll(t.extras.hidden[0], x, t.current_obs.first)[1], t.current_obs.legal, epsilon
            )
            q = self.judged(critic, t, t.extras.action)
            advantage = jax.lax.stop_gradient(ops.take(q, t.action) - jnp.sum(p * q, axis=-1))
            likely = jnp.maximum(ops.take(p, t.action), 1e-10)
            return -advantage * jnp.log(likely), -jnp.sum(p * jnp.log(jnp.maximum(p, 1e-10)), axis=-1)

        loss, entropy = jax.vmap(one)(batch)
        valid = batch.valid.at[:, -1].set(False)
        loss = ops.mean(loss, valid)
        return loss, {"policy_loss": loss, "entropy": ops.mean(entropy, valid, exact=False)}

    def insight(self, learner: Learner, episode: Trajectory) -> dict[str, Float[Array, "T k"]]:
        last = ops.previous(episode.action, episode.obs.first)[:-1]
        return {"Q": ops.take(self.judged(learner.critic, episode, last), episode.action)}

    def update(self, learner: Learner, batch: Trajectory, key: PRNGKeyArray, step) -> tuple[Learner, Metrics]:
        batch, epsilon = ops.shard(batch), self.epsilon(step)
        critic, critic_opt_state, judged = ops.descend(
            self.critic_optimiser,
            self.critic_loss,
            learner.critic,
            learner.critic_opt_state,
            learner.target.network,
            batch,
        )
        actor, actor_opt_state, told = ops.descend(
            self.actor_optimiser,
            self.actor_loss,
            learner.actor,
            learner.actor_opt_state,
            critic,
            batch,
            epsilon,
        )
        updates = learner.updates + 1
        target = self.target(critic, learner.target, updates)
        learner = Learner(actor, critic, target, actor_opt_state, critic_opt_state, updates)
        return learner, judged | told | {"epsilon": epsilon}
