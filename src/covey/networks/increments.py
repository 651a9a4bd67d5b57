"""Increments to an actor's weights: a second term in some of its linear layers, for any network.

An increment is a pytree of the network's own structure in which only the chosen layers hold arrays. While it
is computed, accumulated and compared, it is one flat vector of P numbers.
"""

from collections.abc import Callable
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from ..core import Observation
from ..ops import named
from .actors import Actor
from .distributions import AbstractDistribution
from .layers import GRU, Linear

Layers = Literal["none", "last", "all", "everything"]
Output = Literal["increment", "weights"]


class IncrementHead(eqx.Module):
    """The last layer: from a code to a flat increment. It starts at zero, or at the weights `start`.

    With a `rank` r, each matrix is A B with A `[i, r]` and B `[r, o]`, both from the code. A starts at zero
    and B orthogonal, so that gradients reach A at once.
    """

    linear: Linear
    shapes: tuple[tuple[int, int], ...] = eqx.field(static=True)
    rank: int = eqx.field(static=True)

    def __init__(
        self,
        width: int,
        shapes: tuple[tuple[int, int], ...],
        rank: int,
        start: Float[Array, " P"] | None = None,
        *,
        key: PRNGKeyArray,
    ):
        self.shapes = shapes
        self.rank = rank
        parts = []
        for n, (i, o) in enumerate(shapes):
            r = min(rank, i, o)
            basis = jax.nn.initializers.orthogonal()(named(key, "basis", n), (r, o)) if r else jnp.zeros(0)
            parts += [jnp.zeros(i * (r or o)), basis.ravel(), jnp.zeros(o)]
        bias = jnp.concatenate(parts) if start is None else start
        zero = Linear(width, len(bias), bound=0.0, key=key)
        self.linear = eqx.tree_at(lambda x: x.bias, zero, bias)

    def __call__(self, code: Float[Array, "*b d"]) -> Float[Array, "*b P"]:
        x = self.linear(code)
        if not self.rank:
            return x
        parts = []
        at = 0
        for i, o in self.shapes:
            r = min(self.rank, i, o)
            a, b, bias = jnp.split(x[..., at : at + (i + o) * r + o], (i * r, (i + o) * r), axis=-1)
            product = a.reshape(*a.shape[:-1], i, r) @ b.reshape(*b.shape[:-1], r, o)
            parts += [product.reshape(*product.shape[:-2], i * o), bias]
            at += (i + o) * r + o
        return jnp.concatenate(parts, axis=-1)


def limited(delta: Float[Array, "*b P"], limit: float) -> Float[Array, "*b P"]:
    """Return D / sqrt(1 + |D|^2 / limit^2): small ones as they are, none above the limit; 0: none."""
    if not limit:
        return delta
    square = jnp.sum(delta**2, axis=-1, keepdims=True)
    return delta * jax.lax.rsqrt(1 + square / limit**2)


class IncrementedLinear(eqx.Module):
    """y = (x W + b) + (x dW + db): never x (W + dW), so that a zero increment changes no bit.

    dW is one matrix for each row of x or, with an axis less, one for all rows of x's last axis but one.
    Without a `layer`, dW and db are the whole layer.
    """

    layer: Linear | None
    weight: Float[Array, "..."]
    bias: Float[Array, "..."]

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        if self.weight.ndim > x.ndim:
            increment = jnp.einsum("...i,...io->...o", x, self.weight) + self.bias
        else:
            between = (1,) * (x.ndim - self.weight.ndim)  # axes of x that the increments do not have
            weight = self.weight.reshape(*self.weight.shape[:-2], *between, *self.weight.shape[-2:])
            bias = self.bias.reshape(*self.bias.shape[:-1], *between, 1, self.bias.shape[-1])
            increment = x @ weight + bias
        return increment if self.layer is None else self.layer(x) + increment


class ScaledLinear(eqx.Module):
    """A linear layer times a number."""

    layer: Linear
    scale: Float[Array, "*agents"]  # one per agent in a stack of networks, until `vmap` takes them apart

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        return self.scale * self.layer(x)


def _linear_layers(net: PyTree, recurrent: bool = True) -> list[Linear]:
    """Return a network's linear layers, in order; with `recurrent`, those of GRUs too."""
    stop = lambda x: isinstance(x, Linear) or (not recurrent and isinstance(x, GRU))
    return [x for x in jax.tree.leaves(net, is_leaf=stop) if isinstance(x, Linear)]


