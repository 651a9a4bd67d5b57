"""Statistics over seeds and tasks, in rliable's definitions (Agarwal et al., 2021).

Scores are a row a run; where there are several tasks, a column each. Whatever stands before those axes is a
batch: of resamplings, for instance.
"""

from collections.abc import Callable
from itertools import combinations
from math import ceil, comb
from typing import Any

import numpy as np
from jaxtyping import Float, Int

Scores = Float[np.ndarray, " seeds"]
Table = Float[np.ndarray, "*b runs tasks"]
Draws = Int[np.ndarray, "draws _ *tasks"]
EXACT = 20_000  # the most orders that a rank test goes through; beyond, so many drawn ones


def iqm(scores: Float[np.ndarray, "*b seeds"]) -> Float[np.ndarray, "*b"]:
    """The interquartile mean: of the middle half, a quarter (rounded down) cut at either end."""
    cut = scores.shape[-1] // 4
    return np.asarray(np.sort(scores, axis=-1)[..., cut : scores.shape[-1] - cut].mean(axis=-1))


def iqm_of_tasks(scores: Table) -> Float[np.ndarray, "*b"]:
    """That of all runs of all tasks together."""
    return iqm(scores.reshape(*scores.shape[:-2], -1))


def optimality_gap(scores: Table, goal: float = 1.0) -> Float[np.ndarray, "*b"]:
    """How far below `goal` scores are, on average; what is above it counts as reaching it."""
    return np.asarray(goal - np.minimum(scores, goal).mean(axis=(-2, -1)))


def profile(scores: Table, thresholds: Float[np.ndarray, " t"]) -> Float[np.ndarray, "*b t"]:
    """The performance profile: the share of runs, of all tasks, that score above each threshold."""
    return np.asarray((scores[..., None] > thresholds).mean(axis=(-3, -2)))


def improvement(x: Table, y: Float[np.ndarray, "*b others tasks"]) -> Float[np.ndarray, "*b"]:
    """The probability of improvement: how often a run of x beats one of y in a task; a tie is half."""
    mine, theirs = x[..., :, None, :], y[..., None, :, :]
    better = (mine > theirs).mean(axis=(-3, -2)) + 0.5 * (mine == theirs).mean(axis=(-3, -2))
    return np.asarray(better.mean(axis=-1))


def drawn(rng: np.random.Generator, shape: tuple[int, ...], draws: int) -> Draws:
    """Which runs each resampling takes: as many as there are, each task's by itself (stratified)."""
    return rng.integers(shape[0], size=(draws, *shape))


def bootstrap(
    statistic: Callable[..., Float[np.ndarray, "draws *of"]],
    samples: tuple[Float[np.ndarray, "_ *tasks"], ...],
    picks: tuple[Draws, ...],
    level: float = 0.95,
) -> tuple[Float[np.ndarray, "*of"], Float[np.ndarray, "*of"]]:
    """The percentile interval of a statistic of resampled groups of runs, each group resampled by itself."""
    again = [np.take_along_axis(x[None], pick, axis=1) for x, pick in zip(samples, picks, strict=True)]
    low, high = np.percentile(statistic(*again), [50 * (1 - level), 50 * (1 + level)], axis=0)
    return np.asarray(low), np.asarray(high)


def interval(
    *samples: Float[np.ndarray, "_ *tasks"], level: float = 0.95, draws: int = 10_000, statistic=iqm
) -> tuple[float, float]:
    """The bootstrap interval of one number; always the same draws."""
    rng = np.random.default_rng(0)
    picks = tuple(drawn(rng, x.shape, draws) for x in samples)
    low, high = bootstrap(statistic, samples, picks, level)
    return float(low), float(high)


def describe(scores: Scores) -> dict[str, Any]:
    """Every seed's value, their mean and interquartile mean, and its 95 % interval."""
    low, high = interval(scores)
    return {
        "per_seed": [float(x) for x in scores],
        "mean": float(scores.mean()),
        "iqm": float(iqm(scores)),
        "ci95": [low, high],
    }


def against(x: Scores, y: Float[np.ndarray, " others"]) -> dict[str, Any]:
    """Two groups of seeds: how often x beats y, with interval; a test; the seeds that would settle it."""
    often = float(improvement(x[:, None], y[:, None]))
    low, high = interval(x[:, None], y[:, None], draws=5000, statistic=improvement)
    return {
        "probability_of_improvement": often,
        "ci95": [low, high],
        "p_value": rank_test(x, y),
        "least_p": min(1.0, 2 / comb(len(x) + len(y), len(x))),  # if all of one group were above the other
        "seeds_to_settle": seeds_to_settle(often),
    }


def rank_test(x: Scores, y: Float[np.ndarray, " others"]) -> float:
    """Mann and Whitney's two-sided test, exact also with ties: how often seeds dealt out to the two groups
    at random part them at least as clearly. All ways to deal while they can be counted, else drawn ones."""
    both, n = np.concatenate([x, y]), len(x)
    ranks = (both[:, None] > both).sum(axis=1) + 0.5 * (both[:, None] == both).sum(axis=1)
    if comb(len(both), n) <= EXACT:
        dealt = np.array(list(combinations(range(len(both)), n)))
    else:
        order = np.random.default_rng(0).random((EXACT, len(both)))
        dealt = np.concatenate([np.arange(n)[None], np.argsort(order, axis=1)[:, :n]])
    away = lambda picks: np.abs(ranks[picks].sum(axis=-1) - n * ranks.mean())
    return float((away(dealt) >= away(np.arange(n)) - 1e-9).mean())


def seeds_to_settle(often: float) -> int | None:
    """The seeds each group needs for a rank test at 5 % to find so large a difference four times in five.

    Noether (1987), a normal approximation: n = (z_.975 + z_.8)^2 / (6 (P - 1/2)^2), P the probability of
    improvement. None where there is nothing to find.
    """
    far = abs(often - 0.5)
    return max(4, ceil((1.959964 + 0.841621) ** 2 / (6 * far**2))) if far > 1e-9 else None
