"""Counts of a program's matrix products. Needs JAX alone, so that other packages' programs can be counted."""

import math
from collections.abc import Callable
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr
from jax.interpreters.partial_eval import dce_jaxpr


def matmul_flops(program: Jaxpr | ClosedJaxpr) -> float:
    """Count a program's matrix products, each scan times its length (XLA's own count takes it once)."""
    total = 0.0
    for eqn in program.eqns:
        if eqn.primitive.name == "dot_general":
            (over, _), _ = eqn.params["dimension_numbers"]
            left: Any = eqn.invars[0].aval
            product: Any = eqn.outvars[0].aval
            total += 2.0 * product.size * math.prod(left.shape[i] for i in over)
        inner = [x for x in jax.tree.leaves(list(eqn.params.values())) if isinstance(x, Jaxpr | ClosedJaxpr)]
        if inner:
            total += eqn.params.get("length", 1) * max(map(matmul_flops, inner))
    return total


def needed_flops(f: Callable, *args: Any) -> float:
    """Count the matrix products of `f(*args)` without those whose results nobody uses."""
    program = jax.make_jaxpr(f)(*args).jaxpr
    needed, _ = dce_jaxpr(program, [True] * len(program.outvars))
    return matmul_flops(needed)
