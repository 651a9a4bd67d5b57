"""What a table makes agents do, and whether that is right."""

from itertools import product
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

Table = Float[np.ndarray, "*shape"]
Joint = tuple[int, ...]
Verdict = Literal["right", "a tie", "wrong"]
NEAR = 1e-7  # relative to a table's largest number: what rounding may part


def maxima(table: Table) -> Bool[np.ndarray, "*shape"]:
    """Where the table is largest."""
    return table >= table.max() - NEAR * np.abs(table).max()


def chosen(table: Table) -> list[Joint]:
    """The joint actions of agents that each take their own best action, by a monotone table.

    An agent's best action is the one that is nowhere worse than another, whatever the others do. These
    are among the table's maxima, but not all of them: of [[1, 1], [0, 1]] the first agent's best is its
    first action, the second's its second; (0, 0) is a maximum too, but would ask the second agent for
    the action it values less.
    """
    best = []
    for agent in range(table.ndim):
        rows = np.moveaxis(table, agent, 0).reshape(table.shape[agent], -1)
        best.append(np.flatnonzero(np.all(rows >= rows.max(axis=0) - NEAR * np.abs(table).max(), axis=1)))
    return [tuple(map(int, joint)) for joint in product(*best)]


def verdict(truth: Table, joints: list[Joint]) -> Verdict:
    """Right if every one of these joint actions is best, a tie if only some are."""
    best = [bool(truth[joint] == truth.max()) for joint in joints]
    return "right" if all(best) else "a tie" if any(best) else "wrong"
