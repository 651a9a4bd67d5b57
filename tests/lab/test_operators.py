"""The projections: known answers, symmetries, and what bounds them where not every order is tried."""

import numpy as np
import pytest

from covey.errors import UserError
from covey.lab import operators
from covey.lab.choices import chosen_joints, is_maximum, rate_choice
from covey.lab.operators import additive, every_order, lower_bound, project, weighting

GAME = np.array([[8.0, -12, -12], [-12, 0, 0], [-12, 0, 0]])
CROSS = np.array([[1.0, 0], [0, 1]])
TRAP = np.array([[1.0, 0.9], [-100, 0.5]])


def cornered(rest):
    """8 in the corner and the same number everywhere else."""
    return np.where(np.arange(9).reshape(3, 3) == 0, 8.0, rest)


def test_vdn_is_least_squares():
    # Would break: a margin counted twice; weights left out of the normal equations.
    nearest = project(GAME, "vdn")
    expected = np.array([[-6.22, -4.89, -4.89], [-4.89, -3.56, -3.56], [-4.89, -3.56, -3.56]])
    np.testing.assert_allclose(nearest.table, expected, atol=0.01)
    assert rate_choice(GAME, chosen_joints(nearest.table)) == "wrong"
    table, draws = np.random.default_rng(0).normal(size=(3, 2, 4)), np.random.default_rng(1)
    np.testing.assert_allclose(additive(table), additive(table, np.ones_like(table)), atol=1e-12)
    weights = draws.uniform(0.1, 1, table.shape)
    gap = weights * (table - additive(table, weights))
    for agent in range(3):  # nothing is left that any action of anybody could take up
        assert np.abs(np.moveaxis(gap, agent, 0).reshape(table.shape[agent], -1).sum(axis=1)).max() < 1e-12


def test_the_best_monotone_table_of_the_game_is_right():
    # Would break: a search that ends where gradient descent does, with 320.
    nearest = project(GAME, "qmix")
    assert nearest.exact and nearest.error == pytest.approx(288) and len(nearest.tables) == 1
    np.testing.assert_allclose(nearest.table, cornered(-6), atol=1e-9)
    assert (
        chosen_joints(nearest.table) == [(0, 0)]
        and rate_choice(GAME, chosen_joints(nearest.table)) == "right"
    )


def test_a_little_less_and_it_is_wrong():
    # Would break: an argmax that is right by construction. 288 is what the right order costs here, too.
    game = GAME.copy()
    game[0, 0] = 6.9
    nearest = project(game, "qmix")
    assert nearest.error == pytest.approx(285.768) and nearest.error < 288
    assert chosen_joints(nearest.table) == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert rate_choice(game, chosen_joints(nearest.table)) == "wrong"
    np.testing.assert_allclose(nearest.table[0], [-8.22] * 3)
    for operator in ("cw", "ow"):
        assert rate_choice(game, chosen_joints(project(game, operator, 0.1).table)) == "right"


def test_all_four_minimisers():
    # Would break: minimisers merged, lost, or mistaken for each other.
    nearest = project(CROSS, "qmix")
    assert nearest.error == pytest.approx(2 / 3) and len(nearest.tables) == 4
    third = [[1, 1 / 3], [1 / 3, 1 / 3]]
    stairs = [[2 / 3, 2 / 3], [0, 2 / 3]]
    expected = [third, np.rot90(third, 2), stairs, np.rot90(stairs, 2)]
    for table in expected:
        assert sum(np.allclose(table, one) for one in nearest.tables) == 1
    verdicts = sorted(rate_choice(CROSS, chosen_joints(table)) for table in nearest.tables)
    assert verdicts == ["right", "right", "wrong", "wrong"]


@pytest.mark.parametrize("alpha", [0.5, 0.1, 0.01])
def test_both_weightings_recover_the_game(alpha):
    # Would break: cw's weight at the wrong place; ow's on the wrong side. Elsewhere there are
    # four -12, exceeded, and four 0, not reached: alpha (x + 12) = -x.
    np.testing.assert_allclose(project(GAME, "cw", alpha).table, cornered(-6), atol=1e-9)
    low = -12 * alpha / (1 + alpha)
    np.testing.assert_allclose(project(GAME, "ow", alpha).table, cornered(low), atol=1e-9)


def test_alpha_one_is_qmix():
    # Would break: a weight that alpha does not reach.
    table = np.random.default_rng(3).normal(size=(3, 4))
    plain = project(table, "qmix")
    for operator in ("cw", "ow"):
        weighted = project(table, operator, 1.0)
        assert weighted.error == pytest.approx(plain.error)
        np.testing.assert_allclose(weighted.table, plain.table, atol=1e-9)


