"""Rules by which target networks follow."""

import abc
from typing import Annotated, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from ..core import Target
from ..ranges import Between, Count, Odd

_Network = TypeVar("_Network")


class AbstractTarget(eqx.Module):
    """The rule by which a target network follows the one that learns."""

    @abc.abstractmethod
    def __call__(
        self, online: _Network, target: Target[_Network], updates: Int[Array, ""]
    ) -> Target[_Network]: ...


class HardTarget(AbstractTarget):
    """A copy every `period` updates (van Hasselt's and PyMARL's way)."""

    period: Count = 200

    def __call__(self, online, target, updates):
        due = lambda new, old: jnp.where(updates % self.period == 0, new, old)
        return Target(jax.tree.map(due, online, target.network))


class SoftTarget(AbstractTarget):
    """A step of `tau` towards the online network after every update (Lillicrap et al., 2016)."""

    tau: Annotated[float, Between(0, 1), Odd(0, "never follows")] = 0.01

    def __call__(self, online, target, updates):
        closer = lambda new, old: self.tau * new + (1 - self.tau) * old
        return Target(jax.tree.map(closer, online, target.network))
