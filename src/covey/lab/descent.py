"""The tables that gradient descent finds where `operators` has the exact answer.

It trains the mixer of training itself. Each agent has a free value for each action, the mixer makes the
team's value of them, and the weighted squares over all joint actions are descended at once, from several
starts.
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

from ..networks.mixers import AbstractMixer, Choices, MonotonicMixer, SumMixer
from ..ops import descend, init_opt_state, named
from ..parts import Adam, LinearSchedule
from .choices import GameTable, Joint
from .operators import weighting

_STATE = jnp.ones(1)  # the mixer's state: a constant
_SIZE = 10.0  # of the largest payoff that is trained on
_ALIKE = 0.02  # tables that differ less, relative to the largest payoff, count as one


class DescentEnd(NamedTuple):
    """A table at which several starts ended, its error, and the agents' own joint action."""

    table: Float[np.ndarray, "*shape"]
    error: float
    chosen: Joint
    starts: int


class _Team(eqx.Module):
    """The agents' own values, and their mixer."""

    values: Float[Array, "agents actions"]
    mixer: AbstractMixer
    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, joint: Int[Array, " agents"]) -> Float[Array, ""]:
        legal = jnp.arange(max(self.shape)) < jnp.array(self.shape)[:, None]
        return self.mixer(Choices(self.values, joint, legal), _STATE)[0]


def descent_ends(
    table: GameTable,
    operator: str,
    alpha: float = 0.1,
    starts: int = 10,
    steps: int = 4000,
    seed: int = 0,
) -> list[DescentEnd]:
    """Return the tables at which gradient descent ends, the most frequent first.

    The largest payoff is scaled to 10 and the agents' values start near 0, as in training.
    """
    unit = float(np.abs(table).max()) / _SIZE or 1.0
    weights, below = weighting(table, operator, alpha)
    target = jnp.array(table.ravel() / unit, float)
    heavy = jnp.array(weights.ravel(), float)
    mixer = SumMixer if operator == "vdn" else MonotonicMixer
    trained = _train(jr.key(seed), target, heavy, jnp.array(below), mixer, table.shape, starts, steps)
    scaled, values = map(np.asarray, trained)
    chosen = [tuple(int(v[i, :n].argmax()) for i, n in enumerate(table.shape)) for v in values]
    tables = (scaled * unit).reshape(starts, *table.shape).astype(float)
    return _group(table, tables, chosen, operator, alpha, _ALIKE * _SIZE * unit)


@partial(jax.jit, static_argnames=("mixer", "shape", "starts", "steps"))
def _train(
    key: PRNGKeyArray,
    target: Float[Array, " cells"],
    weights: Float[Array, " cells"],
    below: Float[Array, ""],
    mixer: Callable[..., AbstractMixer],
    shape: tuple[int, ...],
    starts: int,
    steps: int,
) -> tuple[Float[Array, "starts cells"], Float[Array, "starts agents actions"]]:
    """Return the table and the agents' own values that each start leads to."""
    joints = jnp.array(list(np.ndindex(shape)))
    optimiser = Adam(lr=LinearSchedule(1e-2, 1e-4, steps), clip=0.0)

    def loss(team: _Team):
        gap = target - jax.vmap(team)(joints)
        heavy = weights * jax.lax.stop_gradient(jnp.where(gap > 0, 1.0, below))
        return jnp.sum(heavy * gap**2), {}

    def step(carry, _):
        team, state, _ = descend(optimiser, loss, *carry)
        return (team, state), None

    def train_one(start: Int[Array, ""]):
        team = _init_team(named(key, "start", start), mixer, shape)
        team = jax.lax.scan(step, (team, init_opt_state(optimiser, team)), length=steps)[0][0]
        return jax.vmap(team)(joints), team.values

    return jax.vmap(train_one)(jnp.arange(starts))


def _init_team(key: PRNGKeyArray, mixer: Callable[..., AbstractMixer], shape: tuple[int, ...]) -> _Team:
    values = 0.1 * jr.normal(named(key, "values"), (len(shape), max(shape)))
    net = mixer(len(shape), len(_STATE), max(shape), key=named(key, "mixer"))
    return _Team(values, net, shape)


def _group(
    truth: GameTable,
    tables: Float[np.ndarray, "starts *shape"],
    chosen: list[Joint],
    operator: str,
    alpha: float,
    near: float,
) -> list[DescentEnd]:
    """Put tables that differ by less than `near` into groups; each is shown by the one of least error."""
    weights, below = weighting(truth, operator, alpha)
    gaps = truth - tables
    errors = np.sum((weights * np.where(gaps > 0, 1.0, below) * gaps**2).reshape(len(tables), -1), axis=1)
    groups: list[list[int]] = []
    for i in map(int, np.argsort(errors)):
        alike = [group for group in groups if np.abs(tables[group[0]] - tables[i]).max() < near]
        if alike:
            alike[0].append(i)
        else:
            groups.append([i])
    groups.sort(key=len, reverse=True)
    return [DescentEnd(tables[g[0]], float(errors[g[0]]), chosen[g[0]], len(g)) for g in groups]
