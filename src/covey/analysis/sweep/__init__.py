"""Sweeps: many settings searched on many cores, and what came of it."""

from .findings import Sweep
from .schedule import continue_sweep, start_sweep

__all__ = ["Sweep", "continue_sweep", "start_sweep"]
