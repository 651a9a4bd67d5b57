"""Terms beside the policy's loss that keep increments smooth, near old policies, or small."""

from typing import Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ... import ops
from ...core import Metrics
from ...networks.actors import Actor
from ...networks.distributions import AbstractDistribution
from ...networks.hypernetworks import Hypernetwork
from ...parts import Number, is_off
from ...ranges import NonNegative
from .passes import Chunk


class Unrolled(NamedTuple):
    """A chunk's increments, the sums added to the actor's weights, and the policies with them."""

    delta: Float[Array, "t *rows P"]
    theta: Float[Array, "t *rows P"]
    policy: AbstractDistribution


class OldNetworks(NamedTuple):
    """The networks that new ones are compared with: those at the start of an update, and the target."""

    actor: Actor
    hyper: Hypernetwork
    target: Hypernetwork | None


def unroll_policies(hyper: Hypernetwork, actor: Actor, chunk: Chunk) -> Unrolled:
    """Return a chunk's increments and policies."""
    carry = chunk.carry
    return Unrolled(*hyper.unroll_policies(actor, carry.more, carry.actor, chunk.obs, chunk.extras.more))


class Regularisers(eqx.Module):
    """L_smooth, L_align and L_norm, each of them off with a weight and a share of 0.

    A share s takes the place of a weight: the term's gradient is s times as long as the policy's.
    """

    smooth_weight: NonNegative = 0.1
    smooth_over: Literal["time", "update"] = "time"
    smooth_on: Literal["weights", "policy"] = "weights"  # policy: KL of the policies that the weights make
    smooth_share: NonNegative = 0.0
    align_weight: NonNegative = 0.05
    align_to: Literal["behaviour", "target"] = "behaviour"
    align_share: NonNegative = 0.0
    norm_weight: NonNegative = 0.0  # of |theta_t - theta|^2
    report_shares: bool = False  # of each term in the gradient

    @property
    def smooths(self) -> bool:
        return not (is_off(self.smooth_weight) and is_off(self.smooth_share))

    @property
    def aligns(self) -> bool:
        return not (is_off(self.align_weight) and is_off(self.align_share))

    @property
    def aligns_to_target(self) -> bool:
        return self.aligns and self.align_to == "target"

    @property
    def over_time(self) -> bool:
        """True if a step is compared with the one before it."""
        return self.smooths and self.smooth_over == "time"

    @property
    def weights(self) -> dict[str, Number]:
        return {"align": self.align_weight, "smooth": self.smooth_weight, "norm": self.norm_weight}

    @property
    def shares(self) -> dict[str, Number]:
        return {"align": self.align_share, "smooth": self.smooth_share}

    @property
    def by_terms(self) -> bool:
        """True if each term's gradient is needed by itself."""
        return self.report_shares or not all(map(is_off, self.shares.values()))

    def terms(
        self, params: tuple[Actor, Hypernetwork], new: Unrolled, old: OldNetworks, chunk: Chunk
    ) -> tuple[Metrics, Metrics]:
        """Return a chunk's terms by agent, and by row of increments."""
        agent_terms = {}
        row_terms = {"increment_norm": jnp.sqrt(squares(new.theta))}
        if self.aligns:
            policy = chunk.extras.more[1]
            if old.target is not None:
                policy = unroll_policies(old.target, params[0], chunk).policy
            agent_terms["align_loss"] = jax.lax.stop_gradient(policy).kl(new.policy)
        if not is_off(self.norm_weight):
            row_terms["norm_loss"] = squares(new.theta)
        if self.smooths and self.smooth_on == "policy":
            agent_terms["smooth_loss"] = self.policy_change(params, new, old, chunk)
        elif self.smooths:
            row_terms["smooth_loss"] = self.weight_change(new, old, chunk)
        return agent_terms, row_terms

    def weight_change(self, new: Unrolled, old: OldNetworks, chunk: Chunk) -> Float[Array, "t rows"]:
        """Return |theta_t - sg(theta_{t-1})|^2, or |D(o_t) - D_old(o_t)|^2."""
        if self.over_time:
            return squares(new.theta - jax.lax.stop_gradient(jnp.roll(new.theta, 1, axis=0)))
        return squares(new.delta - unroll_policies(old.hyper, old.actor, chunk).delta)

    def policy_change(
        self, params: tuple[Actor, Hypernetwork], new: Unrolled, old: OldNetworks, chunk: Chunk
    ) -> Float[Array, "t agents"]:
        """Return KL(pi' || pi) at o_t: pi' has the increments of the step before, or of D_old.

        Only the hypernetwork gets a gradient.
        """
        actor = jax.lax.stop_gradient(params[0])
        policies = lambda theta: params[1].policies(actor, theta, chunk.carry.actor, chunk.obs)
        if self.over_time:
            before = jnp.roll(new.theta, 1, axis=0)
        else:
            before = unroll_policies(old.hyper, actor, chunk).theta
        return jax.lax.stop_gradient(policies(before)).kl(policies(new.theta))

    def losses(self, agent_terms: Metrics, row_terms: Metrics, batch: Chunk, by_agent: bool) -> Metrics:
        """Return the mean of each term over the steps where it has a meaning."""
        rows = batch.active if by_agent else batch.valid[..., None]
        losses = {}
        if self.aligns:
            losses["align"] = ops.mean(agent_terms["align_loss"], batch.active)
        if self.smooths:
            on_policy = "smooth_loss" in agent_terms
            mask = batch.active if on_policy else rows
            mask = mask & batch.has_previous[..., None] if self.over_time else mask
            losses["smooth"] = ops.mean((agent_terms if on_policy else row_terms)["smooth_loss"], mask)
        if not is_off(self.norm_weight):
            losses["norm"] = ops.mean(row_terms["norm_loss"], rows)
        return losses


def squares(theta: Float[Array, "t *rows P"]) -> Float[Array, "t rows"]:
    """Return |theta|^2 of each row of increments; one for the team is one row."""
    return jnp.sum(theta**2, axis=-1).reshape(len(theta), -1)


def mean_increment(delta: Float[Array, "c t *rows P"], batch: Chunk, by_agent: bool) -> Float[Array, " P"]:
    """Return the mean of a minibatch's increments."""
    mask: Bool[Array, "c t rows"] = batch.active if by_agent else batch.valid[..., None]
    rows = delta.reshape(*mask.shape, delta.shape[-1])
    total = jnp.sum(rows * mask[..., None], axis=(0, 1, 2))
    return ops.pooled(total / jnp.maximum(ops.pooled(jnp.sum(mask, dtype=float)), 1.0))
