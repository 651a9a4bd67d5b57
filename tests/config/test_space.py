"""Search spaces: ranges and lists of values."""

import pytest

from covey.config.space import SearchRange, read_axis, read_space, typed_space
from covey.errors import UserError


# Fails if a bound is never drawn, or something outside is.
@pytest.mark.parametrize(
    ("text", "low", "middle", "high"),
    [("uniform(0,1)", 0.0, 0.5, 1.0), ("log(1e-4,1e-2)", 1e-4, 1e-3, 1e-2), ("whole(2, 4)", 2, 3, 4)],
)
def test_range(text, low, middle, high):
    axis = read_axis("x", [text])
    assert isinstance(axis, SearchRange)
    assert (axis.at(0.0), axis.at(0.5), axis.at(1.0)) == (low, middle, high)


# Fails if a drawn number has more figures than its name shows: the name would be another number.
def test_drawn_numbers_are_short():
    assert SearchRange("uniform", 0.0, 1.0).at(0.123456789) == 0.1235


# Fails if what the sweep's file holds would be read as something else.
def test_a_space_survives_its_file():
    axes = {"gamma": [0.9, 0.99], "lr": ["log(0.0001,0.01)"], "payoff": [[[1, 2], [3, 4]]]}
    assert typed_space(read_space(axes)) == axes


# Fails if a mistyped range would be taken for a text, and tried as a value.
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("log(1e-2,1e-4)", "smaller"),
        ("log(0,1)", "above 0"),
        ("whole(1.5,3)", "whole numbers"),
        ("lag(1,2)", "no range"),
        ("uniform(a,b)", "numbers"),
    ],
)
def test_bad_ranges(text, says):
    with pytest.raises(UserError, match=says):
        read_axis("gamma", [text])
