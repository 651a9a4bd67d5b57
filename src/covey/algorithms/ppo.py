"""IPPO (de Witt et al., 2020), MAPPO (Yu et al., 2022): PPO (Schulman et al., 2017) for teams.

    A_t = delta_t + gamma lam A_{t+1},   delta_t = r_t + gamma (1 - term_t) V_{t+1} - V_t,   G_t = A_t + V_t
    actor:   -min(rho A, clip(rho, 1 - eps, 1 + eps) A) - c H(pi),   rho = pi(u_t | tau_t) / pi_old(...)
    critic:  max(h(G - V), h(G - V_clipped)),   h: Huber's loss, on the scale of the returns so far

averaged over living agents (actor) and valid steps (critic); A is standardised once an iteration. MAPPO's
critic reads the state: one value for the team or, with `critic_input=agent`, one for each agent from the
state beside its own observation; with `agent_state`, from a state of its own, where the world has one.
IPPO's reads the agent's observation. With `trunk=shared` one network gives policy and value, and learns from
the sum of both losses, the critic's times `trunk.value_coefficient`. Recurrent networks learn from chunks,
which start from the carry of the rollout; others from single steps.

Departures: a time limit bootstraps; a minibatch holds all agents of a moment; two networks have no common
loss, so no value coefficient; each matrix of a GRU starts orthogonal by itself.
"""

from dataclasses import replace
from typing import ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from .. import ops
from ..core import (
    AbstractAlgorithm,
    AbstractExperience,
    AgentGradients,
    Metrics,
    Observation,
    OptState,
    Spec,
    Traits,
    Trajectory,
)
from ..errors import SettingError
from ..experience import OnPolicy
from ..networks.actors import Actor, Critic, CriticInput
from ..networks.agents import AbstractAgent, Recurrent, Sharing, agent_gradients
from ..networks.distributions import AbstractDistribution, Categorical
from ..networks.identity import HyperSettings
from ..parts import AbstractOptimiser, Adam, ConstantSchedule, Factory, NonNegativeSchedule
from ..ranges import Count, Epochs, NonNegative, Positive, Unit
from .on_policy.agent_metrics import agent_losses, agent_metrics
from .on_policy.networks import AbstractTrunk, ActorCritic, SeparateTrunk, SharedTrunk
from .on_policy.passes import Chunk, PolicyCarry, chunk_length, over_blocks, policy_terms, run_epochs
from .on_policy.value_scale import ValueNorm


class Learner(eqx.Module):
    actor: Actor
    critic: Critic | None  # None, and its optimiser's state: trunk=shared
    actor_opt_state: OptState
    critic_opt_state: OptState | None
    scale: ValueNorm

    @property
    def networks(self) -> ActorCritic:
        return ActorCritic(self.actor, self.critic)


