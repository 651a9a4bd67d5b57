"""The nearest table that rises along every axis: isotonic regression on a grid, exactly.

Of all tables q that rise along every axis, the nearest to x under weights w minimises

    sum_i w_i r(x_i - q_i),   r(d) = d^2 where d > 0, and c d^2 elsewhere.

With c = 1 these are least squares. With c < 1 they are expectiles: an entry above its level pulls harder.

By partition (Maxwell and Muckstadt, 1985; Luss and Rosset, 2014, for any convex loss): a block of cells
starts at its common level. If some upper part of it pulls upwards on balance, the heaviest such part and the
rest become blocks of their own, and never meet again. Blocks of many tables are worked on side by side.
"""

from functools import cache

import numpy as np
from jaxtyping import Bool, Float

Tables = Float[np.ndarray, "n *shape"]
_NOISE = 1e-13  # of rounding, relative to a table's largest number


@cache
def upper_sets(shape: tuple[int, ...]) -> Bool[np.ndarray, "sets cells"]:
    """Return every set of a grid's cells that holds, with a cell, all cells further along any axis."""
    if not shape:
        return np.array([[False], [True]])
    rows = upper_sets(shape[1:])
    inside = _inside(shape[1:])
    chains = [(k,) for k in range(len(rows))]
    for _ in range(shape[0] - 1):
        chains = [(*chain, k) for chain in chains for k in np.flatnonzero(inside[:, chain[-1]])]
    return np.array([rows[np.array(chain)].ravel() for chain in chains])


@cache
def _inside(shape: tuple[int, ...]) -> Bool[np.ndarray, "sets sets"]:
    """Return whether the column's upper set lies within the row's."""
    sets = upper_sets(shape).astype(int)
    return (1 - sets) @ sets.T == 0


def _heaviest_upper_set(
    pull: Float[np.ndarray, "n rows *rest"],
) -> tuple[Bool[np.ndarray, "n cells"], Float[np.ndarray, " n"]]:
    """Return the upper set of the greatest sum, and the sum.

    This is dynamic programming over rows: the part of each row holds the part of the row before it.
    """
    n = len(pull)
    sets = upper_sets(pull.shape[2:])
    inside = _inside(pull.shape[2:])
    scores = pull.reshape(n, pull.shape[1], -1) @ sets.T.astype(float)
    sums = [scores[:, 0]]
    for row in range(1, pull.shape[1]):
        allowed = np.where(inside, sums[-1][:, None], -np.inf)
        sums.append(scores[:, row] + allowed.max(axis=2))
    picks = [sums[-1].argmax(axis=1)]
    for best in sums[-2::-1]:
        picks.append(np.where(inside[picks[-1]], best, -np.inf).argmax(axis=1))
    return sets[np.stack(picks[::-1], axis=1)].reshape(n, -1), sums[-1].max(axis=1)


def _best_level(
    x: Float[np.ndarray, "n cells"], weight: Float[np.ndarray, "n cells"], below: float
) -> Float[np.ndarray, " n"]:
    """Return the best constant of each row: its weighted mean, or its expectile by Newton's method.

    The method ends exactly, since each step but the last moves a cell to the other side of the level.
    """
    level = np.sum(weight * x, axis=1) / np.sum(weight, axis=1)
    for _ in range(x.shape[1] if below != 1 else 0):
        w = weight * np.where(x > level[:, None], 1.0, below)
        before = level
        level = np.sum(w * x, axis=1) / np.sum(w, axis=1)
        if np.array_equal(before, level):
            break
    return level


def isotonic(tables: Tables, weights: Tables, below: float = 1.0) -> Tables:
    """Return the nearest tables that rise along every axis; `below` is c, the weight where q exceeds x."""
    n = len(tables)
    shape = tables.shape[1:]
    x = tables.reshape(n, -1)
    w = np.broadcast_to(weights, tables.shape).reshape(n, -1)
    noise = _NOISE * np.abs(x).max(axis=1)
    result = np.empty_like(x)
    owner = np.arange(n)  # the table of each block
    block = np.ones(x.shape, bool)
    while len(owner):
        weight = w[owner] * block
        level = _best_level(x[owner], weight, below)
        weight *= np.where(x[owner] > level[:, None], 1.0, below)
        upper, gain = _heaviest_upper_set((weight * (x[owner] - level[:, None])).reshape(-1, *shape))
        splits = gain > noise[owner] * weight.sum(axis=1)
        rows, cells = np.nonzero(block & ~splits[:, None])
        result[owner[rows], cells] = level[rows]
        block = np.concatenate([(block & upper)[splits], (block & ~upper)[splits]])
        owner = np.tile(owner[splits], 2)
    return result.reshape(tables.shape)


def isotonic_loss(
    tables: Tables, isotone: Tables, weights: Tables, below: float = 1.0
) -> Float[np.ndarray, " n"]:
    """Return the loss that `isotonic` minimises."""
    gap = tables - isotone
    return np.sum((weights * np.where(gap > 0, 1.0, below) * gap**2).reshape(len(gap), -1), axis=1)
