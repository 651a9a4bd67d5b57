"""Choices among values."""

import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, Shaped


def take(q: Float[Array, "*b actions"], action: Int[Array, "*b"]) -> Float[Array, "*b"]:
    """Return the value of each action."""
    return jnp.take_along_axis(q, action[..., None].astype(int), axis=-1)[..., 0]


def masked(q: Float[Array, "*b actions"], legal: Bool[Array, "*b actions"]) -> Float[Array, "*b actions"]:
    """Return values in which no illegal action can be the largest."""
    return jnp.where(legal, q, -1e9)


def epsilon_greedy(
    q: Float[Array, "agents actions"],
    legal: Bool[Array, "agents actions"],
    epsilon: Float[Array, ""] | float,
    key: PRNGKeyArray,
) -> Int[Array, " agents"]:
    """Choose a uniform legal action with probability epsilon, else the greedy one.

    One draw serves both: its last column is the coin, the others rank the legal actions.
    """
    u = jr.uniform(key, (q.shape[0], q.shape[1] + 1))
    random = jnp.argmax(masked(u[:, :-1], legal), axis=-1)
    greedy = jnp.argmax(masked(q, legal), axis=-1)
    return jnp.where(u[:, -1] < epsilon, random, greedy)


def previous(x: Shaped[Array, "T *rest"], first: Bool[Array, "T+1"]) -> Shaped[Array, "T+1 *rest"]:
    """Return the action before each observation; -1, for none, at an episode's first."""
    before = jnp.concatenate([jnp.full_like(x[:1], -1), x])
    return jnp.where(first.reshape(-1, *[1] * (x.ndim - 1)), jnp.full_like(before, -1), before)
