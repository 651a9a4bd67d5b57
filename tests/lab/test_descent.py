"""Gradient descent on the real mixers: where it ends, beside what is best."""

import numpy as np
import pytest

from covey.lab.descent import _group, descent_ends
from covey.lab.operators import project

GAME = np.array([[8.0, -12, -12], [-12, 0, 0], [-12, 0, 0]])


def test_like_ends_are_gathered():
    # Would break: ends counted apart for what is only noise; the rarest told first; errors without weights.
    a, b = np.zeros((3, 3)), np.full((3, 3), 1.0)
    found = _group(GAME, np.stack([a, b, b + 0.01]), [(0, 0), (1, 1), (2, 2)], "qmix", 0.1, near=0.1)
    assert [(one.starts, one.chosen) for one in found] == [(2, (1, 1)), (1, (0, 0))]
    assert found[1].error == 64 + 4 * 144
    (weighted,) = _group(GAME, a[None], [(0, 0)], "cw", 0.1, near=0.1)
    assert weighted.error == pytest.approx(64 + 0.1 * 4 * 144)
    (weighted,) = _group(GAME, a[None], [(0, 0)], "ow", 0.25, near=0.1)
    assert weighted.error == pytest.approx(64 + 0.25 * 4 * 144)


@pytest.mark.slow
def test_the_famous_failure_is_descents():
    # Would break: a start so far out that it meets the exact answer by chance; a mixer that is not QMIX's.
    table = np.array([[-8.0, -8, -8], [-8, 0, 0], [-8, 0, 0]])
    ends = descent_ends(GAME, "qmix", starts=4, steps=3000)
    assert ends[0].starts == 4 and ends[0].error == pytest.approx(320, abs=0.1)
    np.testing.assert_allclose(ends[0].table, table, atol=0.1)
    assert GAME[ends[0].chosen] == 0
    assert project(GAME, "qmix").error < 289


@pytest.mark.slow
@pytest.mark.parametrize("operator", ["vdn", "cw", "ow"])
def test_elsewhere_it_finds_the_exact_answer(operator):
    # Would break: weights that gradient descent does not see, or a gradient through them.
    (end,) = descent_ends(GAME, operator, starts=4, steps=3000)
    exact = project(GAME, operator)
    np.testing.assert_allclose(end.table, exact.table, atol=0.1)
    assert end.error == pytest.approx(exact.error, abs=0.05)
    assert GAME[end.chosen] == (0 if operator == "vdn" else 8)
