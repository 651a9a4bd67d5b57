"""Hyper-MAPPO: MAPPO (Yu et al., 2022) whose actor's weights get increments from a hypernetwork.

    theta_t = theta + D(o_t)                       compose=base; o_t: the context of D
    theta_t = theta_{t-1} + D(o_t), theta_0 = theta    compose=accumulate; theta_0 at each episode's start
    L = L_actor + w_s L_smooth + w_a L_align       and the critic's loss, which is MAPPO's
    L_smooth = mean over steps of |theta_t - sg(theta_{t-1})|^2          smooth_over=time
             = mean over steps of |D(o_t) - D_old(o_t)|^2                smooth_over=update
    L_align  = mean over steps of KL(pi_old || pi), old: of the rollout (behaviour), or of D^- (target)

D^- is a copy of D, made every so many optimiser steps; D_old is D at the start of the update. Everything else
is MAPPO's, which learns alone with `layers=none`; chunks start from the carry of the rollout.

Departures: D sees no rewards; theta takes no gradient from L_smooth, where a chunk's first step is left out.
"""

from dataclasses import replace
from typing import ClassVar, Literal

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
from ..errors import SettingError
from ..networks.actors import Actor
from ..networks.agents import agent_gradients
from ..networks.distributions import AbstractDistribution
from ..networks.hypernetworks import Hypernetwork
from ..networks.increments import Layers, Output
from ..parts import AbstractOptimiser, AbstractTarget, Adam, ConstantSchedule, Factory, HardTarget, promoted
from ..ranges import NonNegative
from ..training.costs import cost_lines
from . import ppo
from .on_policy.agent_metrics import agent_losses
from .on_policy.networks import ActorCritic
from .on_policy.passes import Chunk, PolicyCarry, chunk_length, policy_terms, run_epochs
from .ppo import PPO

_Params = tuple[Actor, Hypernetwork]


class Learner(eqx.Module):
    ppo: ppo.Learner
    hyper: Hypernetwork | None = None  # None, and so the rest: layers=none
    hyper_opt_state: OptState | None = None
    target: Target[Hypernetwork] | None = None
    steps: Int[Array, ""] | None = None  # of the optimiser


