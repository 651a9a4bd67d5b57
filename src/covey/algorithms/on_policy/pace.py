"""The length of gradient steps: the terms' shares of a gradient, trust regions, and networks that wait."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ... import ops
from ...core import Metrics
from ...parts import Number, is_off

Trust = Literal["none", "stop", "adapt"]
_P = TypeVar("_P")
_TINY = 1e-12


def weighed_gradients(
    losses: Callable[[_P], tuple[Metrics, Metrics]],
    params: _P,
    weights: Mapping[str, Number],
    shares: Mapping[str, Number],
    part: Callable[[_P], Any],
) -> tuple[_P, Metrics]:
    """Return the gradient of `policy` plus all other losses, each times its weight; and metrics.

    A loss with a share s is weighed such that |w g| = s |g_policy|, by the gradients of `part` of the
    parameters. All gradients come from one forward pass.
    """
    values, pull, metrics = jax.vjp(losses, params, has_aux=True)
    unit = lambda name: {other: jnp.full_like(x, other == name) for other, x in values.items()}
    grads = {name: ops.pooled(pull(unit(name))[0]) for name in values}
    norm = lambda tree: jnp.sqrt(sum(jnp.sum(x**2) for x in jax.tree.leaves(part(tree))))
    size = norm(grads["policy"])
    total = grads["policy"]
    loss = values["policy"]
    for name in (name for name in values if name != "policy"):
        own = norm(grads[name])
        by_weight = is_off(shares.get(name, 0.0))
        weight = jnp.asarray(weights[name]) if by_weight else shares[name] * size / (own + _TINY)
        total = jax.tree.map(lambda x, y, w=weight: x + w * y, total, grads[name])
        loss += weight * values[name]
        metrics[f"{name}_share"] = weight * own / (size + _TINY)
    return total, metrics | {"actor_loss": loss}


def adapted_pace(pace: Float[Array, ""], kl: Float[Array, ""], target: Number) -> Float[Array, ""]:
    """Return a smaller factor on steps that led beyond twice the target, a larger one below half of it."""
    change = jnp.where(kl > 2 * target, 1 / 1.5, jnp.where(kl < 0.5 * target, 1.5, 1.0))
    return jnp.clip(pace * change, 0.01, 10.0)


def paced(pace: Float[Array, ""], new: _P, old: _P) -> _P:
    """Return parameters that went this part of a step; with 0 they stay as they were, to the bit."""
    return jax.tree.map(lambda x, y: y + pace * (x - y), new, old)


def where_due(due: Bool[Array, ""], new: _P, old: _P) -> _P:
    """Return the new tree if a step is due, else the old one."""
    return jax.tree.map(lambda x, y: jnp.where(due, x, y), new, old)
