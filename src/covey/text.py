"""Numbers, words and tables as a reader expects them."""

from collections.abc import Iterable
from typing import Any


def count(n: int, thing: str, things: str = "") -> str:
    """1 seed, 8 seeds"""
    return f"{n:,} {thing if n == 1 else things or thing + 's'}"


def clock(seconds: float) -> str:
    """0:07, 12:30, 1:02:03"""
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours}:{m:02d}:{s:02d}" if hours else f"{m}:{s:02d}"


def signed(x: Any, digits: int = 2) -> str:
    """A number with a minus sign that is one."""
    return f"{round(float(x), digits) + 0.0:.{digits}f}".replace("-", "−")


def shortest(x: float) -> str:
    """With two digits after the point, unless fewer say it all."""
    texts = [f"{x + 0.0:.{digits}f}" for digits in range(3)]
    return next((text for text in texts if float(text) == x), texts[-1]).replace("-", "−")


def memory_size(n: int) -> str:
    return f"{n / 1e9:.1f} GB" if n >= 0.95e9 else f"{max(n, 1e6) / 1e6:.0f} MB"


def table(rows: Iterable[Iterable[str]]) -> str:
    """Columns, each as wide as it must be."""
    rows = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(f"  {line}".rstrip() for line in lines)