class PPO(AbstractAlgorithm[Learner]):
    """Policy gradients, each step a small one; `covey describe mappo` lists every field."""

    traits: ClassVar[Traits] = Traits(
        centralised=True, on_policy=True, discrete=True, continuous=True, recurrent=True, cooperative=True
    )
    experience: AbstractExperience = OnPolicy()
    actor: Factory[AbstractAgent] = Factory(Recurrent, depth=2, norm=True, gain=0.01)
    critic: Factory[AbstractAgent] = Factory(Recurrent, depth=2, norm=True, gain=1.0)
    critic_input: CriticInput = "state"
    trunk: AbstractTrunk = SeparateTrunk()
    sharing: Sharing = "team"
    agent_id: bool = True  # among the inputs, one-hot
    hyper: HyperSettings = HyperSettings()  # weights that a hypernetwork makes from who an agent is
    reward: Literal["team", "own"] = "team"
    gamma: Unit = 0.99
    lam: Unit = 0.95
    clip: Positive = 0.2
    value_clip: NonNegative = 0.2  # 0: none
    huber: Positive = 10.0
    entropy: NonNegativeSchedule = ConstantSchedule(0.01)
    epochs: Epochs = 10
    minibatches: Count = 1
    chunk: Count = 10  # steps, for recurrent networks
    normalise_values: bool = True
    squashed: bool = True  # continuous actions: by tanh, else clipped at the bounds
    deviation: Positive = 0.5  # of continuous actions at first, in halves of the range
    agent_metrics: bool = False  # also report `diversity` and `gradient_variance`
    actor_optimiser: AbstractOptimiser = Adam(ConstantSchedule(5e-4), eps=1e-5)
    critic_optimiser: AbstractOptimiser = Adam(ConstantSchedule(5e-4), eps=1e-5)

    def init(self, spec: Spec, key: PRNGKeyArray) -> Learner:
        self.check(spec)
        shared = isinstance(self.trunk, SharedTrunk)
        args = (spec, self.sharing, self.agent_id)
        of_policy = (self.squashed, self.deviation, shared)
        hyper = self.hyper if self.hyper.makes_actor else None
        actor = Actor(self.actor, *args, *of_policy, hyper=hyper, key=ops.named(key, "actor"))
        actor_opt_state = ops.init_opt_state(self.actor_optimiser, actor)
        scale = ValueNorm(self.normalise_values)
        if shared:
            return Learner(actor, None, actor_opt_state, None, scale)
        hyper = self.hyper if self.hyper.makes_critic else None
        critic = Critic(self.critic, *args, self.critic_input, hyper=hyper, key=ops.named(key, "critic"))
        return Learner(
            actor, critic, actor_opt_state, ops.init_opt_state(self.critic_optimiser, critic), scale
        )

    def check(self, spec: Spec) -> None:
        """Refuse a critic that cannot be, and settings that contradict each other."""
        if self.reward == "own" and self.critic_input == "state":
            remedy = "with `reward=own` set `critic_input=agent`"
            raise SettingError("critic_input", "values the team", remedy, value=self.critic_input)
        if self.critic_input == "agent_state" and not spec.state_by_agent:
            problem = "reads a state with a row for each agent, which this world does not have"
            raise SettingError("critic_input", problem, "set `critic_input=agent`", value="agent_state")
        if isinstance(self.trunk, SharedTrunk) and self.critic_input != "own":
            problem = "is not what the actor reads, and with `trunk=shared` both are one network"
            raise SettingError("critic_input", problem, "set `critic_input=own`", value=self.critic_input)
        if self.hyper.makes_actor and self.sharing == "none":
            problem = "gives agents weights of their own, but `hyper.context=identity` makes them"
            raise SettingError("sharing", problem, "set `sharing=all`", value="none")
        if self.hyper.makes_critic and self.critic_input == "state":
            problem = "makes a critic for each agent, but with `critic_input=state` the team has one"
            remedy = "set `hyper.generate=actor`, or `critic_input=agent`"
            raise SettingError("hyper.generate", problem, remedy, value="both")

    def prepare(self, learner: Learner) -> Learner:
        """Return the learner with its made weights computed, for a whole rollout."""
        made = learner.networks.made()
        return replace(learner, actor=made.actor, critic=made.critic)

    def init_carry(self, spec: Spec, learner: Learner) -> PolicyCarry:
        return learner.networks.init_carry()

    def act(self, learner: Learner, carry: PolicyCarry, obs: Observation, key, step, explore: bool):
        carry, action, extras, _ = learner.networks.act(carry, obs, key, explore)
        return carry, action, extras

    def advantages(self, learner: Learner, t: Trajectory) -> tuple[Float[Array, "T k"], Float[Array, "T k"]]:
        """Return A and G of a rollout; the last observation is valued here, for acting never did."""
        last = jax.tree.map(lambda x: x[-2:], t.obs)
        carry = jax.tree.map(lambda x: x[-1], t.extras.carry)
        last_value = learner.networks.values(carry, last)[1:]
        value = learner.scale.denormalise(jnp.append(t.extras.value, last_value, axis=0))
        reward = t.reward if self.reward == "own" else jnp.broadcast_to(t.team_reward[:, :1], value[1:].shape)
        advantage = ops.gae(reward, value, t.terminated, t.valid, self.gamma, self.lam)
        return advantage, advantage + value[:-1]

    def make_chunks(self, learner: Learner, batch: Trajectory, size: int | None = None) -> Chunk:
        """Return the rollouts' chunks, with standardised advantages."""
        learner = self.prepare(learner)
        advantage, goal = jax.vmap(self.advantages, (None, 0))(learner, batch)
        obs = jax.tree.map(lambda x: x[:, :-1], batch.obs)
        active = batch.valid[..., None] & obs.alive
        advantage = ops.standardised(jnp.broadcast_to(advantage, active.shape), active)
        whole = Chunk(batch.extras.carry, batch.extras, obs, advantage, goal, batch.valid)
        return whole.cut(size or chunk_length(learner, self.chunk))

    def policy_objective(self, terms: Metrics, batch: Chunk, entropy) -> tuple[Float[Array, ""], Metrics]:
        """Return the actor's loss of its terms, and their means."""
        loss = ops.mean(ops.total(terms, policy_loss=1.0, entropy=-entropy), batch.active)
        return loss, {name: ops.mean(x, batch.active, exact=False) for name, x in terms.items()}

    def value_objective(
        self, value: Float[Array, "c t k"], batch: Chunk, scale: ValueNorm
    ) -> Float[Array, ""]:
        """Return the critic's loss of its values."""
        goal = scale.normalise(batch.goal)
        loss = ops.clipped_value_loss(value, batch.extras.value, goal, self.value_clip, self.huber)
        return ops.term("value_loss")(ops.mean(loss, batch.valid))

    def loss(
        self, networks: ActorCritic, batch: Chunk, entropy, scale: ValueNorm
    ) -> tuple[Float[Array, ""], Metrics]:
        """Return the actor's loss plus the critic's. Of two networks, each has the gradient of its own."""

        def one(chunk: Chunk) -> tuple[Metrics, Float[Array, "t k"]]:
            policy, value = networks.unroll(chunk.carry, chunk.obs)
            return policy_terms(policy, chunk, self.clip), value

        networks = networks.made()
        batch = batch if networks.recurrent else batch.blocks()
        terms, value = (jax.vmap(one) if networks.recurrent else over_blocks(one))(batch)
        loss, metrics = self.policy_objective(terms, batch, entropy)
        value_loss = self.value_objective(value, batch, scale)
        weight = self.trunk.value_coefficient if isinstance(self.trunk, SharedTrunk) else 1.0
        return loss + weight * value_loss, metrics | {"value_loss": value_loss}

    def critic_loss(self, critic: Critic, batch: Chunk, scale: ValueNorm) -> tuple[Float[Array, ""], Metrics]:
        """Return the loss of a critic by itself."""
        value = jax.vmap(lambda chunk: critic.unroll(chunk.carry.critic, chunk.obs))(batch)
        loss = self.value_objective(value, batch, scale)
        return loss, {"value_loss": loss, "value_scale": scale.deviation}

    def next_scale(self, learner: Learner, batch: Chunk) -> ValueNorm:
        """Return the scale after it has read a minibatch's goals, which it then normalises."""
        return learner.scale.update(batch.goal, batch.valid) if self.normalise_values else learner.scale

    def improve(self, learner: Learner, batch: Chunk, entropy) -> tuple[Learner, Metrics]:
        """Take a gradient step of each network."""
        scale = self.next_scale(learner, batch)
        grads, metrics = ops.gradients(self.loss, learner.networks, batch, entropy, scale)
        learner = self.descend(learner, grads, scale)
        return learner, metrics | {"value_scale": scale.deviation}

    def descend(self, learner: Learner, grads: ActorCritic, scale: ValueNorm) -> Learner:
        """Return the learner after each optimiser's step."""
        actor, opt_state = ops.step(self.actor_optimiser, learner.actor, learner.actor_opt_state, grads.actor)
        learner = replace(learner, actor=actor, actor_opt_state=opt_state, scale=scale)
        if learner.critic is None or learner.critic_opt_state is None:
            return learner
        critic, opt_state = ops.step(
            self.critic_optimiser, learner.critic, learner.critic_opt_state, grads.critic
        )
        return replace(learner, critic=critic, critic_opt_state=opt_state)

    def update(self, learner: Learner, batch: Trajectory, key: PRNGKeyArray, step) -> tuple[Learner, Metrics]:
        improve = lambda learner, chunk: self.improve(learner, chunk, self.entropy(step))
        chunks = self.make_chunks(learner, batch)
        about_agents = self.metrics_of_agents(unroll_policy, learner.actor, chunks, step)
        learner, metrics = run_epochs(improve, learner, chunks, self.epochs, self.minibatches, key)
        return learner, metrics | about_agents

    def metrics_of_agents(self, unroll, params: PyTree[Array], chunks: Chunk, step) -> Metrics:
        """Return the metrics that compare agents, where they are asked for."""
        if not self.agent_metrics:
            return {}
        return agent_metrics(unroll, params, chunks, self.clip, self.entropy(step))

    def policy(self, learner: Learner, episode: Trajectory, step) -> AbstractDistribution:
        return learner.actor.unroll(learner.actor.init_carry(), episode.current_obs)

    def agent_gradients(self, learner: Learner, batch: Trajectory, step) -> AgentGradients:
        """Return the gradients of the agents' losses of the policy, before the first step of an update."""
        chunks = self.make_chunks(learner, batch)
        losses = lambda actor: agent_losses(unroll_policy, actor, chunks, self.clip, self.entropy(step))
        return agent_gradients(jax.jacrev(losses)(learner.actor), learner.actor.networks.weight_groups)

    def insight(self, learner: Learner, episode: Trajectory) -> dict[str, Float[Array, "T k"]]:
        networks = learner.networks
        value = networks.values(networks.init_carry(), episode.current_obs)
        return {"V": learner.scale.denormalise(value)}

    def decisions(self, learner: Learner, episode: Trajectory) -> dict[str, Float[Array, "T *k"]]:
        networks = learner.networks
        policy = networks.unroll(networks.init_carry(), episode.current_obs)[0]
        return self.reasons(learner, episode, policy)

    def reasons(
        self, learner: Learner, episode: Trajectory, policy: AbstractDistribution | None
    ) -> dict[str, Float[Array, "T *k"]]:
        """Return the policy where actions are discrete, and the advantage of each joint action."""
        networks = learner.networks
        value = learner.scale.denormalise(networks.values(networks.init_carry(), episode.obs))
        reward = episode.reward if self.reward == "own" else episode.team_reward[:, :1]
        reward = jnp.broadcast_to(reward, value[1:].shape)
        advantage = ops.gae(reward, value, episode.terminated, episode.valid, self.gamma, self.lam)
        p = {"action_probabilities": jnp.exp(policy.log_p)} if isinstance(policy, Categorical) else {}
        return p | {"advantage": advantage}


def unroll_policy(actor: Actor, chunk: Chunk) -> AbstractDistribution:
    """Return the policies of a chunk."""
    return actor.made().unroll(chunk.carry.actor, chunk.obs)
