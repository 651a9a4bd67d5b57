"""Two runs compared: settings, bits, where they diverge, returns, and a verdict."""

from .compare_runs import compare_runs
from .comparison import Comparison

__all__ = ["Comparison", "compare_runs"]
