"""Statistics over seeds and tasks, in rliable's definitions (Agarwal et al., 2021).

Scores have a row per run; with several tasks, a column per task. Axes before these are a batch, for
instance of resamplings.
"""

from collections.abc import Callable
from itertools import combinations
from math import ceil, comb, sqrt
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

_Scores = Float[np.ndarray, " seeds"]
_Table = Float[np.ndarray, "*b runs tasks"]
_Draws = Int[np.ndarray, "draws _ *tasks"]
_MOST_ORDERS = 20_000  # that a rank test goes through; if there are more, it draws so many


def iqm(scores: Float[np.ndarray, "*b seeds"]) -> Float[np.ndarray, "*b"]:
    """Return the interquartile mean: a quarter of the scores (rounded down) is cut at either end."""
    cut = scores.shape[-1] // 4
    return np.asarray(np.sort(scores, axis=-1)[..., cut : scores.shape[-1] - cut].mean(axis=-1))


def iqm_of_tasks(scores: _Table) -> Float[np.ndarray, "*b"]:
    """Return the interquartile mean of all runs of all tasks together."""
    return iqm(scores.reshape(*scores.shape[:-2], -1))


def optimality_gap(scores: _Table, goal: float = 1.0) -> Float[np.ndarray, "*b"]:
    """Return the mean distance of scores below `goal`; a score above it counts as reaching it."""
    return np.asarray(goal - np.minimum(scores, goal).mean(axis=(-2, -1)))


def profile(scores: _Table, thresholds: Float[np.ndarray, " t"]) -> Float[np.ndarray, "*b t"]:
    """Return the performance profile: the share of runs, of all tasks, that score above each threshold."""
    return np.asarray((scores[..., None] > thresholds).mean(axis=(-3, -2)))


def improvement(x: _Table, y: Float[np.ndarray, "*b others tasks"]) -> Float[np.ndarray, "*b"]:
    """Return the probability of improvement: how often a run of x beats one of y in a task; a tie is half."""
    x_scores = x[..., :, None, :]
    y_scores = y[..., None, :, :]
    wins = (x_scores > y_scores).mean(axis=(-3, -2)) + 0.5 * (x_scores == y_scores).mean(axis=(-3, -2))
    return np.asarray(wins.mean(axis=-1))


def draw_resamples(rng: np.random.Generator, shape: tuple[int, ...], draws: int) -> _Draws:
    """Draw the runs of each resampling: as many as there are, for each task by itself (stratified)."""
    return rng.integers(shape[0], size=(draws, *shape))


def bootstrap(
    statistic: Callable[..., Float[np.ndarray, "draws *of"]],
    samples: tuple[Float[np.ndarray, "_ *tasks"], ...],
    picks: tuple[_Draws, ...],
    level: float = 0.95,
) -> tuple[Float[np.ndarray, "*of"], Float[np.ndarray, "*of"]]:
    """Return the percentile interval of a statistic of groups of runs, each group resampled by itself."""
    resampled = [np.take_along_axis(x[None], pick, axis=1) for x, pick in zip(samples, picks, strict=True)]
    low, high = np.percentile(statistic(*resampled), [50 * (1 - level), 50 * (1 + level)], axis=0)
    return np.asarray(low), np.asarray(high)


def interval(
    *samples: Float[np.ndarray, "_ *tasks"], level: float = 0.95, draws: int = 10_000, statistic=iqm
) -> tuple[float, float]:
    """Return the bootstrap interval of one number; the draws are always the same."""
    rng = np.random.default_rng(0)
    picks = tuple(draw_resamples(rng, x.shape, draws) for x in samples)
    low, high = bootstrap(statistic, samples, picks, level)
    return float(low), float(high)


