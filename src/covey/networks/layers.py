"""Layers. They act on the last axis of arrays of any shape."""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from ..ops import named

Activation = Literal["relu", "tanh"]
_ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh}
_GAINS = {"relu": 2**0.5, "tanh": 5 / 3}  # keep the scale of what passes through


class Linear(eqx.Module):
    """y = x W + b. Weights and biases start as U(+-bound), with 1/sqrt(inputs) by default, as in PyTorch.

    With a `gain`, weights start orthogonal times it (Saxe et al., 2014) and biases at zero. With `xavier`,
    weights start as U(+-sqrt(6 / (inputs + outputs))) (Glorot and Bengio, 2010) and biases at zero.
    """

    weight: Float[Array, "i o"]
    bias: Float[Array, " o"]

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        bound: float | None = None,
        gain: float | None = None,
        xavier: bool = False,
        key: PRNGKeyArray,
    ):
        weight_key = named(key, "weight")
        shape = (inputs, outputs)
        if gain is not None:
            self.weight = jax.nn.initializers.orthogonal(gain)(weight_key, shape)
            self.bias = jnp.zeros(outputs)
        elif xavier:
            edge = (6 / (inputs + outputs)) ** 0.5
            self.weight = jr.uniform(weight_key, shape, minval=-edge, maxval=edge)
            self.bias = jnp.zeros(outputs)
        else:
            edge = max(inputs, 1) ** -0.5 if bound is None else bound
            self.weight = jr.uniform(weight_key, shape, minval=-edge, maxval=edge)
            self.bias = jr.uniform(named(key, "bias"), (outputs,), minval=-edge, maxval=edge)

    def __call__(self, x: Float[Array, "*b i"]) -> Float[Array, "*b o"]:
        return x @ self.weight + self.bias


def layer_norm(x: Float[Array, "*b size"]) -> Float[Array, "*b size"]:
    """Normalise the last axis to mean 0 and deviation 1 (Ba et al., 2016).

    There is no scale and no shift: the linear layer that follows has both. The array is flattened to a
    matrix, because XLA's CPU kernels reduce the rows of a matrix faster than those of more axes.
    """
    flat = x.reshape(-1, x.shape[-1])
    flat = flat - jnp.mean(flat, axis=-1, keepdims=True)
    flat = flat * jax.lax.rsqrt(jnp.mean(flat**2, axis=-1, keepdims=True) + 1e-5)
    return flat.reshape(x.shape)


class MLP(eqx.Module):
    """Linear layers with an activation between them and, if `activated`, after the last one too.

    With `norm`, the input and the output of every activation are normalised. `gain` is that of the last
    layer: then all layers start orthogonal, and those before an activation with the gain that suits it.
    """

    layers: tuple[Linear, ...]
    activation: Activation = eqx.field(static=True)
    norm: bool = eqx.field(static=True)
    activated: bool = eqx.field(static=True)

    def __init__(
        self,
        *sizes: int,
        activation: Activation = "relu",
        norm: bool = False,
        gain: float | None = None,
        xavier: bool = False,
        activated: bool = False,
        key: PRNGKeyArray,
    ):
        self.activation = activation
        self.norm = norm
        self.activated = activated
        pairs = list(pairwise(sizes))
        gains = [None if gain is None else _GAINS[activation]] * len(pairs)
        if not activated:
            gains = [*gains[1:], gain]
        make = lambda n, i, o: Linear(i, o, gain=gains[n], xavier=xavier, key=named(key, n))
        self.layers = tuple(make(n, i, o) for n, (i, o) in enumerate(pairs))

    def __call__(self, x: Float[Array, "*b i"]) -> Float[Array, "*b o"]:
        norm = layer_norm if self.norm else lambda x: x
        x = norm(x)
        for n, layer in enumerate(self.layers, 1):
            x = layer(x)
            if n < len(self.layers) or self.activated:
                x = norm(_ACTIVATIONS[self.activation](x))
        return x


