"""The shapes and types that a compiled world promises: what differs from its spec, in a sentence."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
from jax.tree_util import keystr, tree_leaves_with_path
from jaxtyping import PyTree

from ..core import AbstractEnvironment, Observation, Spec, Step

_FEATURES = (jnp.floating, jnp.bool_)
_NAMES = {jnp.floating: "floating", jnp.integer: "integer", jnp.bool_: "boolean"}


def world_fault(
    env: AbstractEnvironment, n: int, explain: Callable[[str], AbstractContextManager[None]] = nullcontext
) -> str:
    """Return what is wrong with the forms of n copies of a world; nothing where all is right.

    Only shapes are computed. `explain(what)` is entered around the world's own code.
    """
    spec = env.spec
    wrong: list[str] = []

    def reset_and_step(key):
        with explain("env.reset"):
            first = env.reset(key, n)
        if not _is_pair(first, Observation):
            wrong.append("env.reset must return a state and a covey.core.Observation")
            return None
        state, obs = first
        with explain("env.step"):
            second = env.step(state, jnp.zeros((n, *spec.action_shape), spec.action_type), key)
        if not _is_pair(second, Step):
            wrong.append("env.step must return a state and a covey.core.Step")
            return None
        return state, obs, *second

    forms = jax.eval_shape(reset_and_step, jr.key(0))
    return wrong[0] if wrong else next(filter(None, _faults(spec, n, *forms)), "")


def _is_pair(x: Any, kind: type) -> bool:
    return isinstance(x, tuple) and len(x) == 2 and isinstance(x[1], kind)


def _faults(spec: Spec, n: int, state: PyTree, obs: Observation, after: PyTree, step: Step) -> Iterator[str]:
    """Yield a sentence, or nothing, for each part."""
    for path, x in tree_leaves_with_path(state):
        if x.shape[-1:] != (n,):
            yield (
                f"state{keystr(path)} has shape {x.shape}: the last axis of every array in the state must be "
                f"the copies, as in (..., {n}) for {n} of them"
            )
    yield changed_type(state, after, "state", "env.step")
    yield from _observation_faults(spec, obs, n, "env.reset")
    yield from _observation_faults(spec, step.obs, n, "env.step")
    yield changed_type(obs, step.obs, "obs", "env.step")
    yield from _step_faults(spec, step, n)


def _observation_faults(spec: Spec, obs: Observation, n: int, source: str) -> Iterator[str]:
    expected = {
        "agents": ((n, spec.agents, spec.features), _FEATURES),
        "state": ((n, spec.state), _FEATURES),
        "legal": ((n, spec.agents, spec.actions), jnp.bool_),
        "alive": ((n, spec.agents), jnp.bool_),
        "first": ((n,), jnp.bool_),
        "others": ((n, 0, spec.features), _FEATURES),
    }
    for name, (shape, kind) in expected.items():
        what = f"The observation's `{name}` from {source}"
        yield form_fault(getattr(obs, name), shape, kind, what, f"the spec with {n} copies")


def _step_faults(spec: Spec, step: Step, n: int) -> Iterator[str]:
    expected = {
        "reward": ((n, spec.agents), jnp.floating),
        "team_reward": ((n, len(spec.teams)), jnp.floating),
        "terminated": ((n,), jnp.bool_),
        "truncated": ((n,), jnp.bool_),
    }
    for name, (shape, kind) in expected.items():
        what = f"The step's `{name}`"
        yield form_fault(getattr(step, name), shape, kind, what, f"the spec with {n} copies")
    for name, x in step.counts.items():
        what = f"The step's count of `{name}`"
        yield form_fault(x, (n,), jnp.floating, what, f"one count for each of {n} copies")


def form_fault(x: Any, shape: tuple[int, ...], kind: Any, what: str, whose: str) -> str:
    """Return where x has another shape, or none of the kinds of type; the shape follows from `whose`."""
    if not hasattr(x, "dtype"):
        return f"{what} is {type(x).__name__}, and should be an array"
    if x.shape != shape:
        return f"{what} has shape {x.shape}, but {whose} needs {shape}"
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not any(jnp.issubdtype(x.dtype, kind) for kind in kinds):
        allowed = " or ".join(_NAMES[kind] for kind in kinds)
        return f"{what} has type {x.dtype}: it must be {allowed}"
    return ""


def changed_type(before: PyTree, after: PyTree, what: str, where: str) -> str:
    """Return what has another structure, shape or type than before, which the carry of a scan cannot have."""
    if jax.tree.structure(before) != jax.tree.structure(after):
        return (
            f"{where} changes the structure of {what}, from {jax.tree.structure(before)} to "
            f"{jax.tree.structure(after)}: return the same tree of arrays that came in"
        )
    describe = lambda x: f"{'weakly typed ' * x.weak_type}{x.dtype}{list(x.shape)}"
    for (path, x), y in zip(tree_leaves_with_path(before), jax.tree.leaves(after), strict=True):
        if describe(x) != describe(y):
            return (
                f"{where} changes {what}{keystr(path)} from {describe(x)} to {describe(y)}: keep its shape "
                "and type, and give constants a type, as in jnp.zeros((), int)"
            )
    return ""
