"""Start positions and observations of the particle worlds. The last axis of arrays is n, the copies."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ...core import Action, Observation
from ...ops import named
from .physics import MOVES


def uniform_positions(
    key: PRNGKeyArray, name: str, count: int, n: int, edge: float = 1.0
) -> Float[Array, "count 2 n"]:
    return jr.uniform(named(key, name), (count, 2, n), minval=-edge, maxval=edge)


def displacements(
    origins: Float[Array, "origins 2 n"], points: Float[Array, "points 2 n"]
) -> Float[Array, "origins points 2 n"]:
    """Return the vector from each origin to each point."""
    return points[None] - origins[:, None]


def without_self(x: Float[Array, "agents agents *rest"]) -> Float[Array, "agents others *rest"]:
    """Drop each agent's entry about itself."""
    return jnp.stack([jnp.concatenate([row[:i], row[i + 1 :]]) for i, row in enumerate(x)])


def flatten_rows(x: Float[Array, "agents *rest n"]) -> Float[Array, "agents k n"]:
    """Lay everything that belongs to one agent in one row."""
    return x.reshape(x.shape[0], -1, x.shape[-1])


def spoken_words(
    action: Action, silent: int, vocabulary: int, dtype: jnp.dtype
) -> Float[Array, "agents words n"]:
    """Return what each agent says: one-hot, or with the loudness that continuous actions give each word.

    `silent` counts an agent's actions, or dimensions, that say nothing.
    """
    action = jnp.moveaxis(action, 0, -1)
    if action.ndim == 3:
        return action[:, silent : silent + vocabulary].astype(dtype)
    return jax.nn.one_hot(action // max(silent, 1), vocabulary, axis=1, dtype=dtype)


def loudest_word(words: Float[Array, "agents words n"]) -> Int[Array, "agents n"]:
    """Return the index of each agent's loudest word, -1 for silence."""
    return jnp.where(jnp.any(words > 0, axis=1), jnp.argmax(words, axis=1), -1)


def make_observation(
    features: Float[Array, "agents features n"],
    t: Int[Array, " n"],
    legal: np.ndarray | int = MOVES,
    state: Float[Array, "state n"] | None = None,
) -> Observation:
    """Return the observation of a world in which nobody dies and legal actions never change."""
    agents, _, n = features.shape
    legal = np.ones((agents, legal), bool) if isinstance(legal, int) else legal
    return Observation(
        agents=jnp.moveaxis(features, -1, 0),
        state=jnp.zeros((n, 0)) if state is None else state.T,
        legal=jnp.broadcast_to(legal, (n, *legal.shape)),
        alive=jnp.ones((n, agents), bool),
        first=t == 0,
    )
