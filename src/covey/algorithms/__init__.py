"""Multi-agent algorithms: each one's mathematics in a file of its own."""

from typing import TYPE_CHECKING, Any

from ..lazy import find_name

if TYPE_CHECKING:
    from .coma import COMA
    from .dual_q import DualQ
    from .frozen_opponent import FrozenOpponent
    from .hyper_mappo import HyperMAPPO
    from .maddpg import MADDPG
    from .opponent_pool import OpponentPool
    from .ppo import PPO
    from .pqn import PQN
    from .qmix import QMIX
    from .random import Random
    from .scripted import AbstractScript, Idle, KiteScript, NearestScript, Scripted, WeakestScript
    from .wqmix import WQMIX, AbstractWeighting, CentralWeighting, OptimisticWeighting

__all__ = [
    "COMA",
    "MADDPG",
    "PPO",
    "PQN",
    "QMIX",
    "WQMIX",
    "AbstractScript",
    "AbstractWeighting",
    "CentralWeighting",
    "DualQ",
    "FrozenOpponent",
    "HyperMAPPO",
    "Idle",
    "KiteScript",
    "NearestScript",
    "OpponentPool",
    "OptimisticWeighting",
    "Random",
    "Scripted",
    "WeakestScript",
]

_MODULES = (
    ".coma",
    ".dual_q",
    ".frozen_opponent",
    ".hyper_mappo",
    ".maddpg",
    ".opponent_pool",
    ".ppo",
    ".pqn",
    ".qmix",
    ".random",
    ".scripted",
    ".wqmix",
)


def __getattr__(name: str) -> Any:
    """Import what is asked for: a run needs one of these modules."""
    return find_name(__name__, __all__, _MODULES, name)