def chosen_layers(net: PyTree, layers: Layers) -> list[Linear]:
    """Return the layers that get increments."""
    all_layers = _linear_layers(net, recurrent=layers == "everything")
    start = {"none": len(all_layers), "last": -1}.get(layers, 0)
    return all_layers[start:]


def other_layers(net: PyTree, layers: Layers) -> list[Linear]:
    """Return the layers that get no increments."""
    chosen = chosen_layers(net, layers)
    return [layer for layer in _linear_layers(net) if not any(layer is other for other in chosen)]


def layer_shapes(net: PyTree, layers: Layers) -> tuple[tuple[int, int], ...]:
    """Return the inputs and outputs of each chosen layer."""
    return tuple((layer.weight.shape[-2], layer.weight.shape[-1]) for layer in chosen_layers(net, layers))


def increment_size(shapes: tuple[tuple[int, int], ...]) -> int:
    """Return P, the length of the flat vector."""
    return sum((i + 1) * o for i, o in shapes)


def flatten_weights(net: PyTree, layers: Layers) -> Float[Array, " P"]:
    """Return the chosen layers' weights as an increment holds them: weight, bias, layer after layer."""
    arrays = [x for layer in chosen_layers(net, layers) for x in (layer.weight, layer.bias)]
    return jnp.concatenate([x.ravel() for x in arrays])


def increment_tree(net: PyTree, layers: Layers, delta: Float[Array, "*b P"]) -> PyTree:
    """Return an increment in the network's own structure: None everywhere but in the chosen layers."""
    sizes = [n for i, o in layer_shapes(net, layers) for n in (i * o, o)]
    parts = iter(jnp.split(delta, np.cumsum(sizes)[:-1], axis=-1))

    def fill(layer: Linear) -> Linear:
        weight = next(parts)
        bias = next(parts)
        weight = weight.reshape(*weight.shape[:-1], *layer.weight.shape[-2:])
        return eqx.tree_at(lambda y: (y.weight, y.bias), layer, (weight, bias))

    filled = [fill(layer) for layer in chosen_layers(net, layers)]
    empty = jax.tree.map(lambda x: None, net)
    return eqx.tree_at(lambda net: chosen_layers(net, layers), empty, filled)


def add_to_weights(actor: Actor, layers: Layers, delta: Float[Array, " P"]) -> Actor:
    """Return the actor with other weights of its own, those of each group changed alike."""
    net = actor.networks.nets
    first = () if actor.networks.shared else (len(actor.networks.groups),)
    change = increment_tree(net, layers, jnp.broadcast_to(delta, (*first, len(delta))))
    return eqx.tree_at(lambda a: a.networks.nets, actor, eqx.apply_updates(net, change))


def add_increments(
    actor: Actor,
    layers: Layers,
    output: Output,
    delta: Float[Array, "*t P"],
    scales: Float[Array, " others"],
) -> Actor:
    """Return the actor with increments `[(T), (agents), P]` in its chosen layers; the others are scaled."""
    networks = actor.networks
    net = networks.nets
    change = increment_tree(net, layers, delta)
    if not networks.shared:  # each agent has its own network, so the increments need a first axis of agents
        change = jax.tree.map(lambda x: jnp.moveaxis(x, delta.ndim - 2, 0), change)
        scales = jnp.broadcast_to(scales[:, None], (len(scales), len(networks.groups)))
    pairs = zip(chosen_layers(net, layers), chosen_layers(change, layers), strict=True)
    base = lambda layer: layer if output == "increment" else None
    new = [IncrementedLinear(base(layer), x.weight, x.bias) for layer, x in pairs]
    new += [
        ScaledLinear(layer, scale) for layer, scale in zip(other_layers(net, layers), scales, strict=True)
    ]
    where = lambda actor: [
        *chosen_layers(actor.networks.nets, layers),
        *other_layers(actor.networks.nets, layers),
    ]
    return eqx.tree_at(where, actor, new)


def unroll_incremented(
    incremented: Callable[[Float[Array, "*t P"]], Actor],
    delta: Float[Array, "t *agents P"],
    h: Float[Array, "agents h"],
    obs: Observation,
    stepwise: bool,
) -> AbstractDistribution:
    """Return the policies of an actor whose weights change from step to step.

    `incremented` returns the actor with given increments. `stepwise` goes step by step: it is needed where
    the weights of a recurrent core change.
    """
    if not stepwise:
        return incremented(delta).unroll(h, obs)

    def tick(h, x):
        delta, obs = x
        return incremented(delta).step(jnp.where(obs.first, 0.0, h), obs)

    return jax.lax.scan(tick, h, (delta, obs))[1]
