"""The script and the start places of `benchmarks.skirmish_chase`."""

import jax
import pytest

from benchmarks import skirmish_chase
from covey.environments.skirmish import placing
from covey.environments.skirmish.skirmish import Skirmish


@pytest.mark.parametrize(
    ("tie", "second"),
    [
        ("upper, left", [0, 0.5]),
        ("lower, left", [0, -0.5]),
        ("left, lower", [-0.5, 0]),
        ("right, lower", [0.5, 0]),
    ],
)
def test_ties_go_to_the_named_side_first(tie, second):
    # Breaks where a row of the table has another row's places.
    places = skirmish_chase.TIES[tie](placing.spiral(0.5))
    assert places[:2].tolist() == [[0, 0], second]
    assert (places**2).sum(axis=1).tolist() == sorted((places**2).sum(axis=1))


def test_the_script_wins_what_it_must_and_loses_what_it_must():
    # Breaks where orders do not reach the allies, sides are exchanged, or wins are counted for the dead.
    many = Skirmish("3m", allies={"marine": 6}, enemies={"marine": 2})
    few = Skirmish("3m", allies={"marine": 2}, enemies={"marine": 6})
    assert skirmish_chase.wins(many, 8, jax.random.key(0)) == 1.0
    assert skirmish_chase.wins(few, 8, jax.random.key(0)) == 0.0
