"""Gradient steps."""

from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int, PyTree

from ..core import Metrics, OptState, Target, Trajectory
from ..parts import AbstractOptimiser
from .collectives import agreed, pooled
from .watching import show_loss

_P = TypeVar("_P")
_X = TypeVar("_X")

STEPS_AT_ONCE = 5000  # of agents; what a recurrent network of 64 keeps for them fits a core's cache


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
    show_loss(loss, params, args)
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


def descend_by_rows(
    optimiser: AbstractOptimiser,
    loss: Callable[..., tuple[Float[Array, ""], Metrics]],
    params: _P,
    opt_state: OptState,
    *args: Any,
) -> tuple[_P, OptState, Metrics]:
    """Take one gradient step on `loss(params, *args)`, a mean over the valid steps of its last argument.

    A large batch is read some rows at a time. What they need stays in a core's cache, and rows after the last
    valid step cost nothing. The rows of a small batch, or of any on a GPU, are read at once.
    """
    *rest, batch = args
    rows = rows_at_once(batch)
    if rows == batch.valid.shape[0]:
        return descend(optimiser, loss, params, opt_state, *args)
    show_loss(loss, params, args)
    grads, metrics = _mean_gradients(lambda params, part: loss(params, *rest, part), params, batch, rows)
    return *step(optimiser, params, opt_state, pooled(grads)), metrics


def rows_at_once(batch: Trajectory) -> int:
    """Return how many rows of a batch are read together: a divisor of their number."""
    rows, steps = batch.valid.shape
    if jax.default_backend() != "cpu":
        return rows
    agents = batch.reward.shape[-1]
    most = max(1, STEPS_AT_ONCE // (steps * agents))
    return max(size for size in range(1, min(rows, most) + 1) if rows % size == 0)


def _mean_gradients(
    loss: Callable[[_P, Trajectory], tuple[Float[Array, ""], Metrics]],
    params: _P,
    batch: Trajectory,
    rows: int,
) -> tuple[_P, Metrics]:
    """Return the gradient of a mean over a batch's valid steps and its metrics, `rows` at a time."""
    some = jnp.any(batch.valid, axis=1)
    used = agreed(jnp.max(jnp.where(some, jnp.arange(len(some)) + 1, 0)))
    total = pooled(jnp.sum(batch.valid, dtype=float))

    def read(number: Int[Array, ""]) -> tuple[_P, Metrics]:
        part = jax.tree.map(lambda x: jax.lax.dynamic_slice_in_dim(x, number * rows, rows), batch)
        share = pooled(jnp.sum(part.valid, dtype=float)) / jnp.maximum(total, 1.0)
        return jax.tree.map(lambda x: share * x, jax.grad(loss, has_aux=True)(params, part))

    def add(carry):
        number, sums = carry
        return number + 1, jax.tree.map(jnp.add, sums, read(number))

    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(read, used))
    return jax.lax.while_loop(lambda carry: carry[0] * rows < used, add, (jnp.zeros_like(used), zeros))[1]
