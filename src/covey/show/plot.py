"""Learning curves: one run's, every seed thin, the mean with its interval bold; or several together."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..files import atomic
from ..runs.metrics import Curve, curves
from ..statistics import interval, iqm

INK, TICKS, ACCENT, PALE = "#22303c", "#52616d", "#1b6ca8", "#8fb8d8"
COLOURS = ("#1b6ca8", "#d9622b", "#2f9e6b", "#8a5fb5", "#b8860b", "#c74b7a", "#5c6b77")
STROKES = ("-", "--", ":", "-.")
NOTE = "IQM over seeds, 95 % interval"


def learning_curve(path: Path, rows: list[dict[str, Any]], key: str, title: str, label: str) -> bool:
    """Draws `key` over steps; False where there is nothing to draw."""
    steps, values = curves(rows, key)
    if not len(steps):
        return False
    with drawn(path, title, label) as axes:
        axes.plot(steps, values, color=PALE, linewidth=0.8, alpha=0.9, zorder=1)
        mean = values.mean(axis=1)
        if values.shape[1] > 1:
            bands = np.array([interval(v, draws=2000, statistic=lambda x: x.mean(axis=-1)) for v in values])
            axes.fill_between(steps, *bands.T, color=ACCENT, alpha=0.22, linewidth=0, zorder=2)
        note = f"mean of {values.shape[1]} seeds, 95 % interval" if values.shape[1] > 1 else "one seed"
        axes.plot(steps, mean, color=ACCENT, linewidth=2.2, zorder=3, label=note)
        axes.legend(frameon=False, loc="lower right", fontsize=9)
    return True


def overlay(path: Path, runs: Mapping[str, Curve], title: str, label: str) -> bool:
    """Several runs over each other, by name: interquartile means bold, 95 % intervals, every seed of two.

    False where there is nothing to draw.
    """
    runs = {name: curve for name, curve in runs.items() if len(curve[0])}
    if not runs:
        return False
    with drawn(path, title, label, wide=2.4 if len(runs) > 2 else 0.0) as axes:
        for i, (name, (steps, values)) in enumerate(runs.items()):
            look = {
                "color": COLOURS[i % len(COLOURS)],
                "linestyle": STROKES[i // len(COLOURS) % len(STROKES)],
            }
            if values.shape[1] > 1:
                bands = np.array([interval(v, draws=2000) for v in values])
                axes.fill_between(steps, *bands.T, color=look["color"], alpha=0.16, linewidth=0, zorder=2)
                if len(runs) <= 2:
                    axes.plot(steps, values, color=look["color"], linewidth=0.6, alpha=0.35, zorder=1)
            width = 2.0 if i else 3.2  # the first shows also where another lies on it
            axes.plot(steps, iqm(values), linewidth=width, zorder=3, label=name, **look)
        beside = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)} if len(runs) > 2 else {"loc": "best"}
        axes.legend(frameon=False, fontsize=9, **beside)
        axes.text(1, 1.02, NOTE, transform=axes.transAxes, ha="right", color=TICKS, fontsize=8)
    return True


def heat(
    path: Path, tables: Mapping[str, list[list[float]]], names: list[str], rows: str, columns: str
) -> None:
    """Tables of numbers side by side, brighter where they are greater: who plays `rows` against whom."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    n = len(names)
    side = 1.6 + 0.95 * n
    figure, places = plt.subplots(
        1, len(tables), figsize=(side * len(tables) + 0.8, side), dpi=160, squeeze=False
    )
    for axes, (title, table) in zip(places[0], tables.items(), strict=True):
        x = np.array(table)
        low, high = x.min(), max(x.max(), x.min() + 1e-9)
        axes.imshow(x, cmap="Blues", vmin=low - 0.1 * (high - low), vmax=high)
        for (i, j), number in np.ndenumerate(x):
            ink = "white" if number > low + 0.6 * (high - low) else INK
            axes.text(
                j, i, f"{number:.2f}".replace("-", "−"), ha="center", va="center", color=ink, fontsize=9
            )
        axes.set_xticks(range(n), names, rotation=30, ha="right")
        axes.set_yticks(range(n), names)
        axes.set_xlabel(f"plays {columns}", color=INK)
        axes.set_ylabel(f"plays {rows}", color=INK)
        axes.set_title(title, loc="left", color=INK, fontsize=11, fontweight="bold")
        axes.spines[:].set_visible(False)
        axes.tick_params(colors=TICKS, labelsize=9, length=0)
    figure.tight_layout()
    with atomic(path, path.name) as file:
        figure.savefig(file, format="png")
    plt.close(figure)


@contextmanager
def drawn(path: Path, title: str, label: str, wide: float = 0.0) -> Iterator[Any]:
    """Axes to draw over steps in, and the picture put away; `wide` inches are left free at the right."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import EngFormatter

    figure, axes = plt.subplots(figsize=(7.2 + wide, 4.2), dpi=160)
    yield axes
    axes.set_title(title, loc="left", color=INK, fontsize=11, fontweight="bold")
    axes.set_xlabel("environment steps of each seed", color=INK)
    axes.set_ylabel(label, color=INK)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.margins(x=0.01)
    axes.grid(axis="y", color="#e3e8ec", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#9aa7b1")
    axes.tick_params(colors=TICKS, labelsize=9)
    figure.tight_layout()
    with atomic(path, path.name) as file:
        figure.savefig(file, format="png")
    plt.close(figure)
