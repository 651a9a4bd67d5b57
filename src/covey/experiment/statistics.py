"""Statistics over seeds, in rliable's definitions (Agarwal et al., 2021)."""

import numpy as np
from jaxtyping import Float

Scores = Float[np.ndarray, " seeds"]


def iqm(scores: Float[np.ndarray, "*b seeds"]) -> Float[np.ndarray, "*b"]:
    """The interquartile mean: of the middle half, a quarter (rounded down) cut at either end."""
    cut = scores.shape[-1] // 4
    return np.asarray(np.sort(scores, axis=-1)[..., cut : scores.shape[-1] - cut].mean(axis=-1))


def interval(scores: Scores, level: float = 0.95, draws: int = 10_000, statistic=iqm) -> tuple[float, float]:
    """The percentile bootstrap interval of a statistic over seeds; always the same draws."""
    rng = np.random.default_rng(0)
    resampled = scores[rng.integers(len(scores), size=(draws, len(scores)))]
    low, high = np.percentile(statistic(resampled), [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)


def describe(scores: Scores) -> dict[str, object]:
    """Every seed's value, their mean and interquartile mean, and its 95 % interval."""
    low, high = interval(scores)
    return {
        "per_seed": [float(x) for x in scores],
        "mean": float(scores.mean()),
        "iqm": float(iqm(scores)),
        "ci95": [low, high],
    }
