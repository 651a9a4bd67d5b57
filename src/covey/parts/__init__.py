"""Small parts that settings are made of: schedules, optimisers, targets, factories.

They are data, not closures: they stand in a YAML file, `key=value` reaches their fields, and they
become Optax, numbers or networks only where they are used.
"""

from .factory import Make
from .optimisers import AbstractOptimiser, Adam, Apart, ClipBy, RAdam, RMSProp, clip_by_variable
from .schedules import AbstractSchedule, Constant, Linear, Phases, Ramp
from .targets import AbstractTarget, Hard, Soft

__all__ = [
    "AbstractOptimiser",
    "AbstractSchedule",
    "AbstractTarget",
    "Adam",
    "Apart",
    "ClipBy",
    "Constant",
    "Hard",
    "Linear",
    "Make",
    "Phases",
    "RAdam",
    "RMSProp",
    "Ramp",
    "Soft",
    "clip_by_variable",
]
