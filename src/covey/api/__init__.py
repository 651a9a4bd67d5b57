"""The functions that `covey` exports; a `command` is a command of the command line, too.

Nothing here imports JAX before a function is called, so that `covey --help` answers at once.
"""

from .experiments import ablate, resume, train
from .inspection import compare, crossplay, describe, evaluate, list_names, study, versus, watch
from .own import check, new
from .reports import report
from .results import Film, Report, Run, load
from .sweeps import sweep

__all__ = [
    "Film",
    "Report",
    "Run",
    "ablate",
    "check",
    "compare",
    "crossplay",
    "describe",
    "evaluate",
    "list_names",
    "load",
    "new",
    "report",
    "resume",
    "study",
    "sweep",
    "train",
    "versus",
    "watch",
]
