"""What gradient descent finds where `operators` has the answer: the mixer of training itself, on a table.

Each agent has a value of its own for each action, free to be any number; the mixer makes the team's of them,
and the weighted squares over all joint actions are descended, all at once, from several starts.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ..networks.mixers import AbstractMixer, MonotonicMixer, SumMixer
from ..ops import descend, init_opt_state, named
from ..parts import Adam, LinearSchedule
from .operators import weighting
from .reading import Joint

WORLD = jnp.ones(1)  # the mixer's state: a constant


class Descent(NamedTuple):
    """A table that several starts ended at, with its error and the agents' own joint action."""

    table: Float[np.ndarray, "*shape"]
    error: float
    chosen: Joint
    starts: int


class Team(eqx.Module):
    """The agents' own values and the mixer of them."""

    values: Float[Array, "agents actions"]
    mixer: AbstractMixer

    def __call__(self, joint: Int[Array, " agents"]) -> Float[Array, ""]:
        return self.mixer(self.values[jnp.arange(len(joint)), joint], WORLD)[0]


def descent(
    table: Float[np.ndarray, "*shape"],
    operator: str,
    alpha: float = 0.1,
    starts: int = 10,
    steps: int = 4000,
    seed: int = 0,
) -> list[Descent]:
    """Where gradient descent ends, the most frequent first; tables within 2 % of the largest number are one.

    The table is brought to a size of 10 and the agents' values begin near 0, as in training.
    """
    unit = float(np.abs(table).max()) / 10 or 1.0
    weights, below = weighting(table, operator, alpha)
    target, heavy = jnp.array(table.ravel() / unit, float), jnp.array(weights.ravel(), float)
    mixer = SumMixer if operator == "vdn" else MonotonicMixer
    found, values = map(
        np.asarray, ends(jr.key(seed), target, heavy, jnp.array(below), mixer, table.shape, starts, steps)
    )
    own = [tuple(int(v[i, :n].argmax()) for i, n in enumerate(table.shape)) for v in values]
    tables = (found * unit).reshape(starts, *table.shape).astype(float)
    return gathered(table, tables, own, operator, alpha, 0.2 * unit)


@partial(jax.jit, static_argnames=("mixer", "shape", "starts", "steps"))
def ends(
    key: PRNGKeyArray,
    target: Float[Array, " cells"],
    weights: Float[Array, " cells"],
    below: Float[Array, ""],
    mixer: Callable[..., AbstractMixer],
    shape: tuple[int, ...],
    starts: int,
    steps: int,
) -> tuple[Float[Array, "starts cells"], Float[Array, "starts agents actions"]]:
    """The table and the agents' own values that each start leads to."""
    joints = jnp.array(list(np.ndindex(shape)))
    optimiser = Adam(lr=LinearSchedule(1e-2, 1e-4, steps), clip=0.0)

    def loss(team: Team):
        gap = target - jax.vmap(team)(joints)
        heavy = weights * jax.lax.stop_gradient(jnp.where(gap > 0, 1.0, below))
        return jnp.sum(heavy * gap**2), {}

    def step(carry, _):
        team, state, _ = descend(optimiser, loss, *carry)
        return (team, state), None

    def end(start: Int[Array, ""]):
        team = begin(named(key, "start", start), mixer, shape)
        team = jax.lax.scan(step, (team, init_opt_state(optimiser, team)), length=steps)[0][0]
        return jax.vmap(team)(joints), team.values

    return jax.vmap(end)(jnp.arange(starts))


def begin(key: PRNGKeyArray, mixer: Callable[..., AbstractMixer], shape: tuple[int, ...]) -> Team:
    values = 0.1 * jr.normal(named(key, "values"), (len(shape), max(shape)))
    return Team(values, mixer(len(shape), len(WORLD), key=named(key, "mixer")))


def gathered(
    truth: Float[np.ndarray, "*shape"],
    tables: Float[np.ndarray, "starts *shape"],
    own: list[Joint],
    operator: str,
    alpha: float,
    near: float,
) -> list[Descent]:
    """Like ends together; of each kind the one with the least error."""
    weights, below = weighting(truth, operator, alpha)
    gaps = truth - tables
    errors = np.sum((weights * np.where(gaps > 0, 1.0, below) * gaps**2).reshape(len(tables), -1), axis=1)
    kinds: list[list[int]] = []
    for i in np.argsort(errors):
        like = [kind for kind in kinds if np.abs(tables[kind[0]] - tables[i]).max() < near]
        like[0].append(int(i)) if like else kinds.append([int(i)])
    kinds.sort(key=len, reverse=True)
    return [Descent(tables[k[0]], float(errors[k[0]]), own[k[0]], len(k)) for k in kinds]
