"""The functions that `covey` exports; a `command` is a command of the command line, too.

Nothing here imports JAX before a function is called, so that `covey --help` answers at once.
"""

from .experiments import ablate, resume, train
from .inspection import compare, crossplay, describe, evaluate, list_names, study, versus, watch
from .machine import doctor
from .migration import import_results, migrate
from .own import check, make, new
from .reports import export, plot, report, sync
from .results import Film, Run, WrittenFile, load
from .sessions import Session
from .sweeps import sweep

__all__ = [
    "Film",
    "Run",
    "Session",
    "WrittenFile",
    "ablate",
    "check",
    "compare",
    "crossplay",
    "describe",
    "doctor",
    "evaluate",
    "export",
    "import_results",
    "list_names",
    "load",
    "make",
    "migrate",
    "new",
    "plot",
    "report",
    "resume",
    "study",
    "sweep",
    "sync",
    "train",
    "versus",
    "watch",
]
