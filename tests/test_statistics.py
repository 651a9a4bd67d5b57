"""Statistics over seeds, against definitions and independent implementations."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, trim_mean

from covey.statistics import (
    against,
    bootstrap,
    improvement,
    interval,
    iqm,
    iqm_of_tasks,
    optimality_gap,
    profile,
    rank_test,
    seeds_to_settle,
    summarise_scores,
    summarise_wins,
    wilson_interval,
)

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
    # Would break: draws from the clock; bounds of anything but the statistic.
    low, high = interval(SCORES)
    assert (low, high) == interval(SCORES)
    assert low < iqm(SCORES) < high
    np.testing.assert_allclose(interval(SCORES + 100), (low + 100, high + 100))
    narrow = interval(SCORES, level=0.5)
    assert low < narrow[0] < narrow[1] < high


def test_intervals_of_few_seeds():
    # Would break: dividing by n - 1; a bound that no resampling gives. One in four draws of two is all low.
    assert interval(np.array([7.0])) == (7.0, 7.0)
    assert interval(np.array([0.0, 1.0])) == (0.0, 1.0)


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    # Would break: percentiles mixed up. A bootstrap over 20 seeds falls a little short of 95 %.
    rng = np.random.default_rng(0)
    bounds = [interval(rng.normal(size=20), draws=500, statistic=lambda x: x.mean(-1)) for _ in range(300)]
    assert 0.88 < np.mean([low < 0 < high for low, high in bounds]) < 0.98


def test_description():
    # Would break: another order of seeds, or arrays where JSON wants numbers.
    description = summarise_scores(SCORES)
    assert description["per_seed"] == SCORES.tolist()
    assert description["mean"] == SCORES.mean() and description["iqm"] == 3.5
    assert description["ci95"] == list(interval(SCORES))
    assert type(description["mean"]) is type(description["iqm"]) is float


def test_win_rates_by_hand():
    # Would break: a median of episodes; quartiles of another rule; Wilson's interval of one seed only.
    # Four seeds win 4, 2, 1 and 0 of 4 episodes: 7 of 16 together.
    won = np.arange(4) < np.array([[4], [2], [1], [0]])
    told = summarise_wins(won)
    assert told["per_seed"] == [1.0, 0.5, 0.25, 0.0]
    assert told["median"] == 0.375  # halfway between a half and a quarter
    assert told["quartiles"] == [0.1875, 0.625]  # 3/4 of the way from 0 to 1/4; 1/4 from 1/2 to 1
    assert told["mean"] == 7 / 16
    assert told["iqm"] == 0.375
    centre = (7 + 1.959964**2 / 2) / (16 + 1.959964**2)
    half = 1.959964 * np.sqrt(7 * 9 / 16 + 1.959964**2 / 4) / (16 + 1.959964**2)
    np.testing.assert_allclose(told["wilson95"], [centre - half, centre + half])


# Results of rliable 1.2.0 (with arch 7.2.0, NumPy 2.4.6) for these runs of four tasks, rounded so that
# there are ties: `metrics.aggregate_iqm`, `.aggregate_optimality_gap(., 0.8)`, `.probability_of_improvement`,
# `library.score_distributions`, and `library.get_interval_estimates(., reps=200)` after `np.random.seed(0)`.
X = np.array(
    [
        [1.1, 0.5, 0.6, 0.7],
        [0.4, 0.6, 0.6, 0.1],
        [0.9, 0.8, 0.4, 0.5],
        [0.8, 0.5, 0.5, 0.2],
        [0.8, 0.6, 0.7, 0.1],
        [1.1, 0.6, 0.5, 1.2],
    ]
)
Y = np.array(
    [
        [0.4, 0, 0.3, -0.3],
        [0.7, 0.3, 0.2, 0.7],
        [-0.1, 0.6, -0.2, 0.2],
        [0, 0.8, 0.9, 0.3],
        [0.7, 0.3, 0.6, 0.2],
    ]
)
LEVELS = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
gap = lambda x: optimality_gap(x, 0.8)
levels = lambda x: profile(x, LEVELS)
RLIABLE = {
    "iqm": (iqm_of_tasks, (X,), 0.6, [0.5166666666666666, 0.6749999999999999]),
    "gap": (gap, (X,), 0.22916666666666663, [0.17072916666666663, 0.30000000000000004]),
    "improvement": (improvement, (X, Y), 0.7166666666666667, [0.5415625, 0.8751041666666667]),
    "profile": (
        levels,
        (X,),
        [1.0, 0.875, 0.5833333333333334, 0.2916666666666667, 0.125],
        [
            [1.0, 0.7916666666666666, 0.4156250000000002, 0.16666666666666666, 0.04062500000000017],
            [1.0, 0.9583333333333334, 0.75, 0.4166666666666667, 0.25],
        ],
    ),
}


@pytest.mark.parametrize("name", RLIABLE)
def test_rliables_numbers(name):
    # Would break: tasks resampled together, groups resampled as one, ties not halved, >= for >, a wrong axis.
    statistic, samples, value, bounds = RLIABLE[name]
    rng = np.random.RandomState(0)
    resamples = [[rng.choice(len(x), x.shape) for x in samples] for _ in range(200)]  # in rliable's order
    picks = tuple(np.array(pick) for pick in zip(*resamples, strict=True))
    np.testing.assert_allclose(statistic(*samples), value, atol=1e-12)
    np.testing.assert_allclose(bootstrap(statistic, samples, picks), bounds, atol=1e-12)


def test_probability_of_improvement_by_hand():
    # Would break: the two groups the other way round; a tie counted whole or not at all.
    x = np.array([[3.0], [1.0]])
    y = np.array([[2.0], [1.0], [0.0]])
    assert improvement(x, y) == (3 + 0.5 + 1) / 6
    assert improvement(y, x) == 1 - improvement(x, y)
    assert improvement(x, x) == 0.5


@pytest.mark.parametrize(("n", "m"), [(3, 3), (4, 4), (5, 7), (8, 8)])
def test_the_rank_test_is_mann_and_whitneys(n, m):
    # Would break: one side only, the observed division not counted, means of ranks of the wrong group.
    rng = np.random.default_rng(n)
    x = rng.normal(size=n)
    y = rng.normal(1, size=m)
    exact = mannwhitneyu(x, y, method="exact").pvalue
    np.testing.assert_allclose(rank_test(x, y), exact, atol=1e-9)


def test_the_rank_test_of_many_seeds_and_of_ties():
    # Would break: drawn orders that are no permutations; ties taken for differences.
    rng = np.random.default_rng(0)
    x = rng.normal(size=20)
    y = rng.normal(0.8, size=20)
    assert abs(rank_test(x, y) - mannwhitneyu(x, y, method="exact").pvalue) < 0.01
    assert rank_test(np.ones(5), np.ones(5)) == 1
    # {0, 0} against {0, 1}: the one is in either group, as in every division.
    assert rank_test(np.array([0.0, 0.0]), np.array([0.0, 1.0])) == 1


def test_seeds_to_settle():
    # Would break: another power, a one-sided test, both groups together. By hand: 7.849 / (6 * 0.04) = 32.7.
    assert seeds_to_settle(0.7) == seeds_to_settle(0.3) == 33
    assert seeds_to_settle(1.0) == 6
    assert seeds_to_settle(0.5) is None


def test_so_many_seeds_do_settle_it():
    # Would break: a formula for another test. Normal groups, P = 0.8: 15 seeds find it four times in five.
    rng = np.random.default_rng(0)
    difference = 0.8416 * 2**0.5
    n = seeds_to_settle(0.8)
    assert n == 15
    significant = [rank_test(rng.normal(difference, size=n), rng.normal(size=n)) < 0.05 for _ in range(150)]
    assert 0.7 < np.mean(significant) < 0.9


def test_against():
    # Would break: a difference claimed of three seeds, which chance separates as clearly in one case of ten.
    three = np.arange(3.0)
    four = np.arange(4.0)
    result = against(three + 10, three)
    assert result["probability_of_improvement"] == 1 and result["ci95"] == [1, 1] and result["p_value"] == 0.1
    np.testing.assert_allclose(against(four + 10, four)["p_value"], 2 / 70)


# Would break: an interval that leaves [0, 1], has no width at 0, or is another than Wilson's. The numbers are
# those of Newcombe's comparison (Statistics in Medicine 17, 1998, table I, method 3).
@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_interval(successes, trials, low, high):
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)
    mirrored = wilson_interval(trials - successes, trials)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=5e-5)
