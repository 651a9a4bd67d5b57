"""Grids of settings: values, combinations, and their names."""

import pytest

from covey.config import grid
from covey.errors import UserError


@pytest.mark.parametrize(
    ("typed", "parts"),
    [
        ("0.9", ["0.9"]),
        ("1,2", ["1", "2"]),
        ("[[1,2],[3,4]],[[5]]", ["[[1,2],[3,4]]", "[[5]]"]),
        ("{a: 1, b: 2},3", ["{a: 1, b: 2}", "3"]),
        ("'a,b',\"c,]\"", ["'a,b'", '"c,]"']),
    ],
)
def test_commas_that_part_and_commas_that_do_not(typed, parts):
    # Catches a table of payoffs cut up.
    assert grid.split_values(typed) == parts


@pytest.mark.parametrize("typed", ["1,,2", "1,", "[1,2", "1],2"])
def test_lists_that_are_none(typed):
    with pytest.raises(UserError, match="no list of values"):
        grid.split_values(typed)


def test_combinations_and_their_names():
    # Catches a key forgotten; what does not vary in every name; names no folder can have, or two share.
    axes = grid.parse_axes(["gamma=.9,0.99", "lam=0", "mixer=sum,mine.py:Mixer"])
    choices = grid.combinations(axes)
    names = [grid.combination_name(choice, axes) for choice in choices]
    assert choices[0] == {"gamma": 0.9, "lam": 0, "mixer": "sum"} and len(choices) == 4
    assert names[:2] == ["gamma=0.9,mixer=sum", "gamma=0.9,mixer=mine.py:Mixer"]
    folders = [grid.folder_name(name) for name in [*names, "a=x/y", "a=x:y", "a=" + "9" * 300]]
    assert len(set(folders)) == len(folders) and not any(
        "/" in f or ":" in f or len(f) > 120 for f in folders
    )
    assert folders[0] == names[0]


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (["gamma"], "'gamma' is no setting: write key=value1,value2"),
        (["gamma=.9", "gamma=.8"], "gamma is given twice: write all of its values in one place"),
        (["gamma=.9,0.9"], "gamma is given 0.9 twice"),
    ],
)
def test_axes_that_are_none(pairs, said):
    # Catches a value that is run twice, or a key whose values are lost.
    with pytest.raises(UserError) as error:
        grid.combinations(grid.parse_axes(pairs))
    assert str(error.value).startswith(said)
