"""Small parts that settings are made of: schedules, optimisers, targets, factories.

They are data, not closures. A YAML file holds them, `key=value` reaches their fields, and they become
numbers, Optax or networks only where they are used.
"""

from .factory import Factory
from .numbers import Number, is_off
from .optimisers import AbstractOptimiser, Adam, ClipBy, RAdam, RMSProp, clip_by_variable
from .promotion import find_setting, promoted, promoted_fields
from .schedules import (
    AbstractSchedule,
    ConstantSchedule,
    LearningRate,
    LinearSchedule,
    NonNegativeSchedule,
    PhasesSchedule,
    PositiveSchedule,
    RampSchedule,
    UnitSchedule,
)
from .targets import AbstractTarget, HardTarget, SoftTarget

__all__ = [
    "AbstractOptimiser",
    "AbstractSchedule",
    "AbstractTarget",
    "Adam",
    "ClipBy",
    "ConstantSchedule",
    "Factory",
    "HardTarget",
    "LearningRate",
    "LinearSchedule",
    "NonNegativeSchedule",
    "Number",
    "PhasesSchedule",
    "PositiveSchedule",
    "RAdam",
    "RMSProp",
    "RampSchedule",
    "SoftTarget",
    "UnitSchedule",
    "clip_by_variable",
    "find_setting",
    "is_off",
    "promoted",
    "promoted_fields",
]
