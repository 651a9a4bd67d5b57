"""The joint actions that agents choose by a table, and whether these are right."""

from itertools import product
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

GameTable = Float[np.ndarray, "*shape"]  # an axis per agent
Joint = tuple[int, ...]  # an action for each agent
Rating = Literal["right", "a tie", "wrong"]
_TOLERANCE = 1e-7  # of rounding, relative to a table's largest number


def is_maximum(table: GameTable) -> Bool[np.ndarray, "*shape"]:
    """Mark the largest entries."""
    return table >= table.max() - _TOLERANCE * np.abs(table).max()


def chosen_joints(table: GameTable) -> list[Joint]:
    """Return the joint actions of agents that each take their own best action, by a monotone table.

    An agent's best action is the one that is nowhere worse than another, whatever the others do. These
    joint actions are among the table's maxima, but not all of them: of [[1, 1], [0, 1]] the first agent's
    best is its first action, the second's its second; (0, 0) is a maximum too, but would ask the second
    agent for the action it values less.
    """
    slack = _TOLERANCE * np.abs(table).max()
    best = []
    for agent in range(table.ndim):
        rows = np.moveaxis(table, agent, 0).reshape(table.shape[agent], -1)
        best.append(np.flatnonzero(np.all(rows >= rows.max(axis=0) - slack, axis=1)))
    return [tuple(map(int, joint)) for joint in product(*best)]


def rate_choice(truth: GameTable, joints: list[Joint]) -> Rating:
    """Return "right" if all of these joint actions are best, "a tie" if only some are."""
    best = [bool(truth[joint] == truth.max()) for joint in joints]
    if all(best):
        return "right"
    return "a tie" if any(best) else "wrong"
