"""Statistics over seeds, against definitions and an independent implementation."""

import numpy as np
import pytest
from scipy.stats import trim_mean

from covey.experiment.statistics import describe, interval, iqm

SCORES = np.array([3.0, -8.0, 5.0, 4.0, 90.0, 6.0, 1.0, 2.0])


def test_the_interquartile_mean_by_hand():
    # Would break: cutting a seed too many or too few, at one end only, or before sorting.
    assert iqm(SCORES) == (2 + 3 + 4 + 5) / 4
    assert iqm(np.array([9.0, 1.0, 2.0])) == 4.0  # a quarter of three is less than a seed


@pytest.mark.parametrize("seeds", range(1, 14))
def test_the_interquartile_mean_is_scipys(seeds):
    # Would break: another rounding of the quarter; a wrong axis.
    scores = np.random.default_rng(seeds).normal(size=(3, seeds))
    np.testing.assert_allclose(iqm(scores), trim_mean(scores, 0.25, axis=-1))


def test_intervals_are_the_same_each_time_and_move_with_the_scores():
    # Would break: draws from the clock; bounds taken of anything but the statistic.
    low, high = interval(SCORES)
    assert (low, high) == interval(SCORES)
    assert low < iqm(SCORES) < high
    np.testing.assert_allclose(interval(SCORES + 100), (low + 100, high + 100))
    narrow = interval(SCORES, level=0.5)
    assert low < narrow[0] < narrow[1] < high


def test_intervals_of_few_seeds():
    # Would break: dividing by n - 1; a bound that no resampling gives. Of two, one in four draws is all low.
    assert interval(np.array([7.0])) == (7.0, 7.0)
    assert interval(np.array([0.0, 1.0])) == (0.0, 1.0)


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    # Would break: percentiles mixed up. A bootstrap over 20 seeds falls a little short of 95 %.
    rng = np.random.default_rng(0)
    bounds = [interval(rng.normal(size=20), draws=500, statistic=lambda x: x.mean(-1)) for _ in range(300)]
    assert 0.88 < np.mean([low < 0 < high for low, high in bounds]) < 0.98


def test_description():
    # Would break: another order of seeds, or arrays where JSON wants numbers.
    told = describe(SCORES)
    assert told["per_seed"] == SCORES.tolist()
    assert told["mean"] == SCORES.mean() and told["iqm"] == 3.5 and told["ci95"] == list(interval(SCORES))
    assert type(told["mean"]) is type(told["iqm"]) is float
