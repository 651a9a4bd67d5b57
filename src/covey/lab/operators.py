"""The nearest table of a restricted kind: the best that a mixer could represent.

VDN's tables are sums of the agents' own values. QMIX's are monotone: each agent's actions have an order in
which the table rises along every axis, whatever the others do. Orders are searched, and for given orders
`isotonic` finds the nearest table. The weighted operators (Rashid et al., 2020, "Weighted QMIX") weigh
the distance:

    Pi_w Q = argmin over monotone q of  sum_u w(u) (Q(u) - q(u))^2

    qmix  w = 1
    cw    w = 1 at u* = argmax Q, the first of several; alpha elsewhere      (the idealised central weighting)
    ow    w = 1 where q < Q; alpha elsewhere                                 (optimistic; it depends on q)
"""

from collections.abc import Iterator
from functools import cache
from itertools import combinations, permutations, product
from math import factorial, prod
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ..errors import UserError
from .choices import GameTable
from .isotonic import Tables, isotonic, isotonic_loss, upper_sets

OPERATORS = ("vdn", "qmix", "cw", "ow")
_EXHAUSTIVE = 3e7  # the cost up to which all orders are tried: 5 × 6 actions, or 3 × 3 × 3
_MOST_SETS = 300  # upper sets of a slice; a table with more is refused
_MOST_ENTRIES = 1000  # of a table; a larger one is refused
_BATCH = 4e6  # numbers in memory at once
_STARTS = 12  # of the search where there are too many orders
_CUTTINGS = 8  # of its lower bound
_Order = tuple[tuple[int, ...], ...]  # for each agent, its actions from worst to best


class Projection(NamedTuple):
    """An operator applied to a table: all minimisers, their error, and a lower bound of it."""

    operator: str
    alpha: float
    tables: Float[np.ndarray, "minimisers *shape"]
    error: float  # as the operator weighs it
    bound: float  # the error itself where all orders were tried

    @property
    def table(self) -> GameTable:
        """The first minimiser."""
        return self.tables[0]

    @property
    def exact(self) -> bool:
        """True if no table has a smaller error."""
        return self.bound == self.error


def project(table: GameTable | list, operator: str = "qmix", alpha: float = 0.1) -> Projection:
    """Return the nearest tables of the operator's kind; `alpha` is the lesser weight of cw and ow."""
    table = np.asarray(table, float)
    if operator not in OPERATORS:
        raise UserError(f"unknown operator '{operator}': there are {', '.join(OPERATORS)}")
    if not 0 < alpha <= 1:
        raise UserError(f"alpha={alpha:g} is no weight: give one above 0 and at most 1")
    weights, below = weighting(table, operator, alpha)
    if operator == "vdn":
        nearest = additive(table)
        error = float(np.sum((table - nearest) ** 2))
        return Projection(operator, alpha, nearest[None], error, error)
    return Projection(operator, alpha, *_monotone(table, weights, below))


def weighting(table: GameTable, operator: str, alpha: float) -> tuple[GameTable, float]:
    """Return the weight of each joint action, and a factor for entries that q exceeds."""
    weights = np.ones_like(table)
    if operator == "cw":
        weights = np.full_like(table, alpha)
        weights.flat[table.argmax()] = 1.0
    return weights, alpha if operator == "ow" else 1.0


def additive(table: GameTable, weights: GameTable | None = None) -> GameTable:
    """Return the nearest sum of the agents' own values: in closed form, or by least squares if weighted."""
    if weights is None:
        agents = range(table.ndim)
        sums = sum(table.mean(axis=_other_axes(table, agent), keepdims=True) for agent in agents)
        return sums - (table.ndim - 1) * table.mean()
    own = [np.eye(n)[index.ravel()] for n, index in zip(table.shape, np.indices(table.shape), strict=True)]
    features = np.concatenate(own, axis=1)
    root = np.sqrt(weights.ravel())
    values = np.linalg.lstsq(features * root[:, None], table.ravel() * root)[0]
    return (features @ values).reshape(table.shape)


def _other_axes(table: GameTable, agent: int) -> tuple[int, ...]:
    return tuple(axis for axis in range(table.ndim) if axis != agent)


def _monotone(
    table: GameTable, weights: GameTable, below: float = 1.0
) -> tuple[Float[np.ndarray, "minimisers *shape"], float, float]:
    """Return the nearest monotone tables, their error, and a lower bound of it.

    The bound is the error itself if all orders were tried.
    """
    turn = np.argsort([-n for n in table.shape], kind="stable")  # it is fastest with the longest axis first
    turned = table.transpose(turn)
    heavy = weights.transpose(turn)
    _check_size(turned.shape)
    if _cost(turned.shape) <= _EXHAUSTIVE:
        all_tables, all_errors = solve_orders(turned[None], heavy[None], every_order(turned.shape), below)
        nearest = all_tables[0]
        errors = all_errors[0]
        bound = float(errors.min())
    else:
        nearest, errors = _search(turned, heavy, below)
        bound = min(lower_bound(turned, heavy, below), float(errors.min()))
    error = float(errors.min())
    slack = 1e-9 * float(np.sum(weights * table**2))
    minimisers = _distinct(nearest[errors <= error + slack], np.abs(table).max())
    turned_back = minimisers.transpose(0, *(1 + np.argsort(turn)))
    return turned_back, error, bound if bound < error - slack else error


def _check_size(shape: tuple[int, ...]) -> None:
    if len(shape) < 2 or _slice_sets(shape) > _MOST_SETS or prod(shape) > _MOST_ENTRIES:
        raise UserError(
            f"a table of {' × '.join(map(str, shape))} joint actions is not for the lab: it takes two agents "
            "with up to 30 actions each, three with up to 5, four or five with 2"
        )


