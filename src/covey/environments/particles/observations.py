"""Where episodes begin, and what agents see and hear. Arrays end with n, the copies."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ...core import Action, Observation
from ...errors import SettingError
from ...ops import named
from .physics import MOVES


def check(least: int = 1, **counts: int) -> None:
    """Refuses a world with too few of something."""
    for name, count in counts.items():
        if count < least:
            raise SettingError(name, "makes no world", f"set it to {least} or more", value=count)


def check_share(local_ratio: float) -> None:
    if not 0 <= local_ratio <= 1:
        problem = "is no share of the reward"
        raise SettingError("local_ratio", problem, "set it between 0 and 1", value=local_ratio)


def anywhere(
    key: PRNGKeyArray, name: str, count: int, n: int, edge: float = 1.0
) -> Float[Array, "count 2 n"]:
    return jr.uniform(named(key, name), (count, 2, n), minval=-edge, maxval=edge)


def between(
    here: Float[Array, "here 2 n"], there: Float[Array, "there 2 n"]
) -> Float[Array, "here there 2 n"]:
    """Where everything there is, from each place here."""
    return there[None] - here[:, None]


def others(x: Float[Array, "agents agents *rest"]) -> Float[Array, "agents others *rest"]:
    """Each agent's row without its own entry."""
    return jnp.stack([jnp.concatenate([row[:i], row[i + 1 :]]) for i, row in enumerate(x)])


def rows(x: Float[Array, "agents *rest n"]) -> Float[Array, "agents k n"]:
    """All that belongs to an agent in one row."""
    return x.reshape(x.shape[0], -1, x.shape[-1])


def spoken(action: Action, silent: int, words: int, dtype: jnp.dtype) -> Float[Array, "agents words n"]:
    """What was said: a word of `words`, one-hot, or as loud as continuous actions have it.

    `silent` counts an agent's actions, or dimensions, that say nothing.
    """
    a = jnp.moveaxis(action, 0, -1)
    if a.ndim == 3:
        return a[:, silent : silent + words].astype(dtype)
    return jax.nn.one_hot(a // max(silent, 1), words, axis=1, dtype=dtype)


def word(said: Float[Array, "agents words n"]) -> Int[Array, "agents n"]:
    """The loudest, -1 where nothing is said."""
    return jnp.where(jnp.any(said > 0, axis=1), jnp.argmax(said, axis=1), -1)


def observation(
    seen: Float[Array, "agents features n"],
    t: Int[Array, " n"],
    legal: np.ndarray | int = MOVES,
    state: Float[Array, "state n"] | None = None,
) -> Observation:
    """Everybody lives as long as the episode, and may always do the same."""
    agents, _, n = seen.shape
    legal = np.ones((agents, legal), bool) if isinstance(legal, int) else legal
    return Observation(
        agents=jnp.moveaxis(seen, -1, 0),
        state=jnp.zeros((n, 0)) if state is None else state.T,
        legal=jnp.broadcast_to(legal, (n, *legal.shape)),
        alive=jnp.ones((n, agents), bool),
        first=t == 0,
    )
