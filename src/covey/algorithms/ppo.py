"""IPPO (de Witt et al., 2020), MAPPO (Yu et al., 2022): PPO (Schulman et al., 2017) for teams.

    A_t = delta_t + gamma lam A_{t+1},   delta_t = r_t + gamma (1 - term_t) V_{t+1} - V_t,   G_t = A_t + V_t
    actor:   -min(rho A, clip(rho, 1 - eps, 1 + eps) A) - c H(pi),   rho = pi(u_t | tau_t) / pi_old(...)
    critic:  max(h(G - V), h(G - V_clipped)),   h: Huber's loss, on the scale of the returns so far

averaged over living agents (actor) and valid steps (critic); A is standardised once an iteration. MAPPO's
critic reads the state: one value for the team or, with `critic_input=agent`, one for each agent from the
state beside its own observation. IPPO's reads what the agent sees. Networks that remember learn from
chunks, which begin with the memory they had in the rollout; others from single steps.

Departures: a time limit bootstraps; a minibatch holds all agents of a moment; actor and critic have no
common loss, so no value coefficient; each matrix of a GRU begins orthogonal by itself.
"""

from dataclasses import replace
from typing import ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from .. import ops
from ..core import (
    AbstractAlgorithm,
    AbstractExperience,
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
from ..networks.agents import AbstractAgent, Recurrent, Sharing
from ..parts import AbstractOptimiser, AbstractSchedule, Adam, ConstantSchedule, Factory
from .on_policy.passes import Chunk, PolicyCarry, PolicyExtras, epochs, span, terms
from .on_policy.value_scale import ValueNorm


class Learner(eqx.Module):
    actor: Actor
    critic: Critic
    actor_opt_state: OptState
    critic_opt_state: OptState
    scale: ValueNorm


class PPO(AbstractAlgorithm[Learner]):
    """Policy gradients, each step a small one; `covey describe mappo` lists every field."""

    traits: ClassVar[Traits] = Traits(
        centralised=True, on_policy=True, discrete=True, continuous=True, recurrent=True, cooperative=True
    )
    experience: AbstractExperience = OnPolicy()
    actor: Factory[AbstractAgent] = Factory(Recurrent, depth=2, norm=True, gain=0.01)
    critic: Factory[AbstractAgent] = Factory(Recurrent, depth=2, norm=True, gain=1.0)
    critic_input: CriticInput = "state"
    sharing: Sharing = "team"
    agent_id: bool = True  # among what agents see, one-hot
    reward: Literal["team", "own"] = "team"
    gamma: float = 0.99
    lam: float = 0.95
    clip: float = 0.2
    value_clip: float = 0.2  # 0: none
    huber: float = 10.0
    entropy: AbstractSchedule = ConstantSchedule(0.01)
    epochs: int = 10
    minibatches: int = 1
    chunk: int = 10  # steps, for networks that remember
    normalise_values: bool = True
    squashed: bool = True  # continuous actions: by tanh, else cut off at the bounds
    deviation: float = 0.5  # likewise: at first, in halves of the range
    actor_optimiser: AbstractOptimiser = Adam(ConstantSchedule(5e-4), eps=1e-5)
    critic_optimiser: AbstractOptimiser = Adam(ConstantSchedule(5e-4), eps=1e-5)

    def init(self, spec: Spec, key: PRNGKeyArray) -> Learner:
        if self.reward == "own" and self.critic_input == "state":
            remedy = "with `reward=own` set `critic_input=agent`"
            raise SettingError("critic_input", "values the team", remedy, value=self.critic_input)
        named, ids = lambda name: ops.named(key, name), self.agent_id
        actor = Actor(
            self.actor, spec, self.sharing, ids, self.squashed, self.deviation, key=named("actor")
        )  # fmt: skip
        critic = Critic(self.critic, spec, self.sharing, ids, self.critic_input, key=named("critic"))
        opt_state = (
            ops.init_opt_state(self.actor_optimiser, actor),
            ops.init_opt_state(self.critic_optimiser, critic),
        )
        return Learner(actor, critic, *opt_state, ValueNorm(self.normalise_values))

    def init_carry(self, spec: Spec, learner: Learner) -> PolicyCarry:
        return PolicyCarry(learner.actor.init_carry(), learner.critic.init_carry())

    def act(self, learner: Learner, carry: PolicyCarry, obs: Observation, key, step, explore: bool):
        return self.decide(learner, carry, obs, key, explore, *learner.actor.step(carry.actor, obs))

    def decide(self, learner: Learner, carry: PolicyCarry, obs: Observation, key, explore, hidden, policy):
        """What follows from the actor's new memory and its policy."""
        if not explore:
            return PolicyCarry(hidden, carry.critic), policy.action(policy.mode()), None
        choice = policy.sample(key)
        critic, value = learner.critic.step(carry.critic, obs)
        extras = PolicyExtras(carry, choice, policy.log_prob(choice), value)
        return PolicyCarry(hidden, critic), policy.action(choice), extras

    def assessed(self, learner: Learner, t: Trajectory) -> tuple[Float[Array, "T k"], Float[Array, "T k"]]:
        """A and G of a rollout; what its last observation is worth is found here."""
        last = jax.tree.map(lambda x: x[-2:], t.obs)
        value = jnp.append(t.extras.value, learner.critic.unroll(t.extras.carry.critic[-1], last)[1:], axis=0)
        value = learner.scale.denormalise(value)
        reward = t.reward if self.reward == "own" else jnp.broadcast_to(t.team_reward[:, :1], value[1:].shape)
        advantage = ops.gae(reward, value, t.terminated, t.valid, self.gamma, self.lam)
        return advantage, advantage + value[:-1]

    def examples(self, learner: Learner, batch: Trajectory, size: int | None = None) -> Chunk:
        advantage, goal = jax.vmap(self.assessed, (None, 0))(learner, batch)
        obs = jax.tree.map(lambda x: x[:, :-1], batch.obs)
        active = batch.valid[..., None] & obs.alive
        advantage = ops.standardised(jnp.broadcast_to(advantage, active.shape), active)
        whole = Chunk(batch.extras.carry, batch.extras, obs, advantage, goal, batch.valid)
        return whole.cut(size or span(learner, self.chunk))

    def total(self, told: Metrics, batch: Chunk, entropy) -> tuple[Float[Array, ""], Metrics]:
        loss = ops.mean(ops.total(told, policy_loss=1.0, entropy=-entropy), batch.active)
        return loss, {name: ops.mean(x, batch.active, exact=False) for name, x in told.items()}

    def actor_loss(self, actor: Actor, batch: Chunk, entropy) -> tuple[Float[Array, ""], Metrics]:
        one = lambda chunk: terms(actor.unroll(chunk.carry.actor, chunk.obs), chunk, self.clip)
        return self.total(jax.vmap(one)(batch), batch, entropy)

    def critic_loss(self, critic: Critic, batch: Chunk, scale: ValueNorm) -> tuple[Float[Array, ""], Metrics]:
        value = jax.vmap(lambda chunk: critic.unroll(chunk.carry.critic, chunk.obs))(batch)
        old, goal = batch.extras.value, scale.normalise(batch.goal)
        loss = ops.mean(ops.clipped_value_loss(value, old, goal, self.value_clip, self.huber), batch.valid)
        return loss, {"value_loss": loss}

    def judge(self, learner: Learner, batch: Chunk) -> tuple[Learner, Metrics]:
        """The critic's step. The scale sees a minibatch's goals before they are brought to it."""
        scale = learner.scale.update(batch.goal, batch.valid) if self.normalise_values else learner.scale
        critic, opt_state, told = ops.descend(
            self.critic_optimiser, self.critic_loss, learner.critic, learner.critic_opt_state, batch, scale
        )
        learner = replace(learner, critic=critic, critic_opt_state=opt_state, scale=scale)
        return learner, told | {"value_scale": scale.deviation}

    def improve(self, learner: Learner, batch: Chunk, entropy) -> tuple[Learner, Metrics]:
        actor, opt_state, told = ops.descend(
            self.actor_optimiser, self.actor_loss, learner.actor, learner.actor_opt_state, batch, entropy
        )
        learner, judged = self.judge(replace(learner, actor=actor, actor_opt_state=opt_state), batch)
        return learner, told | judged

    def update(self, learner: Learner, batch: Trajectory, key: PRNGKeyArray, step) -> tuple[Learner, Metrics]:
        improve = lambda learner, chunk: self.improve(learner, chunk, self.entropy(step))
        return epochs(improve, learner, self.examples(learner, batch), self.epochs, self.minibatches, key)

    def insight(self, learner: Learner, episode: Trajectory) -> dict[str, Float[Array, "T k"]]:
        value = learner.critic.unroll(learner.critic.init_carry(), episode.current_obs)
        return {"V": learner.scale.denormalise(value)}
