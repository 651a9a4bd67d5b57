"""Hyper-MAPPO: MAPPO (Yu et al., 2022) whose actor's weights get increments from a hypernetwork.

    theta_t = theta + D(o_t)                       compose=base; o_t: what D's context shows it
    theta_t = theta_{t-1} + D(o_t), theta_0 = theta    compose=accumulate, anew in each episode
    L = L_actor + w_s L_smooth + w_a L_align       and the critic's loss, which is MAPPO's
    L_smooth = mean over steps of |theta_t - sg(theta_{t-1})|^2          smooth_over=time
             = mean over steps of |D(o_t) - D_old(o_t)|^2                smooth_over=update
    L_align  = mean over steps of KL(pi_old || pi), old: of the rollout (behaviour), or of D^- (target)

D^- is a copy of D, made every so many optimiser steps; D_old is D as the update began. Everything else is
`ppo`'s own, which learns alone with `layers=none`; chunks begin with what the rollout carried.

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
from ..networks.hypernetworks import Hypernetwork
from ..networks.increments import Layers, Output
from ..parts import (
    AbstractOptimiser,
    AbstractTarget,
    Adam,
    ConstantSchedule,
    Factory,
    HardTarget,
)
from ..training.costs import comparison
from . import ppo
from .on_policy import passes
from .on_policy.passes import Chunk, PolicyCarry
from .ppo import PPO

Params = tuple[Actor, Hypernetwork]


class Learner(eqx.Module):
    ppo: ppo.Learner
    hyper: Hypernetwork | None = None  # None, and so the rest: layers=none
    hyper_opt_state: OptState | None = None
    target: Target[Hypernetwork] | None = None
    steps: Int[Array, ""] | None = None  # of the optimiser


class HyperMAPPO(AbstractAlgorithm[Learner]):
    """MAPPO, and increments to its actor; `covey describe hyper_mappo` lists every field."""

    traits: ClassVar[Traits] = PPO.traits
    ppo: PPO = PPO()
    layers: Layers = "last"  # that get increments; `all`: but those of a GRU; `none`: this is mappo
    output: Output = "increment"  # or all of a layer's weights
    compose: Literal["base", "accumulate"] = "base"
    hyper: Factory[Hypernetwork] = Factory(Hypernetwork)
    smooth_weight: float = 0.1
    smooth_over: Literal["time", "update"] = "time"
    align_weight: float = 0.05
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
        more = learner.hyper and learner.hyper.init_carry(
            spec, learner.ppo.actor, self.compose == "accumulate"
        )
        return replace(self.ppo.init_carry(spec, learner.ppo), more=more)

    def act(self, learner: Learner, carry: PolicyCarry, obs: Observation, key, step, explore: bool):
        actor, hyper = learner.ppo.actor, learner.hyper
        if hyper is None:
            return self.ppo.act(learner.ppo, carry, obs, key, step, explore)
        carried, _, theta = hyper.unroll(actor, carry.more, jax.tree.map(lambda x: x[None], obs))
        hidden, policy = hyper.shift(actor, theta[0]).step(carry.actor, obs)
        after, action, extras = self.ppo.decide(learner.ppo, carry, obs, key, explore, hidden, policy)
        extras = extras and replace(extras, more=(action, policy))
        return replace(after, more=carried.push(obs, action, policy)), action, extras

    def span(self, learner: Learner) -> int:
        """The steps of a chunk: several where anything goes from one step to the next."""
        several = self.compose == "accumulate" or (self.smooth_weight and self.smooth_over == "time")
        carries = learner.hyper is not None and learner.hyper.history == "recurrent"
        return self.ppo.chunk if several or carries else passes.span(learner.ppo, self.ppo.chunk)

    def terms(self, params: Params, fixed: Learner, chunk: Chunk) -> tuple[Metrics, Metrics]:
        """Of a chunk's steps, by agent, and by row of increments. `fixed` holds D_old, and today's D^-."""
        delta, theta, policy = unroll_policies(params[1], params[0], chunk)
        told = passes.terms(policy, chunk, self.ppo.clip)
        if self.align_weight:
            old = chunk.extras.more[1]
            if fixed.target is not None:
                old = unroll_policies(fixed.target.network, params[0], chunk)[2]
            told["align_loss"] = jax.lax.stop_gradient(old).kl(policy)
        size = lambda x: jnp.sum(x**2, axis=-1).reshape(len(x), -1)
        mine = {"increment_norm": jnp.sqrt(size(theta))}
        if self.smooth_weight and self.smooth_over == "time":
            mine["smooth_loss"] = size(theta - jax.lax.stop_gradient(jnp.roll(theta, 1, axis=0)))
        elif self.smooth_weight and fixed.hyper is not None:
            mine["smooth_loss"] = size(delta - unroll_policies(fixed.hyper, fixed.ppo.actor, chunk)[0])
        return told, mine

    def loss(self, params: Params, fixed: Learner, batch: Chunk, entropy) -> tuple[Float[Array, ""], Metrics]:
        told, mine = jax.vmap(lambda chunk: self.terms(params, fixed, chunk))(batch)
        loss, metrics = self.ppo.total(told, batch, entropy)
        align = lambda: ops.term("align_loss")(ops.mean(told["align_loss"], batch.active))
        loss += self.align_weight * align() if self.align_weight else 0.0
        who = batch.active if params[1].increments == "agent" else batch.valid[..., None]
        metrics["increment_norm"] = ops.mean(mine["increment_norm"], who, exact=False)
        if self.smooth_weight:
            who = who & batch.followed[..., None] if self.smooth_over == "time" else who
            metrics["smooth_loss"] = ops.mean(mine["smooth_loss"], who)
            loss += self.smooth_weight * ops.term("smooth_loss")(metrics["smooth_loss"])
        return loss, metrics | {"actor_loss": loss}

    def improve(self, learner: Learner, start: Learner, batch: Chunk, entropy) -> tuple[Learner, Metrics]:
        assert learner.hyper is not None and learner.hyper_opt_state is not None
        base = learner.ppo
        params = (base.actor, learner.hyper)
        fixed = replace(start, target=learner.target)
        grads, told = ops.gradients(self.loss, params, fixed, batch, entropy)
        actor, opt_state = ops.step(self.ppo.actor_optimiser, base.actor, base.actor_opt_state, grads[0])
        hyper, hyper_opt_state = ops.step(self.optimiser, learner.hyper, learner.hyper_opt_state, grads[1])
        base, judged = self.ppo.judge(replace(base, actor=actor, actor_opt_state=opt_state), batch)
        target = learner.target and self.target(hyper, learner.target, jnp.asarray(learner.steps) + 1)
        return Learner(base, hyper, hyper_opt_state, target, jnp.asarray(learner.steps) + 1), told | judged

    def update(self, learner: Learner, batch: Trajectory, key: PRNGKeyArray, step) -> tuple[Learner, Metrics]:
        if learner.hyper is None:
            base, told = self.ppo.update(learner.ppo, batch, key, step)
            return Learner(base), told
        improve = lambda now, chunk: self.improve(now, learner, chunk, self.ppo.entropy(step))
        chunk = self.ppo.examples(learner.ppo, batch, self.span(learner))
        return passes.epochs(improve, learner, chunk, self.ppo.epochs, self.ppo.minibatches, key)

    def insight(self, learner: Learner, episode: Trajectory) -> dict[str, Float[Array, "T k"]]:
        """The critic's values; how much each agent was attended to, by all and in all heads alike."""
        weight = learner.hyper and learner.hyper.attended(episode.current_obs)
        return self.ppo.insight(learner.ppo, episode) | ({} if weight is None else {"attention": weight})

    def notes(self, spec: Spec, copies: int, length: int) -> list[str]:
        both = {} if self.layers == "none" else {"mappo": self.ppo, "hyper_mappo": self}
        return comparison(both, spec, copies, length)


def unroll_policies(hyper: Hypernetwork, actor: Actor, chunk: Chunk):
    """Return a chunk's increments, what the actor's weights differ by, and the policies with them."""
    return hyper.unroll_policies(actor, chunk.carry.more, chunk.carry.actor, chunk.obs, chunk.extras.more)
