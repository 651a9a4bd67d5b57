"""The interface of a compiled world."""

import abc
from typing import Generic, TypeVar

import equinox as eqx
import jax
from jaxtyping import PRNGKeyArray

from .spec import Spec
from .trajectory import Action, Observation, Step

_EnvState = TypeVar("_EnvState")


class AbstractEnvironment(eqx.Module, Generic[_EnvState]):
    """A world in JAX that runs n copies at once.

    n is the first axis of observations, actions and steps, and the last axis of every array in the state.
    With n last, a kernel computes on `[..., n]`, where the innermost loop is long, and a mask of n selects
    among states by plain broadcasting.

    An environment never resets itself: the training loop does.
    """

    spec: eqx.AbstractVar[Spec]

    @abc.abstractmethod
    def reset(self, key: PRNGKeyArray, n: int) -> tuple[_EnvState, Observation]:
        """Start an episode in each of n copies."""

    @abc.abstractmethod
    def step(self, state: _EnvState, action: Action, key: PRNGKeyArray) -> tuple[_EnvState, Step]:
        """Take one joint action in each copy."""


class Vectorised(AbstractEnvironment):
    """A world of one copy, lifted to the batched contract.

    `one` has a `spec`, `reset(key)` and `step(state, action, key)`, without an axis of copies.
    """

    one: eqx.Module
    spec: Spec

    def __init__(self, one):
        self.one = one
        self.spec = one.spec

    def reset(self, key, n):
        return jax.vmap(self.one.reset, out_axes=(-1, 0))(jax.random.split(key, n))  # pyright: ignore

    def step(self, state, action, key):
        keys = jax.random.split(key, action.shape[0])
        return jax.vmap(self.one.step, (-1, 0, 0), (-1, 0))(state, action, keys)  # pyright: ignore