def _slice_sets(shape: tuple[int, ...]) -> int:
    """Return how many upper sets a slice has; too many, where even counting them takes too long."""
    countable = prod(shape[1:]) <= 30 and len(shape) <= 5
    return len(upper_sets(shape[1:])) if countable else _MOST_SETS + 1


def _cost(shape: tuple[int, ...]) -> float:
    """Return the cost of trying all orders."""
    return prod(factorial(n) for n in shape) * shape[0] * float(_slice_sets(shape)) ** 2


@cache
def every_order(shape: tuple[int, ...]) -> Int[np.ndarray, "orders cells"]:
    """Return, for every order of each agent's actions, where the ordered table's cells lie in the table."""
    return np.array([_cells(shape, order) for order in product(*map(permutations, map(range, shape)))])


def _cells(shape: tuple[int, ...], order: _Order) -> Int[np.ndarray, " cells"]:
    return np.arange(prod(shape)).reshape(shape)[np.ix_(*order)].ravel()


def solve_orders(
    tables: Tables, weights: Tables, orders: Int[np.ndarray, "orders cells"], below: float = 1.0
) -> tuple[Float[np.ndarray, "n orders *shape"], Float[np.ndarray, "n orders"]]:
    """Return, for each table and order, the nearest table that rises in this order, and its error.

    The tables returned have the arrangement of those given.
    """
    n = len(tables)
    shape = tables.shape[1:]
    x = tables.reshape(n, -1)[:, orders].reshape(-1, *shape)
    w = weights.reshape(n, -1)[:, orders].reshape(-1, *shape)
    size = max(1, int(_BATCH / (_slice_sets(shape) ** 2 * len(shape))))
    ordered = np.empty_like(x)
    errors = np.empty(len(x))
    for i in range(0, len(x), size):
        part = slice(i, i + size)
        ordered[part] = isotonic(x[part], w[part], below)
        errors[part] = isotonic_loss(x[part], ordered[part], w[part], below)
    arranged = np.empty((n, *orders.shape))
    places = np.broadcast_to(orders, arranged.shape)
    np.put_along_axis(arranged, places, ordered.reshape(arranged.shape), axis=2)
    return arranged.reshape(n, len(orders), *shape), errors.reshape(n, -1)


def _distinct(tables: Tables, size: float) -> Float[np.ndarray, "minimisers *shape"]:
    """Drop repetitions, up to rounding; tables whose first actions are best come first."""
    rounded = np.round(tables.reshape(len(tables), -1) / (1e-7 * size or 1))
    _, where = np.unique(rounded, axis=0, return_index=True)
    return tables[where[::-1]]


def _search(
    table: GameTable, weights: GameTable, below: float
) -> tuple[Float[np.ndarray, "n *shape"], Float[np.ndarray, " n"]]:
    """Search orders: from several starts, exchange the best two actions until no exchange is better."""
    tables = []
    errors = []
    least_gain = 1e-12 * np.sum(weights * table**2)
    for start in _first_orders(table):
        order = start
        orders = _cells(table.shape, order)[None]
        best, error = solve_orders(table[None], weights[None], orders, below)
        while True:
            neighbours = list(_exchanges(order))
            orders = np.array([_cells(table.shape, neighbour) for neighbour in neighbours])
            tried, tried_errors = solve_orders(table[None], weights[None], orders, below)
            least = int(tried_errors[0].argmin())
            if tried_errors[0, least] >= error[0, 0] - least_gain:
                break
            order = neighbours[least]
            best = tried[:, least : least + 1]
            error = tried_errors[:, least : least + 1]
        tables.append(best[0, 0])
        errors.append(error[0, 0])
    return np.array(tables), np.array(errors)


def _first_orders(table: GameTable) -> Iterator[_Order]:
    """Yield orders by each action's mean, by its best entry, and at random."""
    rng = np.random.default_rng(0)
    for rank in (np.mean, np.max):
        scores = [rank(table, axis=_other_axes(table, agent)) for agent in range(table.ndim)]
        yield tuple(tuple(np.argsort(score).tolist()) for score in scores)
    for _ in range(_STARTS - 2):
        yield tuple(tuple(rng.permutation(n).tolist()) for n in table.shape)


def _exchanges(order: _Order) -> Iterator[_Order]:
    """Yield every order in which two actions of one agent are exchanged."""
    for agent, actions in enumerate(order):
        for i, j in combinations(range(len(actions)), 2):
            exchanged = list(actions)
            exchanged[i] = actions[j]
            exchanged[j] = actions[i]
            yield (*order[:agent], tuple(exchanged), *order[agent + 1 :])


def lower_bound(table: GameTable, weights: GameTable, below: float) -> float:
    """Return a bound that no monotone table's error can undercut.

    Part of a monotone table is monotone, so the parts of a table cannot have a larger error together than
    the whole table has.
    """
    rng = np.random.default_rng(1)
    most = {2: 4, 3: 3}.get(table.ndim, 2)
    return max(_error_of_parts(table, weights, below, most, rng) for _ in range(_CUTTINGS))


def _error_of_parts(
    table: GameTable, weights: GameTable, below: float, most: int, rng: np.random.Generator
) -> float:
    """Return the parts' errors together; each axis is cut at random into at most `most` actions a part."""
    pieces = [np.array_split(rng.permutation(n), -(-n // most)) for n in table.shape]
    total = 0.0
    for piece in product(*pieces):
        part = table[np.ix_(*piece)][None]
        heavy = weights[np.ix_(*piece)][None]
        total += float(solve_orders(part, heavy, every_order(part.shape[1:]), below)[1].min())
    return total