class HyperMAPPO(AbstractAlgorithm[Learner]):
    """MAPPO, and increments to its actor's weights; `covey describe hyper_mappo` lists every field."""

    traits: ClassVar[Traits] = PPO.traits
    ppo: PPO = promoted(PPO(), without=("trunk",))
    layers: Layers = "last"  # that get increments; `all`: except those of a GRU; `none`: this is mappo
    output: Output = "increment"  # or all of a layer's weights
    compose: Literal["base", "accumulate"] = "base"
    hyper: Factory[Hypernetwork] = Factory(Hypernetwork)
    smooth_weight: NonNegative = 0.1
    smooth_over: Literal["time", "update"] = "time"
    align_weight: NonNegative = 0.05
    align_to: Literal["behaviour", "target"] = "behaviour"
    target: AbstractTarget = HardTarget(100)  # in optimiser steps
    optimiser: AbstractOptimiser = Adam(ConstantSchedule(1e-4), eps=1e-5)

    @property
    def experience(self) -> AbstractExperience:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.ppo.experience

    def init(self, spec: Spec, key: PRNGKeyArray) -> Learner:
        base = self.ppo.init(spec, key)
        if self.layers == "none":
            return Learner(base)
        if self.compose == "accumulate" and self.output == "weights":
            remedy = "set `output=increment`"
            raise SettingError("compose", "adds increments up", remedy, value=self.compose)
        hyper = self.hyper(spec, base.actor, self.layers, self.output, key=ops.named(key, "hyper"))
        target = ops.init_target(hyper) if self.align_weight and self.align_to == "target" else None
        return Learner(base, hyper, ops.init_opt_state(self.optimiser, hyper), target, jnp.zeros((), int))

    def init_carry(self, spec: Spec, learner: Learner) -> PolicyCarry:
        base = self.ppo.init_carry(spec, learner.ppo)
        if learner.hyper is None:
            return base
        accumulate = self.compose == "accumulate"
        return replace(base, more=learner.hyper.init_carry(spec, learner.ppo.actor, accumulate))

    def act(self, learner: Learner, carry: PolicyCarry, obs: Observation, key, step, explore: bool):
        actor = learner.ppo.actor
        hyper = learner.hyper
        if hyper is None:
            return self.ppo.act(learner.ppo, carry, obs, key, step, explore)
        context, _, theta = hyper.unroll(actor, carry.more, jax.tree.map(lambda x: x[None], obs))
        networks = replace(learner.ppo.networks, actor=hyper.add_increments(actor, theta[0]))
        carry, action, extras, policy = networks.act(carry, obs, key, explore)
        extras = extras and replace(extras, more=(action, policy))
        return replace(carry, more=context.push(obs, action, policy)), action, extras

    def chunk_length(self, learner: Learner) -> int:
        """Return the steps of a chunk: several where anything depends on the step before."""
        several = self.compose == "accumulate" or (self.smooth_weight and self.smooth_over == "time")
        recurrent = learner.hyper is not None and learner.hyper.history == "recurrent"
        return self.ppo.chunk if several or recurrent else chunk_length(learner.ppo, self.ppo.chunk)

    def terms(self, params: _Params, fixed: Learner, chunk: Chunk) -> tuple[Metrics, Metrics]:
        """Return a chunk's terms by agent, and by row of increments. `fixed` holds D_old, and today's D^-."""
        actor, hyper = params
        delta, theta, policy = unroll_policies(hyper, actor, chunk)
        agent_terms = policy_terms(policy, chunk, self.ppo.clip)
        if self.align_weight:
            old = chunk.extras.more[1]
            if fixed.target is not None:
                old = unroll_policies(fixed.target.network, actor, chunk)[2]
            agent_terms["align_loss"] = jax.lax.stop_gradient(old).kl(policy)
        size = lambda x: jnp.sum(x**2, axis=-1).reshape(len(x), -1)
        row_terms = {"increment_norm": jnp.sqrt(size(theta))}
        if self.smooth_weight and self.smooth_over == "time":
            row_terms["smooth_loss"] = size(theta - jax.lax.stop_gradient(jnp.roll(theta, 1, axis=0)))
        elif self.smooth_weight and fixed.hyper is not None:
            row_terms["smooth_loss"] = size(delta - unroll_policies(fixed.hyper, fixed.ppo.actor, chunk)[0])
        return agent_terms, row_terms

    def loss(
        self, params: _Params, fixed: Learner, batch: Chunk, entropy
    ) -> tuple[Float[Array, ""], Metrics]:
        agent_terms, row_terms = jax.vmap(lambda chunk: self.terms(params, fixed, chunk))(batch)
        loss, metrics = self.ppo.policy_objective(agent_terms, batch, entropy)
        if self.align_weight:
            align_loss = ops.mean(agent_terms["align_loss"], batch.active)
            loss += self.align_weight * ops.term("align_loss")(align_loss)
        rows = batch.active if params[1].increments == "agent" else batch.valid[..., None]
        metrics["increment_norm"] = ops.mean(row_terms["increment_norm"], rows, exact=False)
        if self.smooth_weight:
            rows = rows & batch.has_previous[..., None] if self.smooth_over == "time" else rows
            metrics["smooth_loss"] = ops.mean(row_terms["smooth_loss"], rows)
            loss += self.smooth_weight * ops.term("smooth_loss")(metrics["smooth_loss"])
        return loss, metrics | {"actor_loss": loss}

    def improve(self, learner: Learner, start: Learner, batch: Chunk, entropy) -> tuple[Learner, Metrics]:
        """Take a gradient step of actor and hypernetwork, each with its own optimiser, then the critic's."""
        assert learner.hyper is not None
        assert learner.hyper_opt_state is not None
        base = learner.ppo
        params = (base.actor, learner.hyper)
        fixed = replace(start, target=learner.target)
        grads, metrics = ops.gradients(self.loss, params, fixed, batch, entropy)
        hyper, hyper_opt_state = ops.step(self.optimiser, learner.hyper, learner.hyper_opt_state, grads[1])
        scale = self.ppo.next_scale(base, batch)
        critic_grads, critic_metrics = ops.gradients(self.ppo.critic_loss, base.critic, batch, scale)
        base = self.ppo.descend(base, ActorCritic(grads[0], critic_grads), scale)
        steps = jnp.asarray(learner.steps) + 1
        target = learner.target and self.target(hyper, learner.target, steps)
        return Learner(base, hyper, hyper_opt_state, target, steps), metrics | critic_metrics

    def update(self, learner: Learner, batch: Trajectory, key: PRNGKeyArray, step) -> tuple[Learner, Metrics]:
        if learner.hyper is None:
            base, metrics = self.ppo.update(learner.ppo, batch, key, step)
            return Learner(base), metrics
        improve = lambda new, chunk: self.improve(new, learner, chunk, self.ppo.entropy(step))
        chunks = self.ppo.make_chunks(learner.ppo, batch, self.chunk_length(learner))
        unroll = lambda params, chunk: unroll_policies(params[1], params[0], chunk)[2]
        params = (learner.ppo.actor, learner.hyper)
        about_agents = self.ppo.metrics_of_agents(unroll, params, chunks, step)
        learner, metrics = run_epochs(improve, learner, chunks, self.ppo.epochs, self.ppo.minibatches, key)
        return learner, metrics | about_agents

    def policy(self, learner: Learner, episode: Trajectory, step) -> AbstractDistribution:
        if learner.hyper is None:
            return self.ppo.policy(learner.ppo, episode, step)
        carry = jax.tree.map(lambda x: x[0], episode.extras.carry)
        past = episode.extras.more
        args = (learner.ppo.actor, carry.more, carry.actor, episode.current_obs, past)
        return learner.hyper.unroll_policies(*args)[2]

    def agent_gradients(self, learner: Learner, batch: Trajectory, step) -> AgentGradients:
        """Return the gradients of the agents' losses of the policy on theta, the actor's own weights."""
        hyper = learner.hyper
        if hyper is None:
            return self.ppo.agent_gradients(learner.ppo, batch, step)
        actor = learner.ppo.actor
        chunks = self.ppo.make_chunks(learner.ppo, batch, self.chunk_length(learner))
        unroll = lambda actor, chunk: unroll_policies(hyper, actor, chunk)[2]
        losses = lambda actor: agent_losses(unroll, actor, chunks, self.ppo.clip, self.ppo.entropy(step))
        return agent_gradients(jax.jacrev(losses)(actor), actor.networks.weight_groups)

    def insight(self, learner: Learner, episode: Trajectory) -> dict[str, Float[Array, "T k"]]:
        """Return the critic's values, and the attention that each agent gets over all queries and heads."""
        insight = self.ppo.insight(learner.ppo, episode)
        weight = learner.hyper and learner.hyper.attention_received(episode.current_obs)
        return insight if weight is None else insight | {"attention": weight}

    def decisions(self, learner: Learner, episode: Trajectory) -> dict[str, Float[Array, "T *k"]]:
        """Return the advantage, and whom each agent attends to; the policies need a whole rollout's carry."""
        advantage = self.ppo.decisions(learner.ppo, episode)["advantage"]
        weight = learner.hyper and learner.hyper.attention_weights(episode.current_obs)
        return {"advantage": advantage} | ({} if weight is None else {"attention": weight})

    def notes(self, spec: Spec, copies: int, length: int) -> list[str]:
        """Return the costs of this algorithm beside MAPPO's, for the start of a run."""
        both = {} if self.layers == "none" else {"mappo": self.ppo, "hyper_mappo": self}
        return cost_lines(both, spec, copies, length)


def unroll_policies(hyper: Hypernetwork, actor: Actor, chunk: Chunk):
    """Return a chunk's increments, the sums added to the actor's weights, and the policies with them."""
    return hyper.unroll_policies(actor, chunk.carry.more, chunk.carry.actor, chunk.obs, chunk.extras.more)
