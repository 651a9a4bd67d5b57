"""Drawings made in Python as SVG: strips of intervals, lines with bands, tables of colours.

Colours are classes of the page (`c0`, `c1`, ...), so that they follow its theme; texts are escaped by `tag`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from .markup import Markup, number, tag

COLOURS = 8  # classes of the page's style
_PAD = 8


@dataclass(frozen=True)
class DrawnLine:
    """A line of a chart, with a band round it where it has one."""

    label: str
    colour: int
    x: Float[np.ndarray, " points"]
    y: Float[np.ndarray, " points"]
    low: Float[np.ndarray, " points"] | None = None
    high: Float[np.ndarray, " points"] | None = None
    stepped: bool = False


def colour_class(i: int) -> str:
    """Return the class of the i-th group: a colour, and from the ninth on also a dashed stroke."""
    return f"c{i % COLOURS}" + (" dashed" if i // COLOURS % 2 else "")


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return round numbers within a range, at most about so many."""
    width = high - low
    if not (math.isfinite(width) and width > 0):
        return [low] if math.isfinite(low) else []
    raw = width / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def tick_text(x: float) -> str:
    """Return a tick's number: 200k, 1.5M."""
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(x) >= size and abs(x) < 1e12:
            return f"{x / size:g}{sign}".replace("-", "−")
    return f"{x:g}".replace("-", "−")


def padded(values: Sequence[Float[np.ndarray, "..."]]) -> tuple[float, float]:
    """Return a range that holds all finite values with a little room."""
    parts = [np.asarray(x, float).ravel() for x in values]
    known = np.concatenate(parts) if parts else np.zeros(0)
    known = known[np.isfinite(known)]
    if not known.size:
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    room = 0.04 * (high - low) or 0.1 * abs(high) or 1.0
    return low - room, high + room


def interval_strip(
    values: Float[np.ndarray, " seeds"],
    middle: float,
    interval: tuple[float, float],
    span: tuple[float, float],
    colour: int,
    text: str,
    width: int = 240,
) -> Markup:
    """Draw every seed as a dot, the interval as a bar and the IQM as a line across it."""
    low, high = span
    at = lambda x: round(_PAD + (width - 2 * _PAD) * (x - low) / max(high - low, 1e-300), 1)
    left, right = at(interval[0]), at(interval[1])
    return tag(
        "svg",
        tag("line", x1=_PAD, x2=width - _PAD, y1=15, y2=15, class_="rail"),
        tag("rect", x=left, y=9, width=max(right - left, 1.5), height=12, rx=3, class_="bar"),
        [tag("circle", cx=at(float(x)), cy=15, r=2.6, class_="seed") for x in values[:200]],
        tag("line", x1=at(middle), x2=at(middle), y1=5, y2=25, class_="middle"),
        viewBox=f"0 0 {width} 30",
        class_=f"strip {colour_class(colour)}",
        role="img",
        aria_label=text,
    )


def line_chart(
    lines: Sequence[DrawnLine],
    x_label: str,
    y_label: str,
    text: str,
    size: tuple[int, int] = (460, 260),
    x_span: tuple[float, float] | None = None,
    y_span: tuple[float, float] | None = None,
) -> Markup:
    """Draw lines with their bands and axes."""
    width, height = size
    left = 52
    right = 16
    top = 10
    bottom = 38
    x_low, x_high = x_span or (
        min((float(line.x.min()) for line in lines if line.x.size), default=0.0),
        max((float(line.x.max()) for line in lines if line.x.size), default=1.0),
    )
    every = [part for line in lines for part in (line.y, line.low, line.high) if part is not None]
    y_low, y_high = y_span or padded(every)
    to_x = lambda x: left + (width - left - right) * (x - x_low) / max(x_high - x_low, 1e-300)
    to_y = lambda y: top + (height - top - bottom) * (1 - (y - y_low) / max(y_high - y_low, 1e-300))
    grid = [
        (
            tag("line", x1=left, x2=width - right, y1=f"{to_y(y):.1f}", y2=f"{to_y(y):.1f}", class_="grid"),
            tag("text", tick_text(y), x=left - 6, y=f"{to_y(y) + 4:.1f}", text_anchor="end"),
        )
        for y in ticks(y_low, y_high, 4)
    ]
    steps = [
        tag("text", tick_text(x), x=f"{to_x(x):.1f}", y=height - bottom + 16, text_anchor="middle")
        for x in ticks(x_low, x_high, 5)
    ]
    names = (
        tag("text", x_label, x=(left + width - right) / 2, y=height - 4, text_anchor="middle", class_="axis"),
        tag("text", y_label, x=12, y=height / 2 - 14, text_anchor="middle", class_="axis",
            transform=f"rotate(-90 12 {height / 2 - 14})"),
    )  # fmt: skip
    base = f"{to_y(y_low):.1f}"
    frame = tag("line", x1=left, x2=width - right, y1=base, y2=base, class_="rail")
    drawn = [_draw_line(line, to_x, to_y) for line in lines]
    return tag(
        "svg", grid, steps, names, frame, drawn,
        viewBox=f"0 0 {width} {height}", class_="chart", role="img", aria_label=text,
    )  # fmt: skip


def _draw_line(line: DrawnLine, to_x, to_y) -> Markup:
    """Draw a line's band, then the line; where a value is not finite it has a gap."""
    parts = []
    if line.low is not None and line.high is not None:
        known = np.isfinite(line.low) & np.isfinite(line.high)
        xs = line.x[known]
        upper = [(to_x(x), to_y(y)) for x, y in zip(xs, line.high[known], strict=True)]
        lower = [(to_x(x), to_y(y)) for x, y in zip(xs, line.low[known], strict=True)]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*upper, *reversed(lower)])
        parts.append(tag("polygon", points=points, class_="band"))
    path = []
    before = None
    for x, y in zip(line.x, line.y, strict=True):
        if not math.isfinite(y):
            before = None
            continue
        if before is None:
            path.append(f"M{to_x(x):.1f} {to_y(y):.1f}")
        else:
            path.append(
                (f"H{to_x(x):.1f}V{to_y(y):.1f}") if line.stepped else f"L{to_x(x):.1f} {to_y(y):.1f}"
            )
        before = y
    parts.append(tag("path", d="".join(path), class_="line"))
    return tag("g", tag("title", line.label), parts, class_=colour_class(line.colour))


def heat_map(
    rows: Sequence[Sequence[float | None]],
    row_names: Sequence[str],
    column_names: Sequence[str],
    text: str,
    span: tuple[float, float] | None = None,
    digits: int = 2,
) -> Markup:
    """Draw a table as HTML, each number on a shade from one colour of the page to the other."""
    known = [x for row in rows for x in row if x is not None]
    low, high = span or (min(known, default=0.0), max(known, default=1.0))

    def cell(x: float | None) -> Markup:
        share = 0.5 if x is None or high <= low else (x - low) / (high - low)
        return tag("td", number(x, digits), class_=f"heat h{round(10 * min(max(share, 0.0), 1.0))}")

    head = tag("tr", tag("td"), [tag("th", name, scope="col") for name in column_names])
    body = [
        tag("tr", tag("th", name, scope="row"), [cell(x) for x in row])
        for name, row in zip(row_names, rows, strict=True)
    ]
    return tag("table", tag("caption", text), tag("thead", head), tag("tbody", body), class_="heats")
