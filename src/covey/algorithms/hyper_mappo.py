"""Hyper-MAPPO: MAPPO (Yu et al., 2022) whose actor's weights get increments from a hypernetwork.

    theta_t = theta + D(o_t)                       compose=base; o_t: the context of D
    theta_t = theta_{t-1} + D(o_t), theta_0 = theta    compose=accumulate; theta_0 at each episode's start
    L = L_actor + w_s L_smooth + w_a L_align       and the critic's loss, which is MAPPO's
    L_smooth = mean over steps of |theta_t - sg(theta_{t-1})|^2          smooth_over=time
             = mean over steps of |D(o_t) - D_old(o_t)|^2                smooth_over=update
             = the same with the policies' KL in place of |.|^2          smooth_on=policy
    L_align  = mean over steps of KL(pi_old || pi), old: of the rollout (behaviour), or of D^- (target)

D^- is a copy of D, made every so many optimiser steps; D_old is D at the start of the update. Everything else
is MAPPO's, which learns alone with `layers=none`; chunks start from the carry of the rollout. L_norm, the
mean of |theta_t - theta|^2, and zero_mean, trust and hyper_every are additions, off by default.

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
from ..networks.hyper_carry import HyperCarry
from ..networks.hypernetworks import Hypernetwork
from ..networks.increments import Layers, Output, add_to_weights
from ..parts import AbstractOptimiser, AbstractTarget, Adam, ConstantSchedule, Factory, HardTarget, promoted
from ..ranges import Count, Positive
from ..training.costs import cost_lines
from . import ppo
from .on_policy import pace
from .on_policy.agent_metrics import agent_losses
from .on_policy.networks import ActorCritic
from .on_policy.passes import Chunk, PolicyCarry, chunk_length, policy_terms, run_epochs
from .on_policy.regularisers import OldNetworks, Regularisers, mean_increment, unroll_policies
from .ppo import PPO

_Params = tuple[Actor, Hypernetwork]


class Learner(eqx.Module):
    ppo: ppo.Learner
    hyper: Hypernetwork | None = None  # None, and so the rest: layers=none
    hyper_opt_state: OptState | None = None
    target: Target[Hypernetwork] | None = None
    steps: Int[Array, ""] | None = None  # of the optimiser
    pace: Float[Array, ""] | None = None  # a factor on the policy's steps; None: trust=none


class HyperMAPPO(AbstractAlgorithm[Learner]):
    """MAPPO, and increments to its actor's weights; `covey describe hyper_mappo` lists every field."""

    traits: ClassVar[Traits] = PPO.traits
    ppo: PPO = promoted(PPO(), without=("trunk",))
    layers: Layers = "last"  # that get increments; `all`: except those of a GRU; `none`: this is mappo
    output: Output = "increment"  # or all of a layer's weights
    compose: Literal["base", "accumulate"] = "base"
    hyper: Factory[Hypernetwork] = Factory(Hypernetwork)
    regularisers: Regularisers = promoted(Regularisers())
    zero_mean: bool = False  # the mean increment of each minibatch moves into the actor's weights
    trust: pace.Trust = "none"  # by the whole policy's KL: stop an update's steps, or adapt their length
    target_kl: Positive = 0.01
    act_with: Literal["online", "target"] = "online"  # the hypernetwork that plays; target: D^-
    hyper_every: Count = 1  # steps of the actor for one of the hypernetwork
    target: AbstractTarget = HardTarget(100)  # in optimiser steps
    optimiser: AbstractOptimiser = Adam(ConstantSchedule(1e-4), eps=1e-5)

    @property
    def experience(self) -> AbstractExperience:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.ppo.experience

    def init(self, spec: Spec, key: PRNGKeyArray) -> Learner:
        base = self.ppo.init(spec, key)
        if self.layers == "none":
            return Learner(base)
        hyper = self.hyper(spec, base.actor, self.layers, self.output, key=ops.named(key, "hyper"))
        self.check(hyper)
        needs_target = self.act_with == "target" or self.regularisers.aligns_to_target
        target = ops.init_target(hyper) if needs_target else None
        opt_state = ops.init_opt_state(self.optimiser, hyper)
        start = None if self.trust == "none" else jnp.ones(())
        return Learner(base, hyper, opt_state, target, jnp.zeros((), int), start)

    def check(self, hyper: Hypernetwork) -> None:
        """Refuse settings that contradict each other."""
        terms = self.regularisers
        if self.compose == "accumulate" and self.output == "weights":
            remedy = "set `output=increment`"
            raise SettingError("compose", "adds increments up", remedy, value=self.compose)
        clashes = {
            "output=increment": self.output == "weights",
            "compose=base": self.compose == "accumulate",
            "hyper.rank=0": hyper.head.rank > 0,
            "hyper.limit=0": hyper.limit > 0,
            "smooth_over=time": terms.smooths and not terms.over_time,
            "align_to=behaviour": terms.aligns_to_target,
            "act_with=online": self.act_with == "target",
        }
        for remedy in (remedy for remedy, clash in clashes.items() if self.zero_mean and clash):
            problem = (
                "moves a constant from the hypernetwork into the actor, which would change more than that"
            )
            raise SettingError("zero_mean", problem, f"set `{remedy}`", value=True)

    def init_carry(self, spec: Spec, learner: Learner) -> PolicyCarry:
        base = self.ppo.init_carry(spec, learner.ppo)
        if learner.hyper is None:
            return base
        accumulate = self.compose == "accumulate"
        return replace(base, more=learner.hyper.init_carry(spec, learner.ppo.actor, accumulate))

    def player(self, learner: Learner) -> Hypernetwork | None:
        """Return the hypernetwork that acts."""
        return learner.target.network if learner.target and self.act_with == "target" else learner.hyper

    def act(self, learner: Learner, carry: PolicyCarry, obs: Observation, key, step, explore: bool):
        actor = learner.ppo.actor
        hyper = self.player(learner)
        if hyper is None:
            return self.ppo.act(learner.ppo, carry, obs, key, step, explore)
        context, _, theta = hyper.unroll(actor, carry.more, jax.tree.map(lambda x: x[None], obs))
        networks = replace(learner.ppo.networks, actor=hyper.add_increments(actor, theta[0]))
        carry, action, extras, policy = networks.act(carry, obs, key, explore)
        extras = extras and replace(extras, more=(action, policy))
        return replace(carry, more=context.push(obs, action, policy)), action, extras

    def chunk_length(self, learner: Learner) -> int:
        """Return the steps of a chunk: several where anything depends on the step before."""
        several = self.compose == "accumulate" or self.regularisers.over_time
        recurrent = learner.hyper is not None and learner.hyper.history == "recurrent"
        return self.ppo.chunk if several or recurrent else chunk_length(learner.ppo, self.ppo.chunk)

    def terms(self, params: _Params, fixed: Learner, chunk: Chunk) -> tuple[Metrics, Metrics]:
        """Return a chunk's terms by agent, and by row of increments. `fixed` holds D_old, and today's D^-."""
        new = unroll_policies(params[1], params[0], chunk)
        assert fixed.hyper is not None
        target = fixed.target.network if fixed.target and self.regularisers.aligns_to_target else None
        old = OldNetworks(fixed.ppo.actor, fixed.hyper, target)
        agent_terms = policy_terms(new.policy, chunk, self.ppo.clip)
        more_terms, row_terms = self.regularisers.terms(params, new, old, chunk)
        row_terms |= {"increment": new.delta} if self.zero_mean else {}
        return agent_terms | more_terms, row_terms

    def losses(self, params: _Params, fixed: Learner, batch: Chunk, entropy) -> tuple[Metrics, Metrics]:
        """Return the policy's loss and those of the regularisers, without weights; and metrics."""
        agent_terms, row_terms = jax.vmap(lambda chunk: self.terms(params, fixed, chunk))(batch)
        by_agent = params[1].increments == "agent"
        policy_loss, metrics = self.ppo.policy_objective(agent_terms, batch, entropy)
        losses = self.regularisers.losses(agent_terms, row_terms, batch, by_agent)
        rows = batch.active if by_agent else batch.valid[..., None]
        metrics["increment_norm"] = ops.mean(row_terms["increment_norm"], rows, exact=False)
        metrics |= {f"{name}_loss": x for name, x in losses.items()}
        if self.zero_mean:
            metrics["increment"] = mean_increment(row_terms["increment"], batch, by_agent)
        named = {name: ops.term(f"{name}_loss")(x) for name, x in losses.items()}
        return {"policy": policy_loss} | named, metrics

    def loss(
        self, params: _Params, fixed: Learner, batch: Chunk, entropy
    ) -> tuple[Float[Array, ""], Metrics]:
        losses, metrics = self.losses(params, fixed, batch, entropy)
        loss = losses.pop("policy")
        for name, value in losses.items():
            loss += self.regularisers.weights[name] * value
        return loss, metrics | {"actor_loss": loss}

    def gradients(self, params: _Params, fixed: Learner, batch: Chunk, entropy) -> tuple[_Params, Metrics]:
        """Return the gradient of the sum; term by term where shares of the hypernetwork's are asked for."""
        terms = self.regularisers
        if not terms.by_terms:
            return ops.gradients(self.loss, params, fixed, batch, entropy)
        losses = lambda params: self.losses(params, fixed, batch, entropy)
        return pace.weighed_gradients(losses, params, terms.weights, terms.shares, lambda params: params[1])

    def improve(self, learner: Learner, start: Learner, batch: Chunk, entropy) -> tuple[Learner, Metrics]:
        """Take a gradient step of actor and hypernetwork, each with its own optimiser, then the critic's."""
        assert learner.hyper is not None
        assert learner.hyper_opt_state is not None
        base = learner.ppo
        params = (base.actor, learner.hyper)
        fixed = replace(start, target=learner.target)
        grads, metrics = self.gradients(params, fixed, batch, entropy)
        increment = metrics.pop("increment", None)
        hyper, opt_state = ops.step(self.optimiser, learner.hyper, learner.hyper_opt_state, grads[1])
        scale = self.ppo.next_scale(base, batch)
        critic_grads, critic_metrics = ops.gradients(self.ppo.critic_loss, base.critic, batch, scale)
        base = self.ppo.descend(base, ActorCritic(grads[0], critic_grads), scale)
        steps = jnp.asarray(learner.steps) + 1
        target = learner.target
        if self.hyper_every > 1:
            before = (learner.hyper, learner.hyper_opt_state)
            hyper, opt_state = pace.where_due(steps % self.hyper_every == 0, (hyper, opt_state), before)
        new = Learner(base, hyper, opt_state, target, steps, learner.pace)
        if new.pace is not None:
            new, more = self.keep_trust(learner, new, metrics["kl"])
            metrics |= more
        if increment is not None:
            # What all increments have in common moves into the actor's own weights; no policy changes.
            bias = lambda hyper: hyper.head.linear.bias
            hyper = eqx.tree_at(bias, new.hyper, bias(new.hyper) - increment)
            actor = add_to_weights(new.ppo.actor, self.layers, increment)
            new = replace(new, ppo=replace(new.ppo, actor=actor), hyper=hyper)
        if target is not None and new.hyper is not None:
            new = replace(new, target=self.target(new.hyper, target, steps))
        return new, metrics | critic_metrics

    def keep_trust(self, old: Learner, new: Learner, kl: Float[Array, ""]) -> tuple[Learner, Metrics]:
        """Return the learner whose policy took `pace` times the step; its critic took the whole step."""
        factor = jnp.asarray(new.pace)
        if self.trust == "stop":
            factor = jnp.where(ops.pooled(kl) > self.target_kl, 0.0, factor)
        policy = lambda x: (x.ppo.actor, x.hyper)
        states = lambda x: (x.ppo.actor_opt_state, x.hyper_opt_state)
        actor, hyper = pace.paced(factor, policy(new), policy(old))
        actor_state, hyper_state = pace.where_due(factor > 0, states(new), states(old))
        base = replace(new.ppo, actor=actor, actor_opt_state=actor_state)
        new = replace(new, ppo=base, hyper=hyper, hyper_opt_state=hyper_state, pace=factor)
        return new, {"pace": factor}

    def update(self, learner: Learner, batch: Trajectory, key: PRNGKeyArray, step) -> tuple[Learner, Metrics]:
        if learner.hyper is None:
            base, metrics = self.ppo.update(learner.ppo, batch, key, step)
            return Learner(base), metrics
        improve = lambda new, chunk: self.improve(new, learner, chunk, self.ppo.entropy(step))
        chunks = self.ppo.make_chunks(learner.ppo, batch, self.chunk_length(learner))
        unroll = lambda params, chunk: unroll_policies(params[1], params[0], chunk)[2]
        params = (learner.ppo.actor, learner.hyper)
        about_agents = self.ppo.metrics_of_agents(unroll, params, chunks, step)
        if self.trust == "stop":
            learner = replace(learner, pace=jnp.ones(()))
        learner, metrics = run_epochs(improve, learner, chunks, self.ppo.epochs, self.ppo.minibatches, key)
        if self.trust == "adapt":
            factor = pace.adapted_pace(jnp.asarray(learner.pace), ops.pooled(metrics["kl"]), self.target_kl)
            learner = replace(learner, pace=factor)
        return learner, metrics | about_agents

    def policy(self, learner: Learner, episode: Trajectory, step) -> AbstractDistribution:
        hyper = self.player(learner)
        if hyper is None:
            return self.ppo.policy(learner.ppo, episode, step)
        carry = jax.tree.map(lambda x: x[0], episode.extras.carry)
        past = episode.extras.more
        args = (learner.ppo.actor, carry.more, carry.actor, episode.current_obs, past)
        return hyper.unroll_policies(*args)[2]

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
        """Return the advantage, whom each agent attends to, and the policies if increments have no memory."""
        hyper = self.player(learner)
        if hyper is None:
            return self.ppo.decisions(learner.ppo, episode)
        actor = learner.ppo.actor
        obs = episode.current_obs
        policy = None
        if hyper.history == "none" and self.compose == "base":
            policy = hyper.unroll_policies(actor, HyperCarry(), actor.init_carry(), obs, None)[2]
        weight = hyper.attention_weights(obs)
        found = self.ppo.reasons(learner.ppo, episode, policy)
        return found if weight is None else found | {"attention": weight}

    def notes(self, spec: Spec, copies: int, length: int) -> list[str]:
        """Return the costs of this algorithm beside MAPPO's, for the start of a run."""
        both = {} if self.layers == "none" else {"mappo": self.ppo, "hyper_mappo": self}
        return cost_lines(both, spec, copies, length)