def test_of_several_best_one_is_singled_out():
    # Would break: cw's weight on all maxima: both would be 1, and with them one of the zeros.
    weights, _ = weighting(CROSS, "cw", 0.1)
    assert weights.tolist() == [[1, 0.1], [0.1, 0.1]]
    assert chosen_joints(project(CROSS, "cw").table) == [(0, 0)]


def test_agents_choose_by_their_own_values():
    # Would break: any maximum of the table taken for what agents do. By hand: (0, 0) and (0, 1) are pooled,
    # but where the first agent plays 1 the second values its second action more, so it does everywhere.
    for operator in ("cw", "ow"):
        nearest = project(TRAP, operator, 0.1).table
        pooled = (1 + 0.1 * 0.9) / 1.1
        np.testing.assert_allclose(nearest, [[pooled, pooled], [-100, 0.5]], atol=1e-9)
        assert is_maximum(nearest).tolist() == [[True, True], [False, False]]
        assert chosen_joints(nearest) == [(0, 1)] and rate_choice(TRAP, chosen_joints(nearest)) == "wrong"


@pytest.mark.parametrize("operator", ["cw", "ow"])
def test_the_theorem(operator):
    # Would break: a weighting under which the best joint action is not among the maxima, however small alpha.
    tables = np.random.default_rng(0).normal(size=(60, 3, 3))
    for table in tables:
        nearest = project(table, operator, 1e-4).table
        assert is_maximum(nearest).flat[table.argmax()]
        assert nearest.max() == pytest.approx(table.max(), abs=0.02)


@pytest.mark.parametrize("operator", ["qmix", "cw", "ow"])
def test_names_of_actions_do_not_matter(operator):
    # Would break: an order left out, a table put back in the wrong places.
    draws = np.random.default_rng(5)
    table = draws.normal(size=(3, 4, 2))
    nearest = project(table, operator)
    places = [draws.permutation(n) for n in table.shape]
    moved = project(table[np.ix_(*places)], operator)
    np.testing.assert_allclose(moved.table, nearest.table[np.ix_(*places)], atol=1e-9)
    turned = project(table.transpose(2, 0, 1), operator)
    np.testing.assert_allclose(turned.table, nearest.table.transpose(2, 0, 1), atol=1e-9)


def test_monotone_tables_stay():
    # Would break: error where there is none to make, in exact and in unfinished search.
    for n in (5, 8):
        up = np.add.outer(np.arange(n), np.arange(n)) ** 2.0
        table = up[np.random.default_rng(0).permutation(n)]
        nearest = project(table, "qmix")
        assert nearest.exact and nearest.error == pytest.approx(0, abs=1e-9)
        np.testing.assert_allclose(nearest.table, table, atol=1e-6)


@pytest.mark.parametrize("operator", ["qmix", "cw", "ow"])
def test_bounds_hold(operator, monkeypatch):
    # Would break: a bound above the optimum, a search that claims more than it knows.
    table = np.random.default_rng(7).normal(size=(5, 4))
    exact = project(table, operator)
    monkeypatch.setattr(operators, "_EXHAUSTIVE", 0)
    nearest = project(table, operator)
    assert nearest.bound <= exact.error + 1e-9 <= nearest.error + 2e-9
    weights, below = weighting(table, operator, 0.1)
    assert 0 < lower_bound(table, weights, below) <= exact.error + 1e-9
    assert not nearest.exact


def test_five_by_five_tries_every_order():
    # Would break: a search that is no longer exhaustive where that was promised; symmetric answers lost.
    assert len(np.unique(every_order((5, 5)), axis=0)) == 120**2
    nearest = project(np.eye(5), "qmix")
    assert nearest.exact and len(nearest.tables) == 120
    rounded = {np.round(table, 9).tobytes() for table in nearest.tables}
    swapped = {np.round(table[[1, 0, 2, 3, 4]][:, [1, 0, 2, 3, 4]], 9).tobytes() for table in nearest.tables}
    assert len(rounded) == 120 and rounded == swapped


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((GAME, "iql"), r"unknown operator 'iql'.*vdn, qmix, cw, ow"),
        ((GAME, "cw", 0.0), r"alpha=0.*above 0"),
        ((GAME, "ow", 1.5), r"alpha=1\.5.*at most 1"),
        ((np.ones(3), "qmix"), r"3 joint actions.*two agents"),
        ((np.ones((9, 9, 9)), "qmix"), r"9 × 9 × 9.*three with up to 5"),
    ],
)
def test_bad_input(arguments, says):
    # Would break: a traceback, or an hour's silence.
    with pytest.raises(UserError, match=says):
        project(*arguments)
