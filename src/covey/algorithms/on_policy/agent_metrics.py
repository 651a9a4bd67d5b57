"""Metrics that compare a team's agents: how unlike they act, and how their gradients differ."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from ... import ops
from ...core import Metrics, Observation
from ...networks.distributions import AbstractDistribution
from .passes import Chunk, policy_terms

_STEPS = 256  # of a rollout that the metrics are computed from, spread over all of it
_Unroll = Callable[[Any, Chunk], AbstractDistribution]


def agent_metrics(unroll: _Unroll, params: PyTree[Array], chunks: Chunk, clip: float, entropy) -> Metrics:
    """Return `diversity` and `gradient_variance` of some of a rollout's chunks, before they are learned from.

    `unroll` returns the policies in a chunk, by the actor's parameters.
    """
    count, length = chunks.valid.shape
    some = np.unique(np.linspace(0, count - 1, max(1, _STEPS // length)).astype(int))
    sample = jax.tree.map(lambda x: x[some], chunks)
    return {
        "diversity": diversity(lambda chunk: unroll(params, chunk), sample),
        "gradient_variance": gradient_variance(unroll, params, sample, clip, entropy),
    }


def diversity(unroll: Callable[[Chunk], AbstractDistribution], chunks: Chunk) -> Float[Array, ""]:
    """Return system neural diversity (Bettini et al., 2023): the mean distance between two agents' policies.

    All agents are asked for their policies where one of them was: on its observations, from an empty memory.
    """
    agents = chunks.obs.alive.shape[-1]

    def one(chunk: Chunk, k: Int[Array, ""]) -> tuple[Float[Array, " t"], Array]:
        empty = jax.tree.map(jnp.zeros_like, chunk.carry)
        policy = unroll(replace(chunk, carry=empty, obs=observe_from(chunk.obs, k)))
        active = jnp.take(chunk.active, k, axis=-1)
        return jnp.sum(policy.distances(), axis=(-2, -1)) / max(1, agents * (agents - 1)), active

    of_all = jax.vmap(jax.vmap(one, (None, 0)), (0, None))
    distance, active = of_all(chunks, jnp.arange(agents))
    return ops.mean(distance, active, exact=False)


def observe_from(obs: Observation, k: Int[Array, ""]) -> Observation:
    """Return observations in which every agent is in agent k's place."""
    everywhere = lambda x, axis: jnp.broadcast_to(jnp.take(x, k[None], axis=axis), x.shape)
    return Observation(
        agents=everywhere(obs.agents, -2),
        state=obs.state,
        legal=everywhere(obs.legal, -2),
        alive=everywhere(obs.alive, -1),
        first=obs.first,
        others=obs.others,
    )


def agent_losses(
    unroll: _Unroll, params: PyTree[Array], chunks: Chunk, clip: float, entropy
) -> Float[Array, " agents"]:
    """Return the actor's loss of each agent: the mean over the steps in which it lives."""
    terms = jax.vmap(lambda chunk: policy_terms(unroll(params, chunk), chunk, clip))(chunks)
    loss = terms["policy_loss"] - entropy * terms["entropy"]
    active = chunks.active
    return jnp.sum(loss * active, axis=(0, 1)) / jnp.maximum(jnp.sum(active, axis=(0, 1)), 1)


def gradient_variance(
    unroll: _Unroll, params: PyTree[Array], chunks: Chunk, clip: float, entropy
) -> Float[Array, ""]:
    """Return the mean over agents of |g_i - g|^2: g_i is the gradient of agent i's loss, g their mean."""
    losses = lambda params: agent_losses(unroll, params, chunks, clip, entropy)
    grads = jax.tree.leaves(jax.jacrev(losses)(params))
    apart = [jnp.sum((g - jnp.mean(g, axis=0)) ** 2) / len(g) for g in grads]
    return jnp.sum(jnp.stack(apart))
