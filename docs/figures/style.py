"""The style of the diagrams in docs/pictures."""

from pathlib import Path

import matplotlib

from covey.charts import ACCENT as BLUE
from covey.charts import INK

MUTED = "#8a97a3"
RED = "#c05640"
GREEN = "#2e8b57"
_PICTURES = Path(__file__).parents[1] / "pictures"

__all__ = ["BLUE", "GREEN", "INK", "MUTED", "RED", "figure_axes", "save"]


def figure_axes(kind: str, **options):
    """Return a figure and its axes, to be saved as `kind`, "svg" or "png"."""
    matplotlib.use("svg" if kind == "svg" else "Agg")
    if kind == "svg":
        settings = {"svg.hashsalt": "covey", "font.family": "sans-serif", "svg.fonttype": "none"}
        matplotlib.rcParams.update(settings)
    from matplotlib import pyplot as plt

    return plt.subplots(**options)


def save(figure, axes, name: str, width: tuple[float, float], height: tuple[float, float], pad: float = 0.2):
    """Set the limits, hide the axes and write docs/pictures/NAME; SVG files get no date."""
    axes.set_xlim(*width)
    axes.set_ylim(*height)
    axes.axis("off")
    figure.tight_layout(pad=pad)
    figure.savefig(_PICTURES / name, **({"metadata": {"Date": None}} if name.endswith(".svg") else {}))
