"""Gradient steps."""

from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree

from ..core import Metrics, OptState, Target
from ..parts import AbstractOptimiser
from .collectives import pooled

_P = TypeVar("_P")
_X = TypeVar("_X")


def cosine(a: PyTree[Array], b: PyTree[Array]) -> Float[Array, ""]:
    """Return the cosine of the angle between two trees of arrays; 0 where either is 0."""
    a = ravel_pytree(a)[0]
    b = ravel_pytree(b)[0]
    return a @ b / jnp.maximum(jnp.sqrt((a @ a) * (b @ b)), 1e-20)


def init_target(network: _P) -> Target[_P]:
    """Return a target that starts as a copy of the network.

    Its arrays are buffers of their own: what is donated may not be shared.
    """
    return Target(jax.tree.map(jnp.copy, network))


def init_opt_state(optimiser: AbstractOptimiser, params: PyTree, stacked: bool = False) -> OptState:
    """Return the optimiser's first state; `stacked`: one for each of a stack of networks."""
    init = optimiser.optax.init
    return OptState((jax.vmap(init) if stacked else init)(params))  # pyright: ignore[reportArgumentType]


def gradients(loss: Callable[..., tuple[Float[Array, ""], _X]], params: _P, *args: Any) -> tuple[_P, _X]:
    """Return the gradient of `loss(params, *args)`, and the loss's second result."""
    grads, aux = jax.grad(loss, has_aux=True)(params, *args)
    return pooled(grads), aux


def step(
    optimiser: AbstractOptimiser, params: _P, opt_state: OptState, grads: _P, stacked: bool = False
) -> tuple[_P, OptState]:
    """Take one optimiser step; `stacked`: the gradients of a stack's networks are clipped one by one."""
    update = optimiser.optax.update
    updates, state = (jax.vmap(update) if stacked else update)(grads, opt_state.state, params)  # pyright: ignore[reportArgumentType]
    return eqx.apply_updates(params, updates), OptState(state)


def descend(
    optimiser: AbstractOptimiser,
    loss: Callable[..., tuple[Float[Array, ""], Metrics]],
    params: _P,
    opt_state: OptState,
    *args: Any,
    stacked: bool = False,
) -> tuple[_P, OptState, Metrics]:
    """Take one gradient step on `loss(params, *args)`."""
    grads, metrics = gradients(loss, params, *args)
    return *step(optimiser, params, opt_state, grads, stacked), metrics
