"""Schedules: numbers that may change during training."""

import abc
from typing import Annotated

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ..errors import SettingError
from ..ranges import Above, AtLeast, Between, Count, Index, Level, Odd


class AbstractSchedule(eqx.Module):
    """A number that may change during training."""

    @abc.abstractmethod
    def __call__(self, step: Int[Array, ""] | int) -> Float[Array, ""]: ...


class ConstantSchedule(AbstractSchedule):
    """The same number throughout."""

    value: Level

    def __call__(self, step):
        return jnp.asarray(self.value, float)


class LinearSchedule(AbstractSchedule):
    """A line from `start` to `end` over the first `steps` steps, then constant."""

    start: Level
    end: Level
    steps: Count

    def __call__(self, step):
        fraction = jnp.clip(step / self.steps, 0.0, 1.0)
        return self.start + (self.end - self.start) * fraction


class RampSchedule(AbstractSchedule):
    """A line from 0 to 1 over the first `steps` steps, then 1."""

    steps: Count = 10_000

    def __call__(self, step):
        return jnp.clip(step / self.steps, 0.0, 1.0)


class PhasesSchedule(AbstractSchedule):
    """0 until `begin`, a line to `final` at `end`, then constant."""

    final: Level = 0.7
    begin: Index = 10_000
    end: Index = 50_000

    def __check_init__(self):
        if self.end <= self.begin:
            problem = f"is not after `begin={self.begin}`"
            raise SettingError("end", problem, "set it higher", value=self.end)

    def __call__(self, step):
        return self.final * jnp.clip((step - self.begin) / (self.end - self.begin), 0.0, 1.0)


# Schedules with a range, which all of their values keep to.
UnitSchedule = Annotated[AbstractSchedule, Between(0, 1)]
PositiveSchedule = Annotated[AbstractSchedule, Above(0)]
NonNegativeSchedule = Annotated[AbstractSchedule, AtLeast(0)]
LearningRate = Annotated[AbstractSchedule, AtLeast(0, 1000), Odd(0, "changes no weight")]
