"""Two values that pull at one actor: a blend of them, and how far they disagree."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ... import ops
from ...core import Metrics, Trajectory
from .deterministic import Actors, LocalCritics, Vectors

Value = Callable[[Trajectory, Vectors], Float[Array, "T agents"]]  # of agents' own fresh actions
# of a batch: what actors would do now is worth, and the outputs it comes from
FreshActions = Callable[[Actors, Value], tuple[Float[Array, "b T agents"], Float[Array, "b T agents dims"]]]


def within(team: tuple[int, ...], value: Value) -> Value:
    """The same of these agents, and 0 of all others."""

    def only(t: Trajectory, own: Vectors) -> Float[Array, "T agents"]:
        return jnp.where(np.isin(np.arange(own.shape[1]), team), value(t, own), 0.0)

    return only


def locally(critics: LocalCritics) -> Value:
    """Q_i(o_i, a_i) of the team, and 0 of all others."""

    def value(t: Trajectory, own: Vectors) -> Float[Array, "T agents"]:
        return jnp.zeros(own.shape[:2]).at[:, np.array(critics.members)].set(critics(t.current_obs, own))

    return value


def blended(joint: Value, critics: LocalCritics, alpha: Float[Array, ""]) -> Value:
    """alpha Q_i(x, a) + (1 - alpha) Q_i(o_i, a_i) in the team, Q_i(x, a) outside it."""

    def value(t: Trajectory, own: Vectors) -> Float[Array, "T agents"]:
        weight = jnp.ones(own.shape[1]).at[np.array(critics.members)].set(alpha)
        return weight * joint(t, own) + (1 - weight) * locally(critics)(t, own)

    return value


def disagreement(
    actors: Actors, fresh: FreshActions, joint: Value, critics: LocalCritics, batch: Trajectory
) -> Metrics:
    """Both values' means and deviations; for each actor of the team, the cosine between their gradients."""
    team, told, wanted = np.array(critics.members), {}, []
    active = batch.valid[..., None] & batch.obs.alive[:, :-1, team]

    def total(actors: Actors, value: Value):
        q = fresh(actors, value)[0][..., team]
        mean, square = (jax.vmap(ops.mean, -1)(x, active) for x in (q, q**2))
        return jnp.sum(mean), (jnp.mean(mean), jnp.mean(jnp.sqrt(jnp.maximum(square - mean**2, 0.0))))

    for name, value in {"global": within(critics.members, joint), "local": locally(critics)}.items():
        grads, (mean, scale) = ops.gradients(total, actors, value)
        told |= {f"{name}_value": mean, f"{name}_scale": scale}
        wanted.append(grads.networks.each())
    cosine = jax.vmap(ops.cosine)(*wanted)
    return told | {f"cosine/{name}": cosine[i] for i, name in zip(team, critics.names, strict=True)}
