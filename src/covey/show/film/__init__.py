"""Films: a playback drawn on NumPy arrays, moment by moment, and written in four formats."""

from .writers import find_writer, write_film

__all__ = ["find_writer", "write_film"]
