"""Schedules: numbers that may change as training goes on."""

import abc
from typing import TypeVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

P = TypeVar("P")


class AbstractSchedule(eqx.Module):
    """A number that may change as training goes on."""

    @abc.abstractmethod
    def __call__(self, step: Int[Array, ""] | int) -> Float[Array, ""]: ...


class ConstantSchedule(AbstractSchedule):
    """The same number throughout."""

    value: float

    def __call__(self, step):
        return jnp.asarray(self.value, float)


class LinearSchedule(AbstractSchedule):
    """From `start` to `end` within the first `steps` steps, then constant."""

    start: float
    end: float
    steps: int

    def __call__(self, step):
        done = jnp.clip(step / self.steps, 0.0, 1.0)
        return self.start + (self.end - self.start) * done


class RampSchedule(AbstractSchedule):
    """From 0 to 1 within the first `steps` steps, then 1."""

    steps: int = 10_000

    def __call__(self, step):
        return jnp.clip(step / self.steps, 0.0, 1.0)


class PhasesSchedule(AbstractSchedule):
    """0 until `begin`, in a line to `final` at `end`, then constant."""

    final: float = 0.7
    begin: int = 10_000
    end: int = 50_000

    def __call__(self, step):
        return self.final * jnp.clip((step - self.begin) / (self.end - self.begin), 0.0, 1.0)
