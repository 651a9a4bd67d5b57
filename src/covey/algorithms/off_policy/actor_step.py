"""The values that actors learn from: of new actions, of two critics blended, and how far these disagree."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ... import ops
from ...core import Metrics, Trajectory
from .deterministic import DeterministicActors, LocalCritics, Vectors

# each agent's value of its own new action in `Vectors`, beside the actions that the others took
ActionValue = Callable[[Trajectory, Vectors], Float[Array, "T agents"]]
# a batch's values of what actors would do now, and the outputs that these actions come from
PolicyEvaluator = Callable[
    [DeterministicActors, ActionValue], tuple[Float[Array, "b T agents"], Float[Array, "b T agents dims"]]
]


def policy_evaluator(batch: Trajectory, key: PRNGKeyArray, temperature: Float[Array, ""]) -> PolicyEvaluator:
    """Return a function that evaluates actors' new actions, each agent's own beside the others' old ones."""
    keys = ops.each(ops.named(key, "actor"), batch)

    def one(actors: DeterministicActors, value: ActionValue, t: Trajectory, key: PRNGKeyArray):
        x = actors.unroll(t.current_obs)
        return value(t, actors.sample(x, t.current_obs.legal, temperature, key)), x

    return lambda actors, value: jax.vmap(one, (None, None, 0, 0))(actors, value, batch, keys)


def restrict_value(team: tuple[int, ...], value: ActionValue) -> ActionValue:
    """Return the same value for agents of the team, 0 for all others."""

    def restricted(t: Trajectory, own: Vectors) -> Float[Array, "T agents"]:
        return jnp.where(np.isin(np.arange(own.shape[1]), team), value(t, own), 0.0)

    return restricted


def local_value(critics: LocalCritics) -> ActionValue:
    """Return Q_i(o_i, a_i) for agents of the team, 0 for all others."""

    def value(t: Trajectory, own: Vectors) -> Float[Array, "T agents"]:
        return jnp.zeros(own.shape[:2]).at[:, np.array(critics.members)].set(critics(t.current_obs, own))

    return value


def blend_values(joint: ActionValue, critics: LocalCritics, alpha: Float[Array, ""]) -> ActionValue:
    """Return alpha Q_i(x, a) + (1 - alpha) Q_i(o_i, a_i) in the team, Q_i(x, a) outside it."""

    def value(t: Trajectory, own: Vectors) -> Float[Array, "T agents"]:
        weight = jnp.ones(own.shape[1]).at[np.array(critics.members)].set(alpha)
        return weight * joint(t, own) + (1 - weight) * local_value(critics)(t, own)

    return value


def disagreement(
    actors: DeterministicActors,
    evaluate: PolicyEvaluator,
    joint: ActionValue,
    critics: LocalCritics,
    batch: Trajectory,
) -> Metrics:
    """Return both values' means and deviations, and the cosine between their gradients for each actor."""
    team = np.array(critics.members)
    metrics: Metrics = {}
    directions = []
    active = batch.valid[..., None] & batch.obs.alive[:, :-1, team]

    def total_value(actors: DeterministicActors, value: ActionValue):
        q = evaluate(actors, value)[0][..., team]
        mean, square = (jax.vmap(ops.mean, -1)(x, active) for x in (q, q**2))
        return jnp.sum(mean), (jnp.mean(mean), jnp.mean(jnp.sqrt(jnp.maximum(square - mean**2, 0.0))))

    values = {"global": restrict_value(critics.members, joint), "local": local_value(critics)}
    for name, value in values.items():
        grads, (mean, scale) = ops.gradients(total_value, actors, value)
        metrics |= {f"{name}_value": mean, f"{name}_scale": scale}
        directions.append(grads.networks.per_agent())
    cosine = jax.vmap(ops.cosine)(*directions)
    return metrics | {f"cosine/{name}": cosine[i] for i, name in zip(team, critics.names, strict=True)}
