"""The learning curve: every seed thin, the mean with its interval bold."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from .folder import atomic
from .statistics import interval

INK, ACCENT, PALE = "#22303c", "#1b6ca8", "#8fb8d8"


def curves(
    rows: list[dict[str, Any]], key: str, along: str = "step"
) -> tuple[Float[np.ndarray, " t"], Float[np.ndarray, "t seeds"]]:
    """Steps (or seconds) and values of every seed, from rows of metrics that have `key`."""
    seeds: dict[int, dict[int, tuple[float, float]]] = {}
    for row in rows:
        if row.get(key) is not None:
            seeds.setdefault(row["seed"], {})[row["report"]] = (row[along], row[key])
    reports = sorted(set.intersection(*(set(s) for s in seeds.values()))) if seeds else []
    steps = np.array([np.mean([s[r][0] for s in seeds.values()]) for r in reports])
    values = np.array([[s[r][1] for s in seeds.values()] for r in reports])
    return steps, values.reshape(len(reports), len(seeds))


def learning_curve(path: Path, rows: list[dict[str, Any]], key: str, title: str, label: str) -> bool:
    """Draws `key` over steps; False where there is nothing to draw."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import EngFormatter

    steps, values = curves(rows, key)
    if not len(steps):
        return False
    figure, axes = plt.subplots(figsize=(7.2, 4.2), dpi=160)
    axes.plot(steps, values, color=PALE, linewidth=0.8, alpha=0.9, zorder=1)
    mean = values.mean(axis=1)
    if values.shape[1] > 1:
        bands = np.array([interval(v, draws=2000, statistic=lambda x: x.mean(axis=-1)) for v in values])
        axes.fill_between(steps, bands[:, 0], bands[:, 1], color=ACCENT, alpha=0.22, linewidth=0, zorder=2)
    note = f"mean of {values.shape[1]} seeds, 95 % interval" if values.shape[1] > 1 else "one seed"
    axes.plot(steps, mean, color=ACCENT, linewidth=2.2, zorder=3, label=note)
    axes.set_title(title, loc="left", color=INK, fontsize=11, fontweight="bold")
    axes.set_xlabel("environment steps of each seed", color=INK)
    axes.set_ylabel(label, color=INK)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.margins(x=0.01)
    axes.grid(axis="y", color="#e3e8ec", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#9aa7b1")
    axes.tick_params(colors="#52616d", labelsize=9)
    axes.legend(frameon=False, loc="lower right", fontsize=9)
    figure.tight_layout()
    with atomic(path, path.name) as file:
        figure.savefig(file, format="png")
    plt.close(figure)
    return True