class GRU(eqx.Module):
    """Gated recurrent unit (Cho et al., 2014) in PyTorch's form.

    Weights start as U(+-1/sqrt(h)) or, with a `gain`, as in `Linear`. Each gate has a matrix of its own:
    slices of a joint one, inside a scan, keep XLA's CPU kernels from vectorising.
    """

    inputs: tuple[Linear, Linear, Linear]
    hidden: tuple[Linear, Linear, Linear]

    def __init__(self, i: int, h: int, *, gain: float | None = None, key: PRNGKeyArray):
        gate = lambda name, size: Linear(size, h, bound=h**-0.5, gain=gain, key=named(key, name))
        self.inputs = (gate("reset", i), gate("update", i), gate("new", i))
        self.hidden = (gate("reset h", h), gate("update h", h), gate("new h", h))

    def project(self, x: Float[Array, "*b i"]) -> tuple[Float[Array, "*b h"], ...]:
        """Compute the part of the gates that does not depend on the past, for all steps at once."""
        return tuple(layer(x) for layer in self.inputs)

    def __call__(
        self, h: Float[Array, "*b h"], gates: tuple[Float[Array, "*b h"], ...]
    ) -> Float[Array, "*b h"]:
        return _mix(h, _open_gates(gates, _apply(self.hidden, h)))

    def unroll(
        self, h: Float[Array, "*b h"], gates: tuple[Float[Array, "T *b h"], ...], first: Bool[Array, " T"]
    ) -> Float[Array, "T *b h"]:
        """Return the hidden state after each step; it is reset before a step that is `first`."""
        return _unroll(self.hidden, h, gates, first)


class LSTM(eqx.Module):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997) in PyTorch's form.

    The state is h and c side by side, of which h is the output. Weights start as U(+-1/sqrt(h)).
    """

    inputs: tuple[Linear, Linear, Linear, Linear]
    hidden: tuple[Linear, Linear, Linear, Linear]

    def __init__(self, i: int, h: int, *, key: PRNGKeyArray):
        gate = lambda name, size: Linear(size, h, bound=h**-0.5, key=named(key, name))
        self.inputs = (gate("in", i), gate("forget", i), gate("new", i), gate("out", i))
        self.hidden = (gate("in h", h), gate("forget h", h), gate("new h", h), gate("out h", h))

    def project(self, x: Float[Array, "*b i"]) -> tuple[Float[Array, "*b h"], ...]:
        """Compute the part of the gates that does not depend on the past, for all steps at once."""
        return tuple(layer(x) for layer in self.inputs)

    def __call__(
        self, state: Float[Array, "*b s"], gates: tuple[Float[Array, "*b h"], ...]
    ) -> Float[Array, "*b s"]:
        h, c = jnp.split(state, 2, axis=-1)
        add, forget, new, out = (x + y for x, y in zip(gates, _apply(self.hidden, h), strict=True))
        c = jax.nn.sigmoid(forget) * c + jax.nn.sigmoid(add) * jnp.tanh(new)
        return jnp.concatenate([jax.nn.sigmoid(out) * jnp.tanh(c), c], axis=-1)


def are_plain(layers: Iterable[Callable]) -> bool:
    """Return True if all layers are linear and the same for every row."""
    return all(type(layer) is Linear for layer in layers)


def as_matrix(f: Callable, x: Float[Array, "*b i"], layers: Iterable[Callable]) -> Any:
    """Return f(x), whose `layers` receive a matrix if they are plain.

    The gradient of a product over several axes would copy its arrays.
    """
    if not are_plain(layers):
        return f(x)
    back = lambda y: y.reshape(*x.shape[:-1], y.shape[-1])
    return jax.tree.map(back, f(x.reshape(-1, x.shape[-1])))


def _apply(layers: tuple[Callable, ...], h: Float[Array, "*b h"]) -> tuple[Float[Array, "*b h"], ...]:
    return tuple(layer(h) for layer in layers)


class _Gates(NamedTuple):
    """A step's gates as they were open, the candidate `new`, and the past's part in it before `reset`."""

    reset: Float[Array, "*b h"]
    update: Float[Array, "*b h"]
    new: Float[Array, "*b h"]
    past: Float[Array, "*b h"]


def _open_gates(
    from_input: tuple[Float[Array, "*b h"], ...], from_hidden: tuple[Float[Array, "*b h"], ...]
) -> _Gates:
    reset = jax.nn.sigmoid(from_input[0] + from_hidden[0])
    update = jax.nn.sigmoid(from_input[1] + from_hidden[1])
    return _Gates(reset, update, jnp.tanh(from_input[2] + reset * from_hidden[2]), from_hidden[2])


def _mix(h: Float[Array, "*b h"], gates: _Gates) -> Float[Array, "*b h"]:
    """Return the next hidden state."""
    return gates.new + gates.update * (h - gates.new)


def _mix_gradient(
    grad: Float[Array, "*b h"], h: Float[Array, "*b h"], gates: _Gates
) -> tuple[tuple[Float[Array, "*b h"], ...], tuple[Float[Array, "*b h"], ...]]:
    """Return the gradients before the gates' functions: of the input's part, and of the past's."""
    update = grad * (h - gates.new) * gates.update * (1 - gates.update)
    new = grad * (1 - gates.update) * (1 - gates.new**2)
    reset = new * gates.past * gates.reset * (1 - gates.reset)
    return (reset, update, new), (reset, update, new * gates.reset)


