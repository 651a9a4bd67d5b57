"""Rewards standardised by their averages over all updates."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ... import ops
from ...core import Trajectory


def standardise_rewards(
    rewards: Float[Array, "2"], updates: Int[Array, ""], batch: Trajectory
) -> tuple[Float[Array, "2"], Trajectory]:
    """Return the running mean and mean square of the reward, and the batch standardised by them."""
    r = batch.team_reward
    new = ops.pooled(jnp.stack([ops.mean(r, batch.valid), ops.mean(r**2, batch.valid)]))
    rewards = rewards + (new - rewards) / (updates + 1)
    deviation = jnp.sqrt(jnp.maximum(rewards[1] - rewards[0] ** 2, 1e-8))
    return rewards, eqx.tree_at(lambda t: t.team_reward, batch, (r - rewards[0]) / deviation)
