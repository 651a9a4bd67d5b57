"""Films: a replay drawn on NumPy arrays, moment by moment, and written in four formats."""

from .writers import write, writer

__all__ = ["write", "writer"]
