"""The nearest table of a restricted kind: what a mixer could represent at best.

VDN's tables are sums of the agents' own values. QMIX's are monotone: each agent's actions have an order in
which the table rises along every axis, whatever the others do. Orders are searched, and within given orders
the nearest table is `isotonic`'s. The weighted operators (Rashid et al., 2020, "Weighted QMIX") differ in
what they call near:

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
from .isotonic import Tables, isotonic, loss, upper_sets

Table = Float[np.ndarray, "*shape"]
OPERATORS = ("vdn", "qmix", "cw", "ow")
EXACT = 3e7  # the work within which all orders are tried: 5 × 6 actions, or 3 × 3 × 3
SETS = 300  # upper sets of a slice, beyond which no table is worked on
BATCH = 4e6  # numbers held at once
STARTS, CUTTINGS = 12, 8  # of the search where there are too many orders, and of its lower bound


class Projection(NamedTuple):
    """An operator applied to a table: every minimiser found, their error, and what no table can undercut."""

    operator: str
    alpha: float
    tables: Float[np.ndarray, "minimisers *shape"]
    error: float  # as the operator weighs it
    bound: float  # the error itself where all orders were tried

    @property
    def table(self) -> Table:
        """The first minimiser."""
        return self.tables[0]

    @property
    def exact(self) -> bool:
        return self.bound == self.error


def project(table: Table | list, operator: str = "qmix", alpha: float = 0.1) -> Projection:
    """The nearest table of the operator's kind; alpha counts for cw and ow."""
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
    return Projection(operator, alpha, *monotone(table, weights, below))


def weighting(table: Table, operator: str, alpha: float) -> tuple[Table, float]:
    """The weight of each joint action, and the further one of those that q does not fall short of."""
    weights = np.ones_like(table)
    if operator == "cw":
        weights = np.full_like(table, alpha)
        weights.flat[table.argmax()] = 1.0
    return weights, alpha if operator == "ow" else 1.0


def additive(table: Table, weights: Table | None = None) -> Table:
    """The nearest sum of the agents' own values: in closed form, or by normal equations if weighted."""
    axes = range(table.ndim)
    if weights is None:
        rest = lambda agent: tuple(axis for axis in axes if axis != agent)
        sums = sum(table.mean(axis=rest(agent), keepdims=True) for agent in axes)
        return sums - (table.ndim - 1) * table.mean()
    own = [np.eye(n)[index.ravel()] for n, index in zip(table.shape, np.indices(table.shape), strict=True)]
    features, root = np.concatenate(own, axis=1), np.sqrt(weights.ravel())
    values = np.linalg.lstsq(features * root[:, None], table.ravel() * root)[0]
    return (features @ values).reshape(table.shape)


def monotone(
    table: Table, weights: Table, below: float = 1.0
) -> tuple[Float[np.ndarray, "minimisers *shape"], float, float]:
    """The nearest monotone tables, their error, and a lower bound: the error if all orders were tried."""
    turn = np.argsort([-n for n in table.shape], kind="stable")  # the longest axis first is the least work
    turned, heavy = table.transpose(turn), weights.transpose(turn)
    check(turned.shape)
    if work(turned.shape) <= EXACT:
        found, errors = solve(turned[None], heavy[None], every_order(turned.shape), below)
        found, errors = found[0], errors[0]
        bound = float(errors.min())
    else:
        found, errors = search(turned, heavy, below)
        bound = min(lower_bound(turned, heavy, below), float(errors.min()))
    error = float(errors.min())
    slack = 1e-9 * float(np.sum(weights * table**2))
    least = distinct(found[errors <= error + slack], np.abs(table).max())
    return least.transpose(0, *(1 + np.argsort(turn))), error, bound if bound < error - slack else error


def check(shape: tuple[int, ...]) -> None:
    if len(shape) < 2 or rest_sets(shape) > SETS or prod(shape) > 1000:
        raise UserError(
            f"a table of {' × '.join(map(str, shape))} joint actions is not for the lab: it takes two agents "
            "with up to 30 actions each, three with up to 5, four or five with 2"
        )


def rest_sets(shape: tuple[int, ...]) -> int:
    """How many upper sets a slice has; many, where even counting is too long."""
    return len(upper_sets(shape[1:])) if prod(shape[1:]) <= 30 and len(shape) <= 5 else SETS + 1


def work(shape: tuple[int, ...]) -> float:
    return prod(factorial(n) for n in shape) * shape[0] * float(rest_sets(shape)) ** 2


