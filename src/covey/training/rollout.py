"""The one rollout: steps of n copies of a world in a row, for training, evaluation, films and tables."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from ..core import Metrics, Observation, Trajectory


class Actors(eqx.Module):
    """n copies of an environment, what their agents carry, and the episodes under way."""

    env: PyTree[Array]  # every leaf ends with n; in all other fields n is the first axis
    obs: Observation
    carry: tuple[PyTree[Array], ...]  # one for each slot
    over: Bool[Array, " n"]
    returns: Float[Array, "n teams"]


class Rollout(NamedTuple):
    """The result of `rollout`. `ended` sums the returns of the episodes that ended, by team."""

    actors: Actors
    trajectory: Trajectory
    ended: Metrics
    recorded: Any  # `[T+1, ...]`: what `record` returned at every moment


Tick = Callable[[Actors, Any], tuple[Actors, Trajectory, Metrics]]


def rollout(
    tick: Tick,
    actors: Actors,
    length: int,
    record: Callable[[Actors], PyTree] = lambda actors: None,
    scan: Callable = jax.lax.scan,
) -> Rollout:
    """Take `length` steps by `tick(actors, t)`, and return them as trajectories `[n, T, ...]`.

    `record` picks what to keep of the actors at each of the T+1 moments. `scan` runs the steps: a world
    that is a Python program needs one in Python.
    """

    def step(actors: Actors, t: Any):
        recorded = record(actors)
        actors, taken, ended = tick(actors, t)
        return actors, (taken, ended, recorded)

    actors, (taken, ended, recorded) = scan(step, actors, jnp.arange(length))
    taken = jax.tree.map(lambda x: jnp.moveaxis(x, 0, 1), taken)
    ended = jax.tree.map(lambda x: jnp.sum(x, 0), ended)
    recorded = jax.tree.map(lambda xs, x: jnp.concatenate([xs, x[None]]), recorded, record(actors))
    return Rollout(actors, append_observation(taken, actors.obs), ended, recorded)


def append_observation(steps: Trajectory, last: Observation) -> Trajectory:
    """Return steps with their T+1st observation."""
    append = lambda xs, x: jnp.concatenate([xs, x[:, None]], axis=1)
    return replace(steps, obs=jax.tree.map(append, steps.obs, last))


def first_episodes(rollouts: Trajectory) -> dict[str, PyTree[Array]]:
    """Return sums over the first episode of each rollout, which began at its first step."""
    within = rollouts.valid & (jnp.cumsum(rollouts.obs.first[:, :-1], axis=1) == 1)
    expanded = lambda x: within.reshape(*within.shape, *[1] * (x.ndim - 2))
    total = lambda x: jnp.sum(jnp.where(expanded(x), x, 0), axis=1)
    return {
        "teams": total(rollouts.team_reward),
        "agents": total(rollouts.reward),
        "length": jnp.sum(within, axis=1),
        "counts": jax.tree.map(total, rollouts.counts),
    }
