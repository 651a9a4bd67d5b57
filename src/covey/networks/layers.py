"""Layers. They act on the last axis, whatever leads it."""

from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from ..ops import named


class Linear(eqx.Module):
    """y = x W + b. Weights and biases begin as U(+-bound): 1/sqrt(i) by default, as in PyTorch."""

    weight: Float[Array, "i o"]
    bias: Float[Array, " o"]

    def __init__(self, i: int, o: int, *, bound: float | None = None, key: PRNGKeyArray):
        edge = max(i, 1) ** -0.5 if bound is None else bound
        uniform = lambda name, shape: jr.uniform(named(key, name), shape, minval=-edge, maxval=edge)
        self.weight, self.bias = uniform("weight", (i, o)), uniform("bias", (o,))

    def __call__(self, x: Float[Array, "*b i"]) -> Float[Array, "*b o"]:
        return x @ self.weight + self.bias


class MLP(eqx.Module):
    """Linear layers with ReLU between them."""

    layers: tuple[Linear, ...]

    def __init__(self, *sizes: int, key: PRNGKeyArray):
        self.layers = tuple(Linear(i, o, key=named(key, n)) for n, (i, o) in enumerate(pairwise(sizes)))

    def __call__(self, x: Float[Array, "*b i"]) -> Float[Array, "*b o"]:
        for layer in self.layers[:-1]:
            x = jax.nn.relu(layer(x))
        return self.layers[-1](x)


class GRU(eqx.Module):
    """Gated recurrent unit (Cho et al., 2014), in PyTorch's form; all of it begins as U(+-1/sqrt(h)).

    Its three gates are three matrices: slices of a joint one, inside a scan, keep XLA's CPU
    kernels from vectorising.
    """

    inputs: tuple[Linear, Linear, Linear]
    hidden: tuple[Linear, Linear, Linear]

    def __init__(self, i: int, h: int, *, key: PRNGKeyArray):
        gate = lambda name, size: Linear(size, h, bound=h**-0.5, key=named(key, name))
        self.inputs = (gate("reset", i), gate("update", i), gate("new", i))
        self.hidden = (gate("reset h", h), gate("update h", h), gate("new h", h))

    def project(self, x: Float[Array, "*b i"]) -> tuple[Float[Array, "*b h"], ...]:
        """What does not wait for the past: done for all steps at once."""
        return tuple(layer(x) for layer in self.inputs)

    def __call__(
        self, h: Float[Array, "*b h"], gates: tuple[Float[Array, "*b h"], ...]
    ) -> Float[Array, "*b h"]:
        reset, update, new = (layer(h) for layer in self.hidden)
        r, z = jax.nn.sigmoid(gates[0] + reset), jax.nn.sigmoid(gates[1] + update)
        n = jnp.tanh(gates[2] + r * new)
        return n + z * (h - n)
