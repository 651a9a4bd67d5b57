"""Layers. They act on the last axis, whatever leads it."""

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from ..ops import named

Activation = Literal["relu", "tanh"]
ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh}
GAINS = {"relu": 2**0.5, "tanh": 5 / 3}  # that keep the size of what passes through


class Linear(eqx.Module):
    """y = x W + b. Weights and biases begin as U(+-bound): 1/sqrt(i) by default, as in PyTorch.

    With a `gain` weights begin orthogonal times it (Saxe et al., 2014), biases at zero; `xavier`: as
    U(+-sqrt(6 / (i + o))) (Glorot and Bengio, 2010), biases at zero.
    """

    weight: Float[Array, "i o"]
    bias: Float[Array, " o"]

    def __init__(
        self, i: int, o: int, *, bound: float | None = None, gain: float | None = None, xavier: bool = False,
        key: PRNGKeyArray,
    ):  # fmt: skip
        if gain is not None:
            self.weight = jax.nn.initializers.orthogonal(gain)(named(key, "weight"), (i, o))
            self.bias = jnp.zeros(o)
            return
        edge = max(i, 1) ** -0.5 if bound is None else bound
        uniform = lambda name, shape: jr.uniform(named(key, name), shape, minval=-edge, maxval=edge)
        if xavier:
            edge = (6 / (i + o)) ** 0.5
            self.weight, self.bias = uniform("weight", (i, o)), jnp.zeros(o)
            return
        self.weight, self.bias = uniform("weight", (i, o)), uniform("bias", (o,))

    def __call__(self, x: Float[Array, "*b i"]) -> Float[Array, "*b o"]:
        return x @ self.weight + self.bias


def layer_norm(x: Float[Array, "*b size"]) -> Float[Array, "*b size"]:
    """Mean 0 and deviation 1 over the last axis (Ba et al., 2016).

    Without a scale and a shift of its own: the linear layer that follows has both. Flat, because XLA's
    CPU kernels reduce rows of a matrix faster than those of anything with more axes.
    """
    flat = x.reshape(-1, x.shape[-1])
    flat = flat - jnp.mean(flat, axis=-1, keepdims=True)
    flat = flat * jax.lax.rsqrt(jnp.mean(flat**2, axis=-1, keepdims=True) + 1e-5)
    return flat.reshape(x.shape)


class MLP(eqx.Module):
    """Linear layers with an activation between them; where `activated`, after the last one too.

    With `norm` the input and what comes out of every activation are normalised. `gain` is the last
    layer's: all begin orthogonal then, those before an activation with the gain that suits it.
    """

    layers: tuple[Linear, ...]
    activation: Activation = eqx.field(static=True)
    norm: bool = eqx.field(static=True)
    activated: bool = eqx.field(static=True)

    def __init__(
        self, *sizes: int, activation: Activation = "relu", norm: bool = False, gain: float | None = None,
        xavier: bool = False, activated: bool = False, key: PRNGKeyArray,
    ):  # fmt: skip
        self.activation, self.norm, self.activated = activation, norm, activated
        pairs = list(pairwise(sizes))
        gains = [None if gain is None else GAINS[activation]] * len(pairs)
        gains = gains if activated else [*gains[1:], gain]
        make = lambda n, i, o: Linear(i, o, gain=gains[n], xavier=xavier, key=named(key, n))
        self.layers = tuple(make(n, i, o) for n, (i, o) in enumerate(pairs))

    def __call__(self, x: Float[Array, "*b i"]) -> Float[Array, "*b o"]:
        norm = layer_norm if self.norm else lambda x: x
        x = norm(x)
        for n, layer in enumerate(self.layers, 1):
            x = layer(x)
            if n < len(self.layers) or self.activated:
                x = norm(ACTIVATIONS[self.activation](x))
        return x


class GRU(eqx.Module):
    """Gated recurrent unit (Cho et al., 2014), in PyTorch's form; all of it begins as U(+-1/sqrt(h)),
    or with a `gain` like `Linear`.

    Its three gates are three matrices: slices of a joint one, inside a scan, keep XLA's CPU
    kernels from vectorising.
    """

    inputs: tuple[Linear, Linear, Linear]
    hidden: tuple[Linear, Linear, Linear]

    def __init__(self, i: int, h: int, *, gain: float | None = None, key: PRNGKeyArray):
        gate = lambda name, size: Linear(size, h, bound=h**-0.5, gain=gain, key=named(key, name))
        self.inputs = (gate("reset", i), gate("update", i), gate("new", i))
        self.hidden = (gate("reset h", h), gate("update h", h), gate("new h", h))

    def project(self, x: Float[Array, "*b i"]) -> tuple[Float[Array, "*b h"], ...]:
        """What does not wait for the past: done for all steps at once."""
        return tuple(layer(x) for layer in self.inputs)

    def __call__(
        self, h: Float[Array, "*b h"], gates: tuple[Float[Array, "*b h"], ...]
    ) -> Float[Array, "*b h"]:
        return gated(h, gates, recalled(self.hidden, h))

    def unroll(
        self, h: Float[Array, "*b h"], gates: tuple[Float[Array, "T *b h"], ...], first: Bool[Array, " T"]
    ) -> Float[Array, "T *b h"]:
        """What it remembers after each step; wiped before a step that is an episode's `first`."""
        return unrolled(self.hidden, h, gates, first)


def recalled(hidden: tuple[Callable, ...], h: Float[Array, "*b h"]) -> tuple[Float[Array, "*b h"], ...]:
    """What the gates read from memory."""
    return tuple(layer(h) for layer in hidden)


def gated(
    h: Float[Array, "*b h"], gates: tuple[Float[Array, "*b h"], ...], past: tuple[Float[Array, "*b h"], ...]
) -> Float[Array, "*b h"]:
    r, z = jax.nn.sigmoid(gates[0] + past[0]), jax.nn.sigmoid(gates[1] + past[1])
    n = jnp.tanh(gates[2] + r * past[2])
    return n + z * (h - n)


def scanned(hidden, h, gates, first):
    """Memory before each step, and after it."""

    def tick(h, x):
        gates, first = x
        h = jnp.where(first, 0.0, h)
        after = gated(h, gates, recalled(hidden, h))
        return after, (h, after)

    return jax.lax.scan(tick, h, (gates, first))[1]


@jax.custom_vjp
def unrolled(hidden, h, gates, first):
    """`GRU.unroll`. Only memory has to be followed back step by step: what the weights' gradients are
    can be told of all steps at once, and a scan by itself would add it up, matrix by matrix."""
    return scanned(hidden, h, gates, first)[1]


def forth(hidden, h, gates, first):
    before, after = scanned(hidden, h, gates, first)
    return after, (hidden, before, gates, first)


def back(kept, given):
    hidden, before, gates, first = kept
    past = recalled(hidden, before)

    def tick(later, x):
        given, h, gates, past, first = x
        through, gates, past = jax.vjp(gated, h, gates, past)[1](given + later)
        through += jax.vjp(lambda h: recalled(hidden, h), h)[1](past)[0]
        return jnp.where(first, 0.0, through), (gates, past)

    start, steps = jnp.zeros_like(given[0]), (given, before, gates, past, first)
    h, (gates, past) = jax.lax.scan(tick, start, steps, reverse=True)
    weights = jax.vjp(lambda hidden: recalled(hidden, before), hidden)[1](past)[0]
    return weights, h, gates, None


unrolled.defvjp(forth, back)
