"""Settings that are numbers, as data of the compiled programs.

Learning rates, discounts, coefficients and a world's numbers are arguments of a program, so another value
compiles nothing, and the seeds of one program may have different values. A number that is 0 stays a part of
the program: 0 is off, and what is off costs nothing. So do whole numbers, which give shapes and lengths.
"""

import math
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from .loop import Trainer

NumberTree = PyTree[Float[Array, "..."] | float]


def _is_data(leaf: Any) -> bool:
    """Return whether a leaf may be an argument of a program."""
    if isinstance(leaf, jax.Array):
        return jnp.issubdtype(leaf.dtype, jnp.floating)
    return type(leaf) is float and leaf != 0 and math.isfinite(leaf)


def split_numbers(trainer: Trainer) -> tuple[Trainer, Trainer]:
    """Return a trainer's numbers, and its frame: everything else. `eqx.combine` joins them again."""
    return eqx.partition(trainer, _is_data)


def same_program(a: Trainer, b: Trainer) -> bool:
    """Return whether two trainers differ in numbers alone, so that one program serves both."""
    numbers = [split_numbers(trainer)[0] for trainer in (a, b)]
    frames = [split_numbers(trainer)[1] for trainer in (a, b)]
    shapes = [jax.tree.map(np.shape, tree) for tree in numbers]
    return shapes[0] == shapes[1] and eqx.tree_equal(*frames) is True


def stack_numbers(numbers: Sequence[NumberTree]) -> PyTree[Float[np.ndarray, "..."]]:
    """Return the numbers of several seeds as arrays whose first axis is seeds."""
    return jax.tree.map(lambda *xs: np.stack([np.asarray(x, np.float32) for x in xs]), *numbers)
