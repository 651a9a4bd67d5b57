"""Isotonic regression on grids: hand-computed, and certified optimal in full."""

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey.lab.isotonic import isotonic, isotonic_loss, upper_sets


def one(table, weights=1.0, below=1.0):
    table = np.asarray(table, float)
    return isotonic(table[None], np.full_like(table, weights)[None], below)[0]


@pytest.mark.parametrize(
    ("shape", "count"), [((3,), 4), ((5, 5), comb(10, 5)), ((2, 2, 2), 20), ((3, 3, 3), 980)]
)
def test_upper_sets_are_all_there(shape, count):
    # Would break: a set forgotten or told twice; 20 and 980 are MacMahon's counts of boxes of stacked cubes.
    sets = upper_sets(shape)
    assert len(sets) == len(np.unique(sets, axis=0)) == count
    grids = sets.reshape(-1, *shape).astype(int)
    assert all((np.diff(grids, axis=axis) >= 0).all() for axis in range(1, grids.ndim))


def test_chains_by_hand():
    # Would break: pooling that stops early, forgets a weight, or lets the weight depend on the wrong side.
    assert one([3, 1, 2]).tolist() == [2, 2, 2]
    assert one([1, 3, 2, 4]).tolist() == [1, 2.5, 2.5, 4]
    assert one([3, 0], np.array([1.0, 2])) == pytest.approx([1, 1])
    # 1 - m = c m: the pooled pair's expectile is 1 / (1 + c)
    assert one([1, 0], below=0.25) == pytest.approx([0.8, 0.8])
    assert one([0, 1], below=0.25).tolist() == [0, 1]


def test_a_square_by_hand():
    # Would break: a square treated as a chain: 0 and 6 need not be ordered, 6 and 4 are pooled.
    assert one([[1, 6], [0, 4]]).tolist() == [[0.5, 5], [0.5, 5]]
    assert one([[0, 6], [0, 7]]).tolist() == [[0, 6], [0, 7]]


@settings(max_examples=60, deadline=None)
@given(
    shape=st.sampled_from([(4,), (3, 3), (5, 5), (2, 2, 2), (3, 2, 3), (2, 2, 2, 2)]),
    seed=st.integers(0, 2**20),
    below=st.sampled_from([1.0, 0.5, 0.1, 0.001]),
    coarse=st.booleans(),
)
def test_the_answer_is_certified(shape, seed, below, coarse):
    # Would break: any answer but the optimum. Of a convex loss over a convex cone, q is the minimum just when
    # the pull at q is orthogonal to q and leads into no corner of the cone: constants and upper sets.
    draws = np.random.default_rng(seed)
    tables = 10 * draws.normal(size=(4, *shape))
    tables = np.round(tables / 5) if coarse else tables  # many ties
    weights = draws.choice([1.0, 0.1], size=tables.shape)
    q = isotonic(tables, weights, below)
    assert all(np.diff(q, axis=axis).min(initial=0) >= -1e-9 for axis in range(1, q.ndim))
    pull = (weights * np.where(tables > q, 1.0, below) * (tables - q)).reshape(4, -1)
    assert np.abs(pull.sum(axis=1)).max() < 1e-9
    assert np.abs((pull * q.reshape(4, -1)).sum(axis=1)).max() < 1e-8
    assert (pull @ upper_sets(shape).T.astype(float)).max() < 1e-9


def test_tables_side_by_side_are_as_alone():
    # Would break: a block of one table that moves another's; parts written over each other.
    tables = np.random.default_rng(0).normal(size=(50, 3, 3))
    together = isotonic(tables, np.ones_like(tables), 0.3)
    alone = np.stack([isotonic(t[None], np.ones((1, 3, 3)), 0.3)[0] for t in tables])
    np.testing.assert_allclose(together, alone, atol=1e-12)


def test_loss_counts_by_side():
    # Would break: the side that counts less.
    table, found = np.array([[2.0, 0.0]]), np.array([[1.0, 2.0]])
    assert isotonic_loss(table, found, np.array([[1.0, 3.0]]), 0.5) == pytest.approx([1 + 0.5 * 3 * 4])
