"""Convolutional agents, for observations that are pictures."""

import math
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from ..errors import SettingError
from ..ops import named
from ..ranges import Depth, Width
from .agents import AbstractAgent
from .interface import InputPart, NetworkInterface
from .layers import MLP, Linear

_KERNEL = 3
_SMALL = 8  # rows or columns; larger maps are halved by a layer


class Convolution(eqx.Module):
    """A 3 x 3 convolution with padding, and ReLU.

    It is a linear layer of each pixel's neighbourhood, laid out side by side: XLA's convolutions on a CPU are
    several times slower within a loop, and learning is one.
    """

    linear: Linear
    stride: tuple[int, int] = eqx.field(static=True)

    def __init__(self, inputs: int, outputs: int, stride: tuple[int, int], *, key: PRNGKeyArray):
        self.linear = Linear(_KERNEL**2 * inputs, outputs, key=key)
        self.stride = stride

    def __call__(self, x: Float[Array, "n h w i"]) -> Float[Array, "n k l o"]:
        rows, columns = x.shape[1:3]
        down, right = self.stride
        padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        shifted = [
            padded[:, i : i + rows : down, j : j + columns : right]
            for i in range(_KERNEL)
            for j in range(_KERNEL)
        ]
        return jax.nn.relu(self.linear(jnp.concatenate(shifted, axis=-1)))


class CNN(AbstractAgent):
    """`layers` convolutions of 3 x 3 over the pictures, Linear and ReLU; `depth` more of these with what is
    no picture beside them, Linear; no carry.

    A layer halves a side of more than 8. Several pictures in one part of the input, such as those of all
    agents, are channels of one.
    """

    convolutions: tuple[tuple[Convolution, ...], ...]  # one row of layers for each picture
    embed: tuple[MLP, ...]
    head: MLP
    parts: tuple[InputPart, ...] = eqx.field(static=True)

    def __init__(
        self,
        inputs: int,
        outputs: int,
        interface: NetworkInterface,
        *,
        channels: Width = 32,
        layers: Depth = 3,
        hidden: Width = 128,
        depth: Depth = 1,
        key: PRNGKeyArray,
    ):
        self.parts = interface.parts
        pictures = [part for part in self.parts if part.picture]
        if not pictures:
            problem = "reads pictures, and this input has none"
            raise SettingError("agent", problem, "set `agent=feed_forward` or `recurrent`", value="cnn")
        convolutions = []
        embed = []
        for i, part in enumerate(pictures):
            own = named(key, "picture", i)
            rows, flat = _layers(part, channels, layers, own)
            convolutions.append(rows)
            embed.append(MLP(flat, hidden, activated=True, key=named(own, "embed")))
        self.convolutions = tuple(convolutions)
        self.embed = tuple(embed)
        rest = inputs - sum(part.width for part in pictures)
        widths = (hidden * len(pictures) + rest, *[hidden] * depth, outputs)
        self.head = MLP(*widths, key=named(key, "head"))

    @property
    def carry_size(self) -> int:
        return 0

    def __call__(self, x: Float[Array, "*b i"]) -> Float[Array, "*b o"]:
        starts = [0]
        for part in self.parts:
            starts.append(starts[-1] + part.width)
        seen = []
        rest = []
        for part, (start, stop) in zip(self.parts, pairwise(starts), strict=True):
            own = x[..., start:stop]
            if not part.picture:
                rest.append(own)
                continue
            i = len(seen)
            seen.append(self.embed[i](_read(self.convolutions[i], own, part)))
        return self.head(jnp.concatenate([*seen, *rest], axis=-1))

    def step(self, h, x):
        return h, self(x)

    def unroll(self, h, xs, first):
        return h, self(xs)


def _count(part: InputPart) -> int:
    """Return the number of pictures that stand side by side in a part."""
    return part.width // math.prod(part.picture)


def _layers(
    part: InputPart, channels: int, layers: int, key: PRNGKeyArray
) -> tuple[tuple[Convolution, ...], int]:
    """Return the convolutions for a picture, and how many numbers they make of it."""
    rows, columns, depth = part.picture
    depth *= _count(part)
    made = []
    for i in range(layers):
        stride = (1 + (rows > _SMALL), 1 + (columns > _SMALL))
        made.append(Convolution(depth, channels, stride, key=named(key, "layer", i)))
        rows = -(-rows // stride[0])
        columns = -(-columns // stride[1])
        depth = channels
    return tuple(made), rows * columns * depth


def _read(
    convolutions: tuple[Convolution, ...], x: Float[Array, "*b i"], part: InputPart
) -> Float[Array, "*b flat"]:
    """Return what the convolutions make of pictures."""
    n = _count(part)
    pictures = x.reshape(-1, n, *part.picture)
    maps = jnp.moveaxis(pictures, 1, -2).reshape(-1, *part.picture[:2], n * part.picture[2])
    for layer in convolutions:
        maps = layer(maps)
    return maps.reshape(*x.shape[:-1], math.prod(maps.shape[1:]))
