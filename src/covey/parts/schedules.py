"""Schedules: numbers that may change during training."""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


class AbstractSchedule(eqx.Module):
    """A number that may change during training."""

    @abc.abstractmethod
    def __call__(self, step: Int[Array, ""] | int) -> Float[Array, ""]: ...


class ConstantSchedule(AbstractSchedule):
    """The same number throughout."""

    value: float

    def __call__(self, step):
        return jnp.asarray(self.value, float)


class LinearSchedule(AbstractSchedule):
    """A line from `start` to `end` over the first `steps` steps, then constant."""

    start: float
    end: float
    steps: int

    def __call__(self, step):
        fraction = jnp.clip(step / self.steps, 0.0, 1.0)
        return self.start + (self.end - self.start) * fraction


class RampSchedule(AbstractSchedule):
    """A line from 0 to 1 over the first `steps` steps, then 1."""

    steps: int = 10_000

    def __call__(self, step):
        return jnp.clip(step / self.steps, 0.0, 1.0)


class PhasesSchedule(AbstractSchedule):
    """0 until `begin`, a line to `final` at `end`, then constant."""

    final: float = 0.7
    begin: int = 10_000
    end: int = 50_000

    def __call__(self, step):
        return self.final * jnp.clip((step - self.begin) / (self.end - self.begin), 0.0, 1.0)
