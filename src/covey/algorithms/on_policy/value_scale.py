"""A scale for values, learned during training."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ... import ops


class ValueNorm(eqx.Module):
    """Mean and deviation of returns so far: slow moving averages, corrected for their start at zero.

        m <- beta m + (1 - beta) mean(G),   w <- beta w + (1 - beta),   mean = m / max(w, 1e-5)

    and the same for the mean square (van Hasselt et al., 2016; Yu et al., 2022). With `runs=False` it is the
    identity.
    """

    mean: Float[Array, ""]
    square: Float[Array, ""]
    weight: Float[Array, ""]

    def __init__(self, runs: bool = True):
        start = 0.0 if runs else 1.0
        self.mean = jnp.full((), 0.0, float)
        self.square = jnp.full((), start, float)
        self.weight = jnp.full((), start, float)

    def update(
        self, returns: Float[Array, "*b k"], mask: Bool[Array, "*b"], beta: float = 0.99999
    ) -> "ValueNorm":
        old = jnp.stack([self.mean, self.square, self.weight])
        batch = ops.pooled(jnp.stack([ops.mean(returns, mask), ops.mean(returns**2, mask), jnp.ones(())]))
        new = tuple(beta * old + (1 - beta) * batch)
        return eqx.tree_at(lambda s: (s.mean, s.square, s.weight), self, new)

    @property
    def centre(self) -> Float[Array, ""]:
        return self.mean / jnp.maximum(self.weight, 1e-5)

    @property
    def deviation(self) -> Float[Array, ""]:
        square = self.square / jnp.maximum(self.weight, 1e-5)
        return jnp.sqrt(jnp.maximum(square - self.centre**2, 1e-2))

    def normalise(self, x: Float[Array, "*b"]) -> Float[Array, "*b"]:
        return (x - self.centre) / self.deviation

    def denormalise(self, x: Float[Array, "*b"]) -> Float[Array, "*b"]:
        return x * self.deviation + self.centre
