"""The theme of every picture that is not a film: colours, axes over steps, and tables of payoffs.

Matplotlib takes a second to import, so only the functions that draw import it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from .files import atomic
from .text import shortest

INK = "#22303c"
PALE_INK = "#52616d"  # tick labels, notes, legends
ACCENT = "#1b6ca8"
PALE_ACCENT = "#8fb8d8"
LINE_COLOURS = (ACCENT, "#d9622b", "#2f9e6b", "#8a5fb5", "#b8860b", "#c74b7a", "#5c6b77")
LINE_STYLES = ("-", "--", ":", "-.")
BETTER = ACCENT
WORSE = "#b5523b"
NEUTRAL = "#f4f1ea"  # a payoff of zero
_GRID = "#e3e8ec"
_SPINE = "#9aa7b1"
_STAR = "★"


def pyplot() -> Any:
    """Return matplotlib's pyplot, with a backend that opens no window."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    return plt


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure in the format of the file's ending, whole or not at all, and close it.

    A PDF embeds its fonts, an SVG draws its letters; neither holds the time of day.
    """
    kind = path.suffix.lower().removeprefix(".")
    undated = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(kind)
    look = {"pdf.fonttype": 42, "svg.fonttype": "path", "svg.hashsalt": "covey"}
    with atomic(path, path.name) as file, pyplot().rc_context(look):
        figure.savefig(file, format=kind, metadata=undated)
    pyplot().close(figure)


@contextmanager
def step_axes(path: Path, title: str, label: str, extra_width: float = 0.0) -> Iterator[Any]:
    """Yield axes over environment steps, then write the picture.

    `extra_width` inches are added to the figure, for a legend at its right.
    """
    from matplotlib.ticker import EngFormatter

    figure, axes = pyplot().subplots(figsize=(7.2 + extra_width, 4.2), dpi=160)
    yield axes
    set_title(axes, title)
    axes.set_xlabel("environment steps of each seed", color=INK)
    axes.set_ylabel(label, color=INK)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.margins(x=0.01)
    axes.grid(axis="y", color=_GRID, linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_SPINE)
    axes.tick_params(colors=PALE_INK, labelsize=9)
    figure.tight_layout()
    save_figure(figure, path)


def set_title(axes: Any, title: str) -> None:
    """Set the bold title of a plot, at its left."""
    axes.set_title(title, loc="left", color=INK, fontsize=11, fontweight="bold")


def line_style(i: int) -> dict[str, str]:
    """Return the colour and stroke of the i-th line of a plot."""
    colour = LINE_COLOURS[i % len(LINE_COLOURS)]
    stroke = LINE_STYLES[i // len(LINE_COLOURS) % len(LINE_STYLES)]
    return {"color": colour, "linestyle": stroke}


def draw_payoffs(axes: Any, payoffs: Float[np.ndarray, "rows columns"], largest: float) -> None:
    """Draw a table of payoffs: each number on its colour, from `-largest` to `largest`.

    Colours follow square roots, so that one great loss leaves room to tell small gains apart.
    """
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("payoff", [WORSE, NEUTRAL, BETTER])
    roots = np.sign(payoffs) * np.sqrt(np.abs(payoffs) / largest)
    image = axes.imshow(roots, cmap=shades, vmin=-1, vmax=1)
    size = 8 if max(payoffs.shape) > 6 else 10
    for (i, j), payoff in np.ndenumerate(payoffs):
        red, green, blue, _ = image.cmap(image.norm(image.get_array()[i, j]))
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.6
        ink = "white" if dark else INK
        axes.text(j, i, shortest(float(payoff)), ha="center", va="center", fontsize=size, color=ink)
    axes.set_xticks(np.arange(payoffs.shape[1] + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(payoffs.shape[0] + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=5)
    axes.tick_params(which="both", length=0, labelsize=8.5, colors=PALE_INK)
    axes.spines[:].set_visible(False)


def star_best(axes: Any, best: Float[np.ndarray, "..."], rest: tuple[int, ...]) -> None:
    """Put a star on the best joint actions of a table that `draw_payoffs` drew.

    `rest` are the actions of the third and further agents, for which the table is drawn.
    """
    for i, j in np.ndindex(best.shape[:2]):
        if best[(i, j, *rest)] == best.max():
            ink = axes.texts[i * best.shape[1] + j].get_color()
            axes.text(j + 0.4, i - 0.38, _STAR, ha="right", va="top", fontsize=8, color=ink)


def frame_joint(axes: Any, joint: tuple[int, ...]) -> None:
    """Frame the cell of a joint action."""
    from matplotlib.patches import Rectangle

    look = {"fill": False, "edgecolor": INK, "linewidth": 2.6, "joinstyle": "round", "clip_on": False}
    axes.add_patch(Rectangle((joint[1] - 0.5, joint[0] - 0.5), 1, 1, zorder=3, **look))
