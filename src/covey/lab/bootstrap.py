"""Games of several states: an operator and its backup, in turn, until nothing changes.

    vdn, qmix   Q_tot <- Pi T Q_tot,                      T Q(s, u) = r + gamma Q_tot(s', u*)
    cw, ow      Q_hat <- T_w Q_hat, Q_tot <- Pi_w Q_hat,  T_w Q_hat(s, u) = r + gamma Q_hat(s', u*)

where u* is what the agents choose by Q_tot. Without weights the next value is Q_tot's own, which is its
largest; with them it is an unrestricted table's, and Q_tot only chooses (Rashid et al., 2020).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from ..core import AbstractEnvironment
from ..core.scene import Tabular
from ..errors import UserError
from .operators import Projection, project
from .reading import Table, chosen

STATES, SWEEPS = 64, 1000


class Game(NamedTuple):
    """Every state's payoffs, and where each joint action leads: -1 where the game is over."""

    names: list[str]
    pays: list[Float[np.ndarray, "*shape"]]
    leads: list[Int[np.ndarray, "*shape"]]

    def backup(self, worth: list[float], gamma: float) -> list[Table]:
        """r + gamma times what the next state is worth."""
        later = np.array([*worth, 0.0])  # the last is the end's
        return [pays + gamma * later[leads] for pays, leads in zip(self.pays, self.leads, strict=True)]


class Fixed(NamedTuple):
    """Of each state: what was projected in the end, and its projection. After how many sweeps; 0 if never."""

    targets: list[Float[np.ndarray, "*shape"]]
    projections: list[Projection]
    sweeps: int


def explore(env: AbstractEnvironment, name: str) -> Game:
    """A small game whole, by trying every joint action in every state. Chance would be missed."""
    if not isinstance(env, Tabular) or env.spec.bounds:
        raise UserError(
            f"{name} is no game in tables: take two_step, matrix or a payoff like [[8,-12],[-12,0]]"
        )
    key = jax.random.key(0)
    state, obs = env.reset(key, 1)
    shape = tuple(np.asarray(obs.legal[0]).sum(axis=1).tolist())
    joints = jnp.array(list(np.ndindex(shape)), env.spec.action_type)
    n = len(joints)
    mark = lambda obs, i: np.asarray(obs.state[i]).tobytes()
    found, states, pays, leads = {mark(obs, 0): 0}, [state], [], []
    for state in states:  # it grows meanwhile
        copies = jax.tree.map(lambda x: jnp.repeat(x, n, axis=-1), state)
        after, step = env.step(copies, joints, key)
        over, where = np.asarray(step.terminated | step.truncated), np.full(n, -1)
        for i in np.flatnonzero(~over):
            where[i] = found.setdefault(mark(step.obs, i), len(found))
            if where[i] == len(states):
                states.append(jax.tree.map(lambda x, i=i: x[..., i : i + 1], after))
        if len(states) > STATES:
            raise UserError(f"{name} has more than {STATES} states: the lab takes small games")
        pays.append(np.asarray(step.team_reward[:, 0], float).reshape(shape))
        leads.append(where.reshape(shape))
    return Game(named(env, pays, leads), pays, leads)


def named(env: Tabular, pays: list[Table], leads: list[Int[np.ndarray, "*shape"]]) -> list[str]:
    """The states' names, of those that the game's own tables name."""
    names = [f"state {i}" for i in range(len(pays))]
    for table in env.tables():
        at = 0
        for joint in table.path:
            at = int(leads[at][joint])
        names[at] = table.name or names[at]
    return names


def optimal(game: Game, gamma: float) -> list[Table]:
    """Q*: the backup alone."""
    values = game.backup([0.0] * len(game.pays), gamma)
    for _ in range(SWEEPS):
        values = game.backup([float(v.max()) for v in values], gamma)
    return values


def settle(game: Game, operator: str, alpha: float, gamma: float) -> Fixed:
    """Backup and projection from zero until nothing changes. Of several minimisers the first counts."""
    weighted = operator in ("cw", "ow")
    worth, before = [0.0] * len(game.pays), None
    for sweep in range(SWEEPS):
        targets = game.backup(worth, gamma)
        if before is not None and all(
            np.allclose(t, b, atol=1e-10) for t, b in zip(targets, before[0], strict=True)
        ):
            return Fixed(*before, sweep)
        projections = [project(target, operator, alpha) for target in targets]
        tables = targets if weighted else [p.table for p in projections]
        worth = [float(table[chosen(p.table)[0]]) for table, p in zip(tables, projections, strict=True)]
        before = targets, projections
    assert before is not None
    return Fixed(*before, 0)
