"""The costs of an algorithm, counted before it runs: parameters, arithmetic, bytes in a rollout."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import PyTree

from ..core import AbstractAlgorithm, Observation, Spec, learner_parameters


@runtime_checkable
class HasNotes(Protocol):
    """An algorithm with notes to print before training starts, one a line."""

    def notes(self, spec: Spec, copies: int, length: int) -> list[str]: ...


class Cost(NamedTuple):
    """The costs of a learner, and of one step of one copy."""

    parameters: int  # floats of the learner, optimiser states aside
    flops: float  # of acting, extras included
    extras: int  # bytes that acting adds to a rollout


def cost(algorithm: AbstractAlgorithm, spec: Spec) -> Cost:
    """Count from shapes and from the program as written; nothing is computed or compiled."""
    learner = eqx.filter_eval_shape(algorithm.init, spec, jr.key(0))
    rows = lambda n: jnp.zeros((n, spec.features))
    legal = jnp.ones((spec.agents, spec.actions), bool)
    alive = jnp.ones(spec.agents, bool)
    first = jnp.ones((), bool)
    obs = Observation(rows(spec.agents), jnp.zeros(spec.state), legal, alive, first, rows(spec.others))

    def act(learner, key):
        return algorithm.act(learner, algorithm.init_carry(spec, learner), obs, key, jnp.zeros((), int), True)

    extras = jax.eval_shape(act, learner, jr.key(0))[2]
    analysis = jax.jit(act).lower(learner, jr.key(0)).cost_analysis() or {}
    parameters = sum(x.size for x in learner_parameters(learner))
    return Cost(parameters, analysis.get("flops", 0.0), bytes_of(extras))


def bytes_of(tree: PyTree) -> int:
    """Return the bytes of arrays, or of arrays with these shapes."""
    return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(tree))


def cost_lines(
    algorithms: Mapping[str, AbstractAlgorithm], spec: Spec, copies: int, length: int
) -> list[str]:
    """Return a line for each algorithm: parameters, flops of a joint action, memory of a rollout's extras."""
    lines = []
    for name, algorithm in algorithms.items():
        counted = cost(algorithm, spec)
        megabytes = counted.extras * copies * length / 1e6
        lines.append(
            f"{name}: {counted.parameters:,} parameters, {counted.flops:,.0f} flops a step of one copy, "
            f"{megabytes:,.1f} MB of extras in a rollout"
        )
    return lines
