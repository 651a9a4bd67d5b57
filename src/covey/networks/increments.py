"""Increments to an actor's weights: a second term in some of its linear layers, whoever wrote the network.

An increment is a pytree of the network's own shape in which only the chosen layers hold anything. While it
is computed, accumulated and compared it is one flat vector.
"""

from collections.abc import Callable
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from ..core import Observation
from .actors import Actor
from .distributions import AbstractDistribution
from .layers import GRU, Linear

Layers = Literal["none", "last", "all", "everything"]
Output = Literal["increment", "weights"]


class Shifted(eqx.Module):
    """y = (x W + b) + (x dW + db): never x (W + dW), so that a zero increment changes no bit.

    dW is one matrix for each row of x or, with an axis less, for all rows of x's last axis but one.
    Without a `layer` it is dW alone.
    """

    layer: Linear | None
    weight: Float[Array, "..."]
    bias: Float[Array, "..."]

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        if self.weight.ndim > x.ndim:
            more = jnp.einsum("...i,...io->...o", x, self.weight) + self.bias
        else:
            more = x @ self.weight + self.bias[..., None, :]
        return more if self.layer is None else self.layer(x) + more


class Scaled(eqx.Module):
    """A layer times a number."""

    layer: Linear
    scale: Float[Array, "*agents"]  # of networks that lead with agents until they are mapped over

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        return self.scale * self.layer(x)


def linears(net: PyTree, core: bool = True) -> list[Linear]:
    """A network's linear layers, in order; those of recurrent cores, too?"""
    stop = lambda x: isinstance(x, Linear) or (not core and isinstance(x, GRU))
    return [x for x in jax.tree.leaves(net, is_leaf=stop) if isinstance(x, Linear)]


def chosen(net: PyTree, layers: Layers) -> list[Linear]:
    """The layers that get increments."""
    found = linears(net, core=layers == "everything")
    return found[{"none": len(found), "last": -1}.get(layers, 0) :]


def others(net: PyTree, layers: Layers) -> list[Linear]:
    """The layers that do not."""
    mine = chosen(net, layers)
    return [layer for layer in linears(net) if not any(layer is own for own in mine)]


def shapes(net: PyTree, layers: Layers) -> tuple[tuple[int, int], ...]:
    return tuple((layer.weight.shape[-2], layer.weight.shape[-1]) for layer in chosen(net, layers))


def size(shapes: tuple[tuple[int, int], ...]) -> int:
    return sum((i + 1) * o for i, o in shapes)


def flat(net: PyTree, layers: Layers) -> Float[Array, " P"]:
    """The chosen layers' weights as an increment is written: weights, then biases, layer after layer."""
    return jnp.concatenate([x.ravel() for layer in chosen(net, layers) for x in (layer.weight, layer.bias)])


def tree(net: PyTree, layers: Layers, delta: Float[Array, "*b P"]) -> PyTree:
    """An increment in the network's own shape: None everywhere but in the chosen layers."""
    sizes = [n for i, o in shapes(net, layers) for n in (i * o, o)]
    parts = iter(jnp.split(delta, np.cumsum(sizes)[:-1], axis=-1))
    put = lambda layer, w, b: eqx.tree_at(
        lambda y: (y.weight, y.bias), layer, (w.reshape(*w.shape[:-1], *layer.weight.shape[-2:]), b)
    )
    full = [put(layer, next(parts), next(parts)) for layer in chosen(net, layers)]
    empty = jax.tree.map(lambda x: None, net)
    return eqx.tree_at(lambda n: chosen(n, layers), empty, full)


def shifted(
    actor: Actor,
    layers: Layers,
    output: Output,
    delta: Float[Array, "*t P"],
    scales: Float[Array, " others"],
) -> Actor:
    """The actor with increments `[(T), (agents), P]` in its chosen layers; its others are scaled."""
    networks, net = actor.networks, actor.networks.nets
    change = tree(net, layers, delta)
    if not networks.shared:  # each agent's network by itself: its increments lead with agents
        change = jax.tree.map(lambda x: jnp.moveaxis(x, delta.ndim - 2, 0), change)
        scales = jnp.broadcast_to(scales[:, None], (len(scales), len(networks.groups)))
    pairs = zip(chosen(net, layers), chosen(change, layers), strict=True)
    base = lambda layer: layer if output == "increment" else None
    new = [Shifted(base(layer), x.weight, x.bias) for layer, x in pairs]
    new += [Scaled(layer, scale) for layer, scale in zip(others(net, layers), scales, strict=True)]
    where = lambda actor: [*chosen(actor.networks.nets, layers), *others(actor.networks.nets, layers)]
    return eqx.tree_at(where, actor, new)


def unrolled(
    shift: Callable[[Float[Array, "*t P"]], Actor],
    delta: Float[Array, "t *agents P"],
    h: Float[Array, "agents h"],
    obs: Observation,
    stepwise: bool,
) -> AbstractDistribution:
    """The policies of an actor whose weights change from step to step; `stepwise` where its core's do."""
    if not stepwise:
        return shift(delta).unroll(h, obs)

    def tick(h, x):
        delta, obs = x
        return shift(delta).step(jnp.where(obs.first, 0.0, h), obs)

    return jax.lax.scan(tick, h, (delta, obs))[1]
