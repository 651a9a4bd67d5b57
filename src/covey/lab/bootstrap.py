"""Games of several states: backup and operator in turn, until nothing changes.

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
from .choices import GameTable, chosen_joints
from .operators import Projection, project

_MOST_STATES = 64
_SWEEPS = 1000
_OVER = -1  # the next state where the game is over


class GameStates(NamedTuple):
    """The payoffs of every state, and the state that each joint action leads to, or -1."""

    names: list[str]
    payoffs: list[Float[np.ndarray, "*shape"]]
    successors: list[Int[np.ndarray, "*shape"]]

    def backup(self, values: list[float], gamma: float) -> list[GameTable]:
        """Return r + gamma V(s'), for the value V of each state."""
        later = np.array([*values, 0.0])  # index -1, of a game that is over, finds this last 0
        pairs = zip(self.payoffs, self.successors, strict=True)
        return [payoffs + gamma * later[successors] for payoffs, successors in pairs]


class FixedPoint(NamedTuple):
    """For each state, the table that was projected last, and its projection."""

    targets: list[Float[np.ndarray, "*shape"]]
    projections: list[Projection]
    sweeps: int  # until nothing changed; 0 if that never happened


def explore(env: AbstractEnvironment, name: str) -> GameStates:
    """Read a small game whole, by trying every joint action in every state. It must have no chance."""
    if not isinstance(env, Tabular) or env.spec.bounds:
        raise UserError(
            f"{name} is no game in tables: take two_step, matrix or a payoff like [[8,-12],[-12,0]]"
        )
    key = jax.random.key(0)
    state, obs = env.reset(key, 1)
    shape = tuple(np.asarray(obs.legal[0]).sum(axis=1).tolist())
    joints = jnp.array(list(np.ndindex(shape)), env.spec.action_type)
    identity = lambda obs, i: np.asarray(obs.state[i]).tobytes()
    numbers = {identity(obs, 0): 0}
    states = [state]
    payoffs = []
    successors = []
    for state in states:  # the list grows while it is read
        copies = jax.tree.map(lambda x: jnp.repeat(x, len(joints), axis=-1), state)
        after, step = env.step(copies, joints, key)
        over = np.asarray(step.terminated | step.truncated)
        following = np.full(len(joints), _OVER)
        for i in np.flatnonzero(~over):
            following[i] = numbers.setdefault(identity(step.obs, i), len(numbers))
            if following[i] == len(states):
                states.append(jax.tree.map(lambda x, i=i: x[..., i : i + 1], after))
        if len(states) > _MOST_STATES:
            raise UserError(f"{name} has more than {_MOST_STATES} states: the lab takes small games")
        payoffs.append(np.asarray(step.team_reward[:, 0], float).reshape(shape))
        successors.append(following.reshape(shape))
    return GameStates(_state_names(env, successors), payoffs, successors)


def _state_names(env: Tabular, successors: list[Int[np.ndarray, "*shape"]]) -> list[str]:
    """Return the names that the game's own tables give to states, and numbers for the others."""
    names = [f"state {i}" for i in range(len(successors))]
    for table in env.tables():
        state = 0
        for joint in table.path:
            state = int(successors[state][joint])
        names[state] = table.name or names[state]
    return names


def optimal(game: GameStates, gamma: float) -> list[GameTable]:
    """Return Q*: the fixed point of the backup alone."""
    values = game.backup([0.0] * len(game.payoffs), gamma)
    for _ in range(_SWEEPS):
        values = game.backup([float(v.max()) for v in values], gamma)
    return values


def solve_game(game: GameStates, operator: str, alpha: float, gamma: float) -> FixedPoint:
    """Back up and project, from zero, until nothing changes. Of several minimisers the first is used."""
    weighted = operator in ("cw", "ow")
    values = [0.0] * len(game.payoffs)
    before = None
    for sweep in range(_SWEEPS):
        targets = game.backup(values, gamma)
        if before is not None and _all_close(targets, before[0]):
            return FixedPoint(*before, sweep)
        projections = [project(target, operator, alpha) for target in targets]
        tables = targets if weighted else [projection.table for projection in projections]
        choices = [chosen_joints(projection.table)[0] for projection in projections]
        values = [float(table[joint]) for table, joint in zip(tables, choices, strict=True)]
        before = targets, projections
    assert before is not None
    return FixedPoint(*before, 0)


def _all_close(a: list[GameTable], b: list[GameTable]) -> bool:
    return all(np.allclose(x, y, atol=1e-10) for x, y in zip(a, b, strict=True))
