"""Numbers, words and tables as a reader expects them."""

from collections.abc import Container, Iterable
from difflib import get_close_matches
from typing import Any


def count(n: int, thing: str, things: str = "") -> str:
    """Return a number of things: 1 seed, 8 seeds."""
    return f"{n:,} {thing if n == 1 else things or thing + 's'}"


def clock(seconds: float) -> str:
    """Return a duration: 0:07, 12:30, 1:02:03."""
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours}:{m:02d}:{s:02d}" if hours else f"{m}:{s:02d}"


def signed(x: Any, digits: int = 2) -> str:
    """Return a number with a fixed number of digits and a proper minus sign."""
    return f"{round(float(x), digits) + 0.0:.{digits}f}".replace("-", "−")


def shortest(x: float) -> str:
    """Return a number with two digits after the point, or fewer where these are exact."""
    texts = [f"{x + 0.0:.{digits}f}" for digits in range(3)]
    return next((text for text in texts if float(text) == x), texts[-1]).replace("-", "−")


def memory_size(n: int) -> str:
    """Return a number of bytes as MB or GB, at least 1 MB."""
    return f"{n / 1e9:.1f} GB" if n >= 0.95e9 else f"{max(n, 1e6) / 1e6:.0f} MB"


def table(rows: Iterable[Iterable[str]], *, right: Container[int] = (), indent: int = 2) -> str:
    """Return rows as text, each column as wide as its widest cell.

    Columns are aligned to the left, those whose index is in `right` to the right: `right=range(1, 9)`.
    """
    rows = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(" " * indent + "  ".join(cells).rstrip())
    return "\n".join(lines)


def nearest(name: str, names: Iterable[str]) -> str:
    """Return ` (did you mean ...?)`, or nothing; the last part of a dotted name is enough for a match."""
    names = list(dict.fromkeys(names))
    last_part = lambda name: name.replace("/", ".").rpartition(".")[2]
    close = [known for known in names if last_part(known) == last_part(name)]
    close = close or get_close_matches(name, names, n=1)
    return f" (did you mean {' or '.join(close[:2])}?)" if close else ""
