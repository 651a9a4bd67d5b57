"""Games of several states: explored whole, and each operator's fixed point."""

import numpy as np
import pytest

from covey.environments.games import Matrix, TwoStep
from covey.environments.probes import Recall
from covey.errors import UserError
from covey.lab.bootstrap import explore, optimal, solve_game
from covey.lab.choices import chosen_joints

GAME = explore(TwoStep(), "two_step")


def test_two_step_is_found_as_it_is():
    # Would break: a state met twice, an end taken for a state, names given to the wrong ones.
    assert GAME.names == ["first choice", "2A", "2B"]
    assert [pays.tolist() for pays in GAME.payoffs] == [[[0, 0], [0, 0]], [[7, 7], [7, 7]], [[0, 1], [1, 8]]]
    assert [leads.tolist() for leads in GAME.successors] == [[[1, 1], [2, 2]], [[-1, -1]] * 2, [[-1, -1]] * 2]


def test_rounds_are_states():
    # Would break: forbidden actions among the joint ones; a discount at the wrong end.
    game = explore(Matrix([[1, 2, 3], [4, 5, 6]], rounds=3), "matrix")
    assert [pays.shape for pays in game.payoffs] == [(2, 3)] * 3
    values = optimal(game, 0.5)
    assert [values[i].max() for i in range(3)] == [6 + 3 + 1.5, 6 + 3, 6]


def test_vdn_settles_on_its_table():
    # Would break: a next value taken from the truth; the best of 2B is 6.5 to VDN, so 2A looks better.
    fixed = solve_game(GAME, "vdn", 0.1, 0.99)
    tables = [projection.table for projection in fixed.projections]
    assert fixed.sweeps == 2
    np.testing.assert_allclose(tables[2], [[-1.5, 2.5], [2.5, 6.5]])
    np.testing.assert_allclose(tables[0], [[6.93, 6.93], [6.435, 6.435]])
    assert chosen_joints(tables[0]) == [(0, 0), (0, 1)]


@pytest.mark.parametrize("operator", ["qmix", "cw", "ow"])
def test_the_others_settle_on_the_truth(operator):
    # Would break: a table that is monotone as it is, but moved; a state that bootstraps after its end.
    fixed = solve_game(GAME, operator, 0.1, 0.99)
    truths = optimal(GAME, 0.99)
    np.testing.assert_allclose(truths[0], [[6.93, 6.93], [7.92, 7.92]])
    for projection, truth in zip(fixed.projections, truths, strict=True):
        np.testing.assert_allclose(projection.table, truth, atol=1e-9)


def test_what_comes_later_is_worth_what_the_operator_says():
    # Would break: qmix given the unrestricted value, which only the weighted operators keep; or they its own.
    payoff = [[8, -12, -12], [-12, 0, 0], [-12, 0, 0]]
    game = explore(Matrix([[p - 1.5 if p == 8 else p for p in row] for row in payoff], rounds=2), "matrix")
    plain, weighted = solve_game(game, "qmix", 0.1, 1.0), solve_game(game, "cw", 0.1, 1.0)
    assert plain.targets[0].max() == pytest.approx(6.5)  # 6.5 now, and then what its table plays: 0
    assert weighted.targets[0].max() == pytest.approx(13)
    np.testing.assert_allclose(weighted.targets[0], optimal(game, 1.0)[0])


def test_other_worlds_are_refused():
    # Would break: an endless search of a world that has no tables.
    with pytest.raises(UserError, match=r"probe/recall is no game in tables.*two_step"):
        explore(Recall(), "probe/recall")