def wilson_interval(successes: int, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """Return Wilson's interval of a rate (1927); it holds for few trials, and for rates near 0 and 1, too."""
    rate = successes / trials
    centre = (rate + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z * sqrt(rate * (1 - rate) / trials + z**2 / (4 * trials**2)) / (1 + z**2 / trials)
    return max(0.0, centre - half), min(1.0, centre + half)


def summarise_scores(scores: _Scores) -> dict[str, Any]:
    """Return every seed's value, their mean, their interquartile mean, and its 95 % interval."""
    low, high = interval(scores)
    return {
        "per_seed": [float(x) for x in scores],
        "mean": float(scores.mean()),
        "iqm": float(iqm(scores)),
        "ci95": [low, high],
    }


def summarise_wins(won: Bool[np.ndarray, "seeds episodes"]) -> dict[str, Any]:
    """Return the statistics of the seeds' win rates, their median and quartiles, and Wilson's interval.

    The latter is of all episodes together: it tells their luck, while `ci95` tells that of training.
    """
    rates = won.mean(axis=1)
    lower, median, upper = np.percentile(rates, [25, 50, 75])
    return summarise_scores(rates) | {
        "median": float(median),
        "quartiles": [float(lower), float(upper)],
        "wilson95": list(wilson_interval(int(won.sum()), won.size)),
    }


def against(x: _Scores, y: Float[np.ndarray, " others"]) -> dict[str, Any]:
    """Compare two groups of seeds: how often x beats y, an interval, a test, the seeds to settle it."""
    probability = float(improvement(x[:, None], y[:, None]))
    low, high = interval(x[:, None], y[:, None], draws=5000, statistic=improvement)
    return {
        "probability_of_improvement": probability,
        "ci95": [low, high],
        "p_value": rank_test(x, y),
        "least_p": min(1.0, 2 / comb(len(x) + len(y), len(x))),  # if all of one group were above the other
        "seeds_to_settle": seeds_to_settle(probability),
    }


def rank_test(x: _Scores, y: Float[np.ndarray, " others"]) -> float:
    """Return the p-value of Mann and Whitney's two-sided test, exact also with ties.

    It is the share of random divisions into two groups that separate the ranks at least as clearly. All
    divisions are tried if there are few, else some are drawn.
    """
    scores = np.concatenate([x, y])
    n = len(x)
    ranks = (scores[:, None] > scores).sum(axis=1) + 0.5 * (scores[:, None] == scores).sum(axis=1)
    if comb(len(scores), n) <= _MOST_ORDERS:
        divisions = np.array(list(combinations(range(len(scores)), n)))
    else:
        order = np.random.default_rng(0).random((_MOST_ORDERS, len(scores)))
        divisions = np.concatenate([np.arange(n)[None], np.argsort(order, axis=1)[:, :n]])
    distance = lambda picks: np.abs(ranks[picks].sum(axis=-1) - n * ranks.mean())
    return float((distance(divisions) >= distance(np.arange(n)) - 1e-9).mean())


def median_index(scores: _Scores) -> int:
    """Return the place of the median score; of an even number the lower of the two in the middle."""
    return int(np.argsort(scores, kind="stable")[(len(scores) - 1) // 2])


def holm(p_values: list[float]) -> list[float]:
    """Return the p-values of several comparisons, adjusted by Holm's (1979) step-down procedure."""
    order = np.argsort(p_values)
    factors = len(p_values) - np.arange(len(p_values))
    stepped = np.minimum(1.0, np.maximum.accumulate(factors * np.asarray(p_values)[order]))
    adjusted = np.empty(len(p_values))
    adjusted[order] = stepped
    return [float(p) for p in adjusted]


def is_settled(over: dict[str, Any], chance: float = 0.05) -> bool:
    """Return whether what `against` found is more than chance: by the test, and by the interval too."""
    low, high = over["ci95"]
    return over["p_value"] <= chance and not low <= 0.5 <= high


def seeds_to_settle(probability: float) -> int | None:
    """Return the seeds per group for a rank test at 5 % to find such a difference four times in five.

    Noether (1987), a normal approximation: n = (z_.975 + z_.8)^2 / (6 (P - 1/2)^2), P the probability of
    improvement. None if there is no difference to find.
    """
    difference = abs(probability - 0.5)
    return max(4, ceil((1.959964 + 0.841621) ** 2 / (6 * difference**2))) if difference > 1e-9 else None
