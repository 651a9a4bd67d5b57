"""Multi-agent algorithms: each one's mathematics in a file of its own."""

from .coma import COMA
from .dual_q import DualQ
from .frozen_opponent import FrozenOpponent
from .hyper_mappo import HyperMAPPO
from .maddpg import MADDPG
from .ppo import PPO
from .qmix import QMIX
from .random import Random
from .scripted import AbstractScript, Idle, KiteScript, NearestScript, Scripted, WeakestScript
from .wqmix import WQMIX, AbstractWeighting, CentralWeighting, OptimisticWeighting

__all__ = [
    "COMA",
    "MADDPG",
    "PPO",
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
    "OptimisticWeighting",
    "Random",
    "Scripted",
    "WeakestScript",
]
