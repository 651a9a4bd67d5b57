"""The nearest table that rises along every axis: isotonic regression on a grid, exactly.

Of all tables q that rise along every axis, the one that is nearest to x under weights w: it makes least

    sum_i w_i r(x_i - q_i),   r(d) = d^2 where d > 0, and c d^2 elsewhere.

With c = 1 these are least squares, with c < 1 expectiles: what lies above its place pulls harder.

By partition (Maxwell and Muckstadt, 1985; Luss and Rosset, 2014, for any convex loss): a block of cells
begins at its common level; if any upper part of it pulls upwards on balance, the heaviest such part and the
rest go separate ways, and never meet again. Blocks of many tables are worked on side by side.
"""

from functools import cache
from itertools import accumulate

import numpy as np
from jaxtyping import Bool, Float

Tables = Float[np.ndarray, "n *shape"]


@cache
def upper_sets(shape: tuple[int, ...]) -> Bool[np.ndarray, "sets cells"]:
    """Every set of a grid's cells that holds, with a cell, all that lie further along any axis."""
    if not shape:
        return np.array([[False], [True]])
    rows = upper_sets(shape[1:])
    inside = nested(shape[1:])
    chains = [(k,) for k in range(len(rows))]
    for _ in range(shape[0] - 1):
        chains = [(*chain, k) for chain in chains for k in np.flatnonzero(inside[:, chain[-1]])]
    return np.array([rows[np.array(chain)].ravel() for chain in chains])


@cache
def nested(shape: tuple[int, ...]) -> Bool[np.ndarray, "sets sets"]:
    """Whether the column's upper set lies within the row's."""
    sets = upper_sets(shape).astype(int)
    return (1 - sets) @ sets.T == 0


def heaviest(
    pull: Float[np.ndarray, "n rows *rest"],
) -> tuple[Bool[np.ndarray, "n cells"], Float[np.ndarray, " n"]]:
    """The upper set of the greatest sum, and the sum: row by row, each row's part holding the one before."""
    n, rows, shape = len(pull), pull.shape[1], pull.shape[2:]
    sets, inside = upper_sets(shape), nested(shape)
    scores = pull.reshape(n, rows, -1) @ sets.T.astype(float)
    within = lambda best: np.where(inside, best[:, None], -np.inf)  # of each row's set, what it may hold
    sums = list(
        accumulate(
            range(1, rows), lambda best, r: scores[:, r] + within(best).max(axis=2), initial=scores[:, 0]
        )
    )
    chosen = [sums[-1].argmax(axis=1)]
    for best in sums[-2::-1]:
        chosen.append(np.where(inside[chosen[-1]], best, -np.inf).argmax(axis=1))
    return sets[np.stack(chosen[::-1], axis=1)].reshape(n, -1), sums[-1].max(axis=1)


def level(
    x: Float[np.ndarray, "n cells"], weight: Float[np.ndarray, "n cells"], below: float
) -> Float[np.ndarray, " n"]:
    """Each row's best constant: its weighted mean or expectile, by Newton's method, which ends exactly."""
    found = np.sum(weight * x, axis=1) / np.sum(weight, axis=1)
    for _ in range(x.shape[1] if below != 1 else 0):  # each step but the last moves a cell across
        w = weight * np.where(x > found[:, None], 1.0, below)
        before, found = found, np.sum(w * x, axis=1) / np.sum(w, axis=1)
        if np.array_equal(before, found):
            break
    return found


def isotonic(tables: Tables, weights: Tables, below: float = 1.0) -> Tables:
    """The nearest tables that rise along every axis; `below` is c, the weight of what q exceeds."""
    n, shape = len(tables), tables.shape[1:]
    x, w = tables.reshape(n, -1), np.broadcast_to(weights, tables.shape).reshape(n, -1)
    noise = 1e-13 * np.abs(x).max(axis=1)
    found, whose, block = np.empty_like(x), np.arange(n), np.ones(x.shape, bool)
    while len(whose):
        weight = w[whose] * block
        at = level(x[whose], weight, below)
        weight *= np.where(x[whose] > at[:, None], 1.0, below)
        upper, gain = heaviest((weight * (x[whose] - at[:, None])).reshape(-1, *shape))
        parts = gain > noise[whose] * weight.sum(axis=1)
        rows, cells = np.nonzero(block & ~parts[:, None])
        found[whose[rows], cells] = at[rows]
        block = np.concatenate([(block & upper)[parts], (block & ~upper)[parts]])
        whose = np.tile(whose[parts], 2)
    return found.reshape(tables.shape)


def loss(tables: Tables, found: Tables, weights: Tables, below: float = 1.0) -> Float[np.ndarray, " n"]:
    """What `isotonic` makes least."""
    gap = tables - found
    return np.sum((weights * np.where(gap > 0, 1.0, below) * gap**2).reshape(len(gap), -1), axis=1)
