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
    """n copies at once. Observations and steps LEAD with n; every leaf of the state ENDS with it.

    So a kernel computes on `[..., n]`, where the innermost loop is long, and a mask of n
    selects among states by plain broadcasting. It never resets itself: the loop does.
    """

    spec: eqx.AbstractVar[Spec]

    @abc.abstractmethod
    def reset(self, key: PRNGKeyArray, n: int) -> tuple[_EnvState, Observation]: ...

    @abc.abstractmethod
    def step(self, state: _EnvState, action: Action, key: PRNGKeyArray) -> tuple[_EnvState, Step]: ...


class Vectorised(AbstractEnvironment):
    """Lifts `reset(key)` and `step(state, action, key)` of one copy to the batched contract."""

    one: eqx.Module
    spec: Spec

    def __init__(self, one):
        self.one, self.spec = one, one.spec

    def reset(self, key, n):
        return jax.vmap(self.one.reset, out_axes=(-1, 0))(jax.random.split(key, n))  # pyright: ignore

    def step(self, state, action, key):
        keys = jax.random.split(key, action.shape[0])
        return jax.vmap(self.one.step, (-1, 0, 0), (-1, 0))(state, action, keys)  # pyright: ignore
