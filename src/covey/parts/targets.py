"""How target networks follow."""

import abc
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

P = TypeVar("P")


class AbstractTarget(eqx.Module):
    """How a target network follows the one that learns."""

    @abc.abstractmethod
    def __call__(self, online: P, target: P, updates: Int[Array, ""]) -> P: ...


class HardTarget(AbstractTarget):
    """A copy every `period` updates (van Hasselt's and PyMARL's way)."""

    period: int = 200

    def __call__(self, online, target, updates):
        return jax.tree.map(lambda n, o: jnp.where(updates % self.period == 0, n, o), online, target)


class SoftTarget(AbstractTarget):
    """A step of `tau` towards the online network after every update (Lillicrap et al., 2016)."""

    tau: float = 0.01

    def __call__(self, online, target, updates):
        return jax.tree.map(lambda n, o: self.tau * n + (1 - self.tau) * o, online, target)
