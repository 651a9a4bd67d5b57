"""Arrays of different types side by side in rows of bytes, so that they travel together.

A tick of a Python world moves one array to the device and one back, whatever observations and extras are
made of. A row is as wide for every copy, and may lie in memory that processes share.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree, Shaped, UInt8

_ALIGNMENT = 8  # bytes; the widest type


class _Field(NamedTuple):
    """The place of an array in a row."""

    shape: tuple[int, ...]
    dtype: np.dtype
    start: int
    stop: int


class RowLayout:
    """The places of a tree's arrays in a row of bytes. `like` holds the shapes of one row's arrays."""

    def __init__(self, like: PyTree[jax.ShapeDtypeStruct]):
        leaves, self.tree = jax.tree.flatten(like)
        self.fields: list[_Field] = [_Field((), np.dtype(bool), 0, 0)] * len(leaves)
        self.size = 0
        # The widest types come first, so that each array begins at a multiple of its own type's bytes.
        for i in sorted(range(len(leaves)), key=lambda i: -leaves[i].dtype.itemsize):
            dtype = np.dtype(leaves[i].dtype)
            stop = self.size + math.prod(leaves[i].shape) * dtype.itemsize
            self.fields[i] = _Field(leaves[i].shape, dtype, self.size, stop)
            self.size = stop
        self.size = max(1, -(-self.size // _ALIGNMENT)) * _ALIGNMENT

    def views(self, rows: UInt8[np.ndarray, "*b size"]) -> Any:
        """Return the tree of NumPy arrays that lie in these rows: writing to them writes the rows."""
        shaped = lambda f: rows[..., f.start : f.stop].view(f.dtype).reshape(*rows.shape[:-1], *f.shape)
        return jax.tree.unflatten(self.tree, [shaped(field) for field in self.fields])

    def pack(self, tree: PyTree[Array]) -> UInt8[Array, "n size"]:
        """Return n rows of a tree whose arrays have n as first axis."""
        leaves = jax.tree.leaves(tree)
        n = leaves[0].shape[0]
        order = sorted(range(len(leaves)), key=lambda i: self.fields[i].start)
        parts = [_to_bytes(leaves[i]).reshape(n, -1) for i in order]
        padding = self.size - sum(part.shape[1] for part in parts)
        return jnp.concatenate([*parts, jnp.zeros((n, padding), jnp.uint8)], axis=1)

    def unpack(self, rows: UInt8[Array, "*b size"]) -> Any:
        """Return the tree of arrays in these rows, in a compiled program."""
        return jax.tree.unflatten(self.tree, [_from_bytes(rows, field) for field in self.fields])


def _to_bytes(x: Shaped[Array, "..."]) -> UInt8[Array, "..."]:
    if x.dtype == bool or x.dtype == jnp.uint8:
        return x.astype(jnp.uint8)
    return jax.lax.bitcast_convert_type(x, jnp.uint8)


def _from_bytes(rows: UInt8[Array, "*b size"], field: _Field) -> Shaped[Array, "..."]:
    x = rows[..., field.start : field.stop]
    shape = (*rows.shape[:-1], *field.shape)
    if field.dtype == bool:
        return x.reshape(shape) != 0
    if field.dtype.itemsize == 1:
        return jax.lax.bitcast_convert_type(x.reshape(shape), field.dtype)
    return jax.lax.bitcast_convert_type(x.reshape(*shape, field.dtype.itemsize), field.dtype)
