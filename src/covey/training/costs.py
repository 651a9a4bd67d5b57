"""What an algorithm takes, counted before it runs: parameters, arithmetic, what a rollout keeps."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import PyTree

from ..core import AbstractAlgorithm, Observation, Spec, learner_parameters


@runtime_checkable
class Noted(Protocol):
    """An algorithm that has something to say before training starts, a line each."""

    def notes(self, spec: Spec, copies: int, length: int) -> list[str]: ...


class Cost(NamedTuple):
    parameters: int  # of the learner: all its floats but what Optax remembers
    flops: float  # of acting once, for one copy, with what is kept for learning
    kept: int  # bytes that acting leaves in a rollout, a step of one copy


def cost(algorithm: AbstractAlgorithm, spec: Spec) -> Cost:
    """Nothing is computed and nothing compiled: shapes, and the arithmetic of the program as written."""
    learner = eqx.filter_eval_shape(algorithm.init, spec, jr.key(0))
    rows = lambda n: jnp.zeros((n, spec.features))
    legal, alive = jnp.ones((spec.agents, spec.actions), bool), jnp.ones(spec.agents, bool)
    first = jnp.ones((), bool)
    obs = Observation(rows(spec.agents), jnp.zeros(spec.state), legal, alive, first, rows(spec.others))

    def act(learner, key):
        return algorithm.act(learner, algorithm.init_carry(spec, learner), obs, key, jnp.zeros((), int), True)

    extras = jax.eval_shape(act, learner, jr.key(0))[2]
    analysis = jax.jit(act).lower(learner, jr.key(0)).cost_analysis() or {}
    parameters = sum(x.size for x in learner_parameters(learner))
    return Cost(parameters, analysis.get("flops", 0.0), bytes_of(extras))


def bytes_of(tree: PyTree) -> int:
    return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(tree))


def comparison(
    algorithms: Mapping[str, AbstractAlgorithm], spec: Spec, copies: int, length: int
) -> list[str]:
    """A line for each: parameters, flops of a joint action, and the memory of a rollout."""
    lines = []
    for name, algorithm in algorithms.items():
        x = cost(algorithm, spec)
        kept = x.kept * copies * length
        lines.append(
            f"{name}: {x.parameters:,} parameters, {x.flops:,.0f} flops a step of one copy, "
            f"{kept / 1e6:,.1f} MB of memos in a rollout"
        )
    return lines
