"""Gradient steps."""

from collections.abc import Callable
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree

from ..core import Metrics
from ..parts import AbstractOptimiser, PerPartOptimiser
from .collectives import pooled

P = TypeVar("P")
X = TypeVar("X")


def cosine(a: PyTree[Array], b: PyTree[Array]) -> Float[Array, ""]:
    """Of the angle between two; 0 where either is nothing."""
    a, b = ravel_pytree(a)[0], ravel_pytree(b)[0]
    return a @ b / jnp.maximum(jnp.sqrt((a @ a) * (b @ b)), 1e-20)


def copy(tree: P) -> P:
    """Distinct buffers: what is donated may not be shared."""
    return jax.tree.map(jnp.copy, tree)


def init_opt_state(optimiser: AbstractOptimiser, params: PyTree, stacked: bool = False) -> PyTree[Array]:
    """What the optimiser remembers about these parameters; `stacked`: about each of a stack of networks."""
    init = optimiser.optax.init
    return (jax.vmap(init) if stacked else init)(params)  # pyright: ignore[reportArgumentType]


def gradients(loss: Callable[..., tuple[Float[Array, ""], X]], params: P, *args) -> tuple[P, X]:
    """Of `loss(params, *args)`, and what else it tells."""
    grads, told = jax.grad(loss, has_aux=True)(params, *args)
    return pooled(grads), told


def step(
    optimiser: AbstractOptimiser | PerPartOptimiser,
    params: P,
    state: PyTree[Array],
    grads: P,
    stacked: bool = False,
) -> tuple[P, PyTree[Array]]:
    """One optimiser step; the only place where Optax is called. A stack's networks are clipped one by one."""
    update = optimiser.optax.update
    updates, state = (jax.vmap(update) if stacked else update)(grads, state, params)  # pyright: ignore[reportArgumentType]
    return eqx.apply_updates(params, updates), state


def descend(
    optimiser: AbstractOptimiser | PerPartOptimiser,
    loss: Callable[..., tuple[Float[Array, ""], Metrics]],
    params: P,
    state: PyTree[Array],
    *args,
    stacked: bool = False,
) -> tuple[P, PyTree[Array], Metrics]:
    """One gradient step on `loss(params, *args)`."""
    grads, metrics = gradients(loss, params, *args)
    return *step(optimiser, params, state, grads, stacked), metrics
