"""The roles that parts of a learner play, told by type.

A learner may be any pytree of arrays. Walk it for these types to tell which arrays are weights, which
belong to an optimiser, and which follow or stay by design.
"""

from typing import Any, Generic, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

_Network = TypeVar("_Network")


class OptState(eqx.Module):
    """What Optax carries from one gradient step to the next."""

    state: PyTree[Array]


class Target(eqx.Module, Generic[_Network]):
    """A network that follows another: `AbstractTarget` moves it, no gradient does."""

    network: _Network


class Frozen(eqx.Module, Generic[_Network]):
    """A network that is meant to stay as it was initialised."""

    network: _Network


def learner_parameters(learner: PyTree) -> list[Any]:
    """Return the floating-point arrays (or shapes) of a learner, except those of optimiser states."""
    is_state = lambda x: isinstance(x, OptState)
    leaves = [x for x in jax.tree.leaves(learner, is_leaf=is_state) if not is_state(x)]
    return [x for x in leaves if jnp.issubdtype(x.dtype, jnp.floating)]
