"""Several passes over fresh rollouts: what actors and critics leave behind for them, chunks, minibatches;
and what a policy gains on a chunk that an older one collected."""

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

L = TypeVar("L")
X = TypeVar("X")


class PolicyCarry(eqx.Module):
    actor: Float[Array, "*b agents h"]
    critic: Float[Array, "*b k v"]
    more: PyTree[Shaped[Array, "..."]] = None  # that an algorithm which builds upon PPO carries


class PolicyExtras(eqx.Module):
    """Of a step: the memory before it, what was drawn, how likely that was, what value was expected."""

    carry: PolicyCarry
    choice: Shaped[Array, "..."]
    log_prob: Float[Array, "*b agents"]
    value: Float[Array, "*b k"]  # as the critic gave it
    more: PyTree[Shaped[Array, "..."]] = None


class Chunk(eqx.Module):
    """Steps in a row. `memory` is that before the first, `goal` what the critic should have said."""

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
    def followed(self) -> Bool[Array, "*t"]:
        """The steps that come after another one of the same episode and chunk."""
        real = self.valid[..., 1:] & self.valid[..., :-1] & ~self.obs.first[..., 1:]
        return jnp.concatenate([jnp.zeros_like(self.valid[..., :1]), real], axis=-1)

    def cut(self, size: int) -> "Chunk":
        """Rollouts `[n, T, ...]`, with the memory before every step, as chunks of them."""
        cut = chunks(self, size)
        return eqx.tree_at(lambda c: c.carry, cut, jax.tree.map(lambda x: x[:, 0], cut.carry))


def span(learner: Any, size: int) -> int:
    """The steps of a chunk: one, if neither the learner's actor nor its critic remembers."""
    return size if learner.actor.init_carry().size + learner.critic.init_carry().size else 1


def terms(policy: AbstractDistribution, chunk: Chunk, clip: float) -> Metrics:
    """What the actor's loss is made of, for each step of a chunk."""
    change = policy.log_prob(chunk.extras.choice) - chunk.extras.log_prob
    gain = surrogate(jnp.exp(change), chunk.advantage, clip)
    clipped = 1.0 * (jnp.abs(jnp.expm1(change)) > clip)
    kl = jnp.expm1(change) - change  # of the old policy from the new (Schulman, 2020)
    return {"policy_loss": -gain, "entropy": policy.entropy(), "kl": kl, "clip_fraction": clipped}


def chunks(rollouts: X, size: int) -> X:
    """Arrays `[n, T, ...]` as `[n * c, t, ...]`: c chunks of each, alike and of at most `size` steps.

    Where T steps do not fill them, zeros follow, which say `valid = False`.
    """
    n, steps = jax.tree.leaves(rollouts)[0].shape[:2]
    count = -(-steps // size)
    length = -(-steps // count)

    def cut(x):
        x = jnp.pad(x, [(0, 0), (0, count * length - steps), *[(0, 0)] * (x.ndim - 2)])
        return x.reshape(n * count, length, *x.shape[2:])

    return jax.tree.map(cut, rollouts)


def epochs(
    learn: Callable[[L, X], tuple[L, Metrics]],
    learner: L,
    examples: X,
    times: int,
    minibatches: int,
    key: PRNGKeyArray,
) -> tuple[L, Metrics]:
    """Learns from all examples, `times` over: shuffled each time, in equal minibatches. Means of metrics.

    Examples too few for another minibatch sit an epoch out. Devices that share a seed share minibatches.
    """
    count = jax.tree.leaves(examples)[0].shape[0]
    if minibatches > count:
        problem = f"is too many, for there are only {count} chunks to learn from"
        raise SettingError("minibatches", problem, f"set `minibatches={count}` or fewer", value=minibatches)

    def once(learner: L, place: Int[Array, " size"]) -> tuple[L, Metrics]:
        mine = shard(place)
        return learn(learner, jax.tree.map(lambda x: x[mine], examples))

    def epoch(learner: L, time: Int[Array, ""]) -> tuple[L, PyTree]:
        if minibatches == 1:
            return learn(learner, shard(examples))
        order = jr.permutation(named(key, "epoch", time), count)
        return jax.lax.scan(once, learner, order[: count - count % minibatches].reshape(minibatches, -1))

    learner, metrics = jax.lax.scan(epoch, learner, jnp.arange(times))
    return learner, jax.tree.map(jnp.mean, metrics)
