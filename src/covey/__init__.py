"""Multi-agent reinforcement learning, whole experiments at a time.

From Python:

    run = covey.train("qmix", "spread", seeds=8, gamma=.95)
    actions = covey.load(run.path).act(observations)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "Policy", "Run", "Session", "SettingError", "UserError", "World", "ablate", "check", "compare",
    "crossplay", "describe", "evaluate", "export", "import_results", "load", "make", "new", "plot", "report",
    "resume", "sweep", "sync", "train", "versus", "watch",
]  # fmt: skip

if TYPE_CHECKING:
    from .api import (
        Run,
        Session,
        ablate,
        check,
        compare,
        crossplay,
        describe,
        evaluate,
        export,
        import_results,
        load,
        make,
        new,
        plot,
        report,
        resume,
        sweep,
        sync,
        train,
        versus,
        watch,
    )
    from .errors import SettingError, UserError
    from .runs.policy import Policy
    from .runs.world import World

_HOMES = {
    "Policy": ".runs.policy",
    "SettingError": ".errors",
    "UserError": ".errors",
    "World": ".runs.world",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used, so that `import covey` starts no JAX."""
    if name not in __all__:
        raise AttributeError(f"module 'covey' has no attribute '{name}'")
    return getattr(import_module(_HOMES.get(name, ".api"), __name__), name)
