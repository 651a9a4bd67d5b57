"""The data that a page embeds: the curves of every seed, and the draws of the bootstrap.

The page computes means, interquartile means, medians and intervals itself, from the same draws as
`statistics.interval`, so that every metric has them.
"""

from base64 import b64encode
from typing import Any

import numpy as np

from ... import statistics
from .grouping import WON, RunGroup, WorldRuns
from .markup import clean

DRAWS = 1000
_DIGITS = 6  # of metrics that are no evaluations
_SIZES = (120, 60, 30, 12)  # the most points of such a metric, tried in turn
_MOST_NUMBERS = 90_000  # of such metrics
_FEW_SEEDS = 64  # a group with more gets no interval on its curves


def embed_worlds(worlds: list[WorldRuns]) -> list[dict[str, Any]]:
    """Return the curves of every world as plain data.

    Evaluations are embedded in full. Metrics of training are means over as many consecutive reports as the
    page has room for; where it has none, those of updates are left out.
    """
    groups = [group for world in worlds for group in world.groups]
    fits = lambda points: sum(_size(group, points) for group in groups) <= _MOST_NUMBERS
    most = next((points for points in _SIZES if fits(points)), 0)
    return [
        {
            "name": clean(world.name),
            "team": clean(world.team),
            "score": clean(world.score),
            "groups": [_embed_group(group, most) for group in world.groups],
        }
        for world in worlds
    ]


def _is_evaluation(name: str) -> bool:
    return name.startswith("eval/")


def _size(group: RunGroup, points: int) -> int:
    names = [name for name in group.table.names if not _is_evaluation(name)]
    return sum(min(points, len(group.table.points(name))) for name in names) * len(group.seeds)


def _embed_group(group: RunGroup, most: int) -> dict[str, Any]:
    table = group.table
    metrics = {}
    for name in table.names:
        if _is_evaluation(name):
            metrics[clean(name)] = _embed_metric(group, name, None)
        elif most or name.startswith("train/"):
            metrics[clean(name)] = _embed_metric(group, name, most or _SIZES[-1])
    return {
        "label": group.label,
        "runs": [clean(run.path) for run in group.runs],
        "seeds": list(group.seeds),
        "metrics": {name: metric for name, metric in metrics.items() if metric["step"]},
    }


def _embed_metric(group: RunGroup, name: str, most: int | None) -> dict[str, Any]:
    """Return a metric over steps, seconds and updates: each seed's values, one list a seed."""
    table = group.table
    points = table.points(name)
    points = points[np.isfinite(table.axes["step"][points])]
    blocks = [points] if not len(points) else np.array_split(points, min(most or len(points), len(points)))
    rounded = not name.startswith("eval/return/") and name != WON
    mean = lambda x: [_plain(np.mean(x[block], axis=0), True) for block in blocks if len(block)]
    values = np.array([np.mean(table.values[name][block], axis=0) for block in blocks if len(block)])
    content: dict[str, Any] = {axis: mean(x) for axis, x in table.axes.items()}
    content["values"] = [[_plain(x, rounded) for x in seed] for seed in values.T]
    return content


def _plain(x: Any, rounded: bool) -> float | int | None:
    """Return a number as short as it may be written; None for what is not finite."""
    value = float(x)
    if not np.isfinite(value):
        return None
    value = float(f"{value:.{_DIGITS}g}") if rounded else value
    return int(value) if value == int(value) and abs(value) < 1e15 else value


def embed_draws(worlds: list[WorldRuns]) -> dict[str, str]:
    """Return the seeds that each resampling draws, for each number of seeds, as bytes in base64."""
    counts = {len(group.seeds) for world in worlds for group in world.groups}
    draws = {}
    for n in sorted(counts):
        if 1 < n <= _FEW_SEEDS:
            picks = statistics.draw_resamples(np.random.default_rng(0), (n,), DRAWS)
            draws[str(n)] = b64encode(picks.astype(np.uint8).tobytes()).decode()
    return draws