@cache
def every_order(shape: tuple[int, ...]) -> Int[np.ndarray, "orders cells"]:
    """For every order of each agent's actions, where the cells of the ordered table lie in the given one."""
    return np.array([cells(shape, order) for order in product(*map(permutations, map(range, shape)))])


def cells(shape: tuple[int, ...], order: tuple[tuple[int, ...], ...]) -> Int[np.ndarray, " cells"]:
    return np.arange(prod(shape)).reshape(shape)[np.ix_(*order)].ravel()


def solve(
    tables: Tables, weights: Tables, orders: Int[np.ndarray, "orders cells"], below: float = 1.0
) -> tuple[Float[np.ndarray, "n orders *shape"], Float[np.ndarray, "n orders"]]:
    """For each table and order the nearest table that rises so, in the given arrangement; and its error."""
    n, shape = len(tables), tables.shape[1:]
    x, w = (a.reshape(n, -1)[:, orders].reshape(-1, *shape) for a in (tables, weights))
    size = max(1, int(BATCH / (rest_sets(shape) ** 2 * len(shape))))
    found, errors = np.empty_like(x), np.empty(len(x))
    for i in range(0, len(x), size):
        part = slice(i, i + size)
        found[part] = isotonic(x[part], w[part], below)
        errors[part] = loss(x[part], found[part], w[part], below)
    back = np.empty((n, *orders.shape))
    np.put_along_axis(back, np.broadcast_to(orders, back.shape), found.reshape(back.shape), axis=2)
    return back.reshape(n, len(orders), *shape), errors.reshape(n, -1)


def distinct(tables: Tables, size: float) -> Float[np.ndarray, "minimisers *shape"]:
    """Without repetitions, the first-best actions first."""
    _, where = np.unique(
        np.round(tables.reshape(len(tables), -1) / (1e-7 * size or 1)), axis=0, return_index=True
    )
    return tables[where[::-1]]


def search(
    table: Table, weights: Table, below: float
) -> tuple[Float[np.ndarray, "n *shape"], Float[np.ndarray, " n"]]:
    """From several orders, the best exchange of two actions again and again, until none is any better."""
    found, errors = [], []
    for order in beginnings(table):
        best, error = solve(table[None], weights[None], cells(table.shape, order)[None], below)
        while True:
            near = list(exchanges(order))
            orders = np.array([cells(table.shape, one) for one in near])
            tried, their = solve(table[None], weights[None], orders, below)
            least = int(their[0].argmin())
            if their[0, least] >= error[0, 0] - 1e-12 * np.sum(weights * table**2):
                break
            order, best, error = near[least], tried[:, least : least + 1], their[:, least : least + 1]
        found.append(best[0, 0])
        errors.append(error[0, 0])
    return np.array(found), np.array(errors)


def beginnings(table: Table) -> Iterator[tuple[tuple[int, ...], ...]]:
    """By each action's mean, by its best, and at random."""
    draws = np.random.default_rng(0)
    rest = lambda agent: tuple(axis for axis in range(table.ndim) if axis != agent)
    for rank in (np.mean, np.max):
        yield tuple(tuple(np.argsort(rank(table, axis=rest(i))).tolist()) for i in range(table.ndim))
    for _ in range(STARTS - 2):
        yield tuple(tuple(draws.permutation(n).tolist()) for n in table.shape)


def exchanges(order: tuple[tuple[int, ...], ...]) -> Iterator[tuple[tuple[int, ...], ...]]:
    for agent, mine in enumerate(order):
        for i, j in combinations(range(len(mine)), 2):
            other = list(mine)
            other[i], other[j] = other[j], other[i]
            yield (*order[:agent], tuple(other), *order[agent + 1 :])


def lower_bound(table: Table, weights: Table, below: float) -> float:
    """Part of a monotone table is monotone: so tables cut up cannot have less error together than whole."""
    draws, most = np.random.default_rng(1), {2: 4, 3: 3}.get(table.ndim, 2)
    return max(cut_up(table, weights, below, most, draws) for _ in range(CUTTINGS))


def cut_up(table: Table, weights: Table, below: float, most: int, draws: np.random.Generator) -> float:
    """The parts' errors together, each axis cut at random into pieces of at most so many actions."""
    pieces = [np.array_split(draws.permutation(n), -(-n // most)) for n in table.shape]
    total = 0.0
    for piece in product(*pieces):
        part, heavy = (a[np.ix_(*piece)][None] for a in (table, weights))
        total += float(solve(part, heavy, every_order(part.shape[1:]), below)[1].min())
    return total
