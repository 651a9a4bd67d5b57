"""Several passes over new rollouts: records of acting, chunks, minibatches, and the terms of PPO's loss."""

from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree, Shaped

from ...core import Metrics, Observation
from ...errors import SettingError
from ...networks.distributions import AbstractDistribution
from ...ops import named, shard, surrogate
from ...parts import Number

_BLOCK = 1024  # steps; the outputs of a layer for so many fit in a core's cache
_L = TypeVar("_L")
_X = TypeVar("_X")


class PolicyCarry(eqx.Module):
    """The carries of an actor and a critic."""

    actor: Float[Array, "*b agents h"]
    critic: Float[Array, "*b k v"]
    more: PyTree[Shaped[Array, "..."]] = None  # for an algorithm that builds on PPO


class PolicyExtras(eqx.Module):
    """A step's carry before it, the choice drawn and its log-probability, and the critic's value."""

    carry: PolicyCarry
    choice: Shaped[Array, "..."]
    log_prob: Float[Array, "*b agents"]
    value: Float[Array, "*b k"]  # on the critic's own scale
    more: PyTree[Shaped[Array, "..."]] = None


class Chunk(eqx.Module):
    """Consecutive steps. `carry` is the one before the first step, `goal` the critic's target."""

    carry: PolicyCarry
    extras: PolicyExtras
    obs: Observation
    advantage: Float[Array, "*t agents"]
    goal: Float[Array, "*t k"]
    valid: Bool[Array, "*t"]

    @property
    def active(self) -> Bool[Array, "*t agents"]:
        return self.valid[..., None] & self.obs.alive

    @property
    def has_previous(self) -> Bool[Array, "*t"]:
        """True for a step that comes after another of the same episode and chunk."""
        real = self.valid[..., 1:] & self.valid[..., :-1] & ~self.obs.first[..., 1:]
        return jnp.concatenate([jnp.zeros_like(self.valid[..., :1]), real], axis=-1)

    def cut(self, size: int) -> "Chunk":
        """Cut rollouts `[n, T, ...]` that hold the carry before every step into chunks."""
        cut = cut_chunks(self, size)
        return eqx.tree_at(lambda c: c.carry, cut, jax.tree.map(lambda x: x[:, 0], cut.carry))

    def blocks(self) -> "Chunk":
        """Return single steps as a few long chunks, which are the same to networks without a carry."""
        merge = lambda tree: jax.tree.map(lambda x: x.reshape(1, len(x), *x.shape[2:]), tree)
        carry = jax.tree.map(lambda x: x[None], self.carry)
        parts = (self.extras, self.obs, self.advantage, self.goal, self.valid)
        return Chunk(carry, *merge(parts)).cut(_BLOCK)


def chunk_length(learner: Any, size: int) -> int:
    """Return the steps of a chunk: one, if no network of the learner is recurrent."""
    return size if learner.networks.recurrent else 1


def over_blocks(f: Callable[[Chunk], _X]) -> Callable[[Chunk], _X]:
    """Map f over blocks, one after another. The backward pass computes a block's arrays again.

    They are then in a core's cache; kept from the forward pass, they would have to come from memory.
    """
    again = jax.checkpoint(f)
    return lambda blocks: jax.lax.map(again, blocks)


def policy_terms(policy: AbstractDistribution, chunk: Chunk, clip: Number) -> Metrics:
    """Return the terms of an actor's loss, for each step of a chunk."""
    change = policy.log_prob(chunk.extras.choice) - chunk.extras.log_prob
    gain = surrogate(jnp.exp(change), chunk.advantage, clip)
    clipped = 1.0 * (jnp.abs(jnp.expm1(change)) > clip)
    kl = jnp.expm1(change) - change  # of the old policy from the new (Schulman, 2020)
    return {"policy_loss": -gain, "entropy": policy.entropy(), "kl": kl, "clip_fraction": clipped}


def cut_chunks(rollouts: _X, size: int) -> _X:
    """Cut arrays `[n, T, ...]` into `[n * c, t, ...]`: c chunks each, of one length t <= `size`.

    Zeros fill the last chunk where T steps do not; they say `valid = False`.
    """
    n, steps = jax.tree.leaves(rollouts)[0].shape[:2]
    count = -(-steps // size)
    length = -(-steps // count)

    def cut(x):
        x = jnp.pad(x, [(0, 0), (0, count * length - steps), *[(0, 0)] * (x.ndim - 2)])
        return x.reshape(n * count, length, *x.shape[2:])

    return jax.tree.map(cut, rollouts)


def run_epochs(
    improve: Callable[[_L, _X], tuple[_L, Metrics]],
    learner: _L,
    examples: _X,
    epochs: int,
    minibatches: int,
    key: PRNGKeyArray,
) -> tuple[_L, Metrics]:
    """Learn from all examples in each epoch, shuffled, in equal minibatches; return means of metrics.

    Examples too few for another minibatch sit an epoch out. Devices that share a seed share minibatches.
    """
    count = jax.tree.leaves(examples)[0].shape[0]
    if minibatches > count:
        problem = f"is too many, for there are only {count} chunks to learn from"
        raise SettingError("minibatches", problem, f"set `minibatches={count}` or fewer", value=minibatches)

    def minibatch(learner: _L, indices: Int[Array, " size"]) -> tuple[_L, Metrics]:
        own = shard(indices)
        return improve(learner, jax.tree.map(lambda x: x[own], examples))

    def epoch(learner: _L, number: Int[Array, ""]) -> tuple[_L, PyTree]:
        if minibatches == 1:
            return improve(learner, shard(examples))
        order = jr.permutation(named(key, "epoch", number), count)
        order = order[: count - count % minibatches].reshape(minibatches, -1)
        return jax.lax.scan(minibatch, learner, order)

    learner, metrics = jax.lax.scan(epoch, learner, jnp.arange(epochs))
    return learner, jax.tree.map(jnp.mean, metrics)
