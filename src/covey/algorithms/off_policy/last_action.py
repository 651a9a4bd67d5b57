"""Agents' last actions beside their observations, for networks that read them."""

from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...core import Observation, Spec, Trajectory
from .deterministic import Vectors


class LastActionCarry(eqx.Module):
    """An actor's carry, and the last actions as vectors: zeros at an episode's start."""

    hidden: Float[Array, "*b agents h"]
    action: Vectors


def spec_with_last_actions(spec: Spec) -> Spec:
    """Return the spec of observations that end with the agent's last action."""
    return replace(spec, features=spec.features + spec.actions, layouts=())


def with_last_actions(obs: Observation, last: Vectors) -> Observation:
    """Return observations that end with last actions; those of agents of other learners end with zeros."""
    zeros = jnp.zeros((*obs.others.shape[:-1], last.shape[-1]))
    return Observation(
        agents=jnp.concatenate([obs.agents, last], axis=-1),
        state=obs.state,
        legal=obs.legal,
        alive=obs.alive,
        first=obs.first,
        others=jnp.concatenate([obs.others, zeros], axis=-1),
    )


def recall_actions(t: Trajectory, taken: Vectors) -> Trajectory:
    """Return a trajectory whose observations end with the actions taken before them."""
    before = jnp.concatenate([jnp.zeros_like(taken[:1]), taken])
    last = jnp.where(t.obs.first[:, None, None], 0.0, before)
    return replace(t, obs=with_last_actions(t.obs, last))
