"""Multi-agent algorithms: each one's mathematics in a file of its own."""

from .coma import COMA
from .dual_q import DualQ
from .frozen_opponent import FrozenOpponent
from .hyper_mappo import HyperMAPPO
from .maddpg import MADDPG
from .ppo import PPO
from .qmix import QMIX
from .random import Random
from .scripted import AttackNearest, AttackWeakest, Idle, Kite
from .wqmix import WQMIX, AbstractWeighting, CentralWeighting, OptimisticWeighting

__all__ = [
    "COMA",
    "MADDPG",
    "PPO",
    "QMIX",
    "WQMIX",
    "AbstractWeighting",
    "AttackNearest",
    "AttackWeakest",
    "CentralWeighting",
    "DualQ",
    "FrozenOpponent",
    "HyperMAPPO",
    "Idle",
    "Kite",
    "OptimisticWeighting",
    "Random",
]