def _scan(
    hidden: tuple[Callable, ...],
    h: Float[Array, "*b h"],
    gates: tuple[Float[Array, "T *b h"], ...],
    first: Bool[Array, " T"],
) -> tuple[Float[Array, "T *b h"], _Gates, Float[Array, "T *b h"]]:
    """Return the hidden states before each step (after a reset), its gates, and the states after it."""

    def tick(h, x):
        from_input, first = x
        h = jnp.where(first, 0.0, h)
        gates = _open_gates(from_input, _apply(hidden, h))
        after = _mix(h, gates)
        return after, (h, gates, after)

    return jax.lax.scan(tick, h, (gates, first))[1]


@jax.custom_vjp
def _unroll(
    hidden: tuple[Callable, ...],
    h: Float[Array, "*b h"],
    gates: tuple[Float[Array, "T *b h"], ...],
    first: Bool[Array, " T"],
) -> Float[Array, "T *b h"]:
    """`GRU.unroll`, with a gradient of its own.

    Only the hidden state has to be followed back step by step. The gradients of the weights are one product
    over all steps; the gradient of a scan would add them up matrix by matrix.
    """
    return _scan(hidden, h, gates, first)[2]


def _unroll_forward(
    hidden: tuple[Callable, ...],
    h: Float[Array, "*b h"],
    gates: tuple[Float[Array, "T *b h"], ...],
    first: Bool[Array, " T"],
) -> tuple[Float[Array, "T *b h"], tuple]:
    before, opened, after = _scan(hidden, h, gates, first)
    return after, (hidden, before, opened, first)


def _unroll_backward(residuals: tuple, after_grads: Float[Array, "T *b h"]) -> tuple:
    hidden, before, opened, first = residuals

    def tick(next_grad, x):
        after_grad, h, gates, first = x
        grad = after_grad + next_grad
        input_grads, hidden_grads = _mix_gradient(grad, h, gates)
        h_grad = grad * gates.update + jax.vjp(lambda h: _apply(hidden, h), h)[1](hidden_grads)[0]
        return jnp.where(first, 0.0, h_grad), (input_grads, hidden_grads)

    start = jnp.zeros_like(after_grads[0])
    steps = (after_grads, before, opened, first)
    h_grad, (gate_grads, hidden_grads) = jax.lax.scan(tick, start, steps, reverse=True)
    flat = lambda x: x.reshape(-1, x.shape[-1]) if are_plain(hidden) else x
    of_weights = jax.vjp(lambda hidden: _apply(hidden, flat(before)), hidden)[1]
    weight_grads = of_weights(tuple(map(flat, hidden_grads)))[0]
    return weight_grads, h_grad, gate_grads, None


_unroll.defvjp(_unroll_forward, _unroll_backward)
