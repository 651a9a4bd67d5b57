"""The check of an algorithm against the protocol."""

from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jax.tree_util import keystr, tree_leaves_with_path
from jaxtyping import Array, Int, PyTree, Shaped

from ..algorithms.random import Random
from ..core import AbstractAlgorithm, AbstractEnvironment, Observation, Spec, Traits, learner_parameters
from ..ops import named
from ..training.learners import LearnerSlot, observe_as, view_as
from ..training.loop import Trainer
from .checks import (
    bitwise_equal,
    explain_failures,
    require,
    require_deterministic,
    require_key_is_used,
    require_shape_and_type,
    require_unchanged_types,
)

_MOMENTS = 64  # in which it has to act


def check_algorithm(
    algorithm: Any,
    env: AbstractEnvironment,
    team: str | None = None,
    copies: int = 4,
    iterations: int = 2,
) -> None:
    """Check that an algorithm keeps the protocol in this world, alone and in the training loop.

    It learns `team`: by default the first one or, if it is not cooperative, all agents. The others act at
    random. Choose small settings: it trains until its experience allows updates, and `iterations` more.
    """
    name = type(algorithm).__name__
    require(
        isinstance(algorithm, AbstractAlgorithm),
        f"{name} is not an AbstractAlgorithm: derive it from covey.core.AbstractAlgorithm.",
    )
    _check_traits(algorithm, env)
    world = env.spec
    everyone = tuple(range(world.agents))
    learned_team = team or (world.teams[0] if algorithm.traits.cooperative else None)
    members = world.members(learned_team) if learned_team else everyone
    slot = LearnerSlot("learner", algorithm, members)
    learner = _check_init(algorithm, slot.spec(world))
    _check_acting(slot, env, learner)
    if slot.learns:
        rest = tuple(i for i in everyone if i not in slot.members)
        slots = (slot, LearnerSlot("others", Random(), rest)) if rest else (slot,)
        length = algorithm.experience.rollout_length(world, copies)
        _check_learning(Trainer(env, slots, copies, length), iterations)


def _check_traits(algorithm: AbstractAlgorithm, env: AbstractEnvironment) -> None:
    name = type(algorithm).__name__
    require(
        isinstance(getattr(algorithm, "traits", None), Traits),
        f"{name} has no traits: give it a class variable `traits`, a covey.core.Traits.",
    )
    kind = "continuous" if env.spec.bounds else "discrete"
    require(
        getattr(algorithm.traits, kind),
        f"{name} cannot act in {type(env).__name__}, whose actions are {kind}: its traits say {kind}=False.",
    )


def _check_arrays(tree: PyTree, what: str) -> None:
    for path, x in tree_leaves_with_path(tree):
        require(
            isinstance(x, jax.ShapeDtypeStruct),
            f"{what}{keystr(path)} is of type {type(x).__name__}, not a JAX array: make it one, or a static "
            "field.",
        )


def _check_init(algorithm: AbstractAlgorithm, spec: Spec) -> PyTree[Array]:
    init = lambda key: algorithm.init(spec, key)
    with explain_failures("init"):
        _check_arrays(eqx.filter_eval_shape(init, jr.key(0)), "learner")
    require_deterministic(init, "init", jr.key(0))
    return require_key_is_used(init, "init")[0]


def _check_acting(slot: LearnerSlot, env: AbstractEnvironment, learner: PyTree[Array]) -> None:
    """Check `act` at the start of episodes, also where each agent has a single legal action."""
    algorithm = slot.algorithm
    spec = slot.spec(env.spec)
    key = jr.key(0)
    with explain_failures("init_carry"):
        _check_arrays(eqx.filter_eval_shape(lambda: algorithm.init_carry(spec, learner)), "carry")
    carry = algorithm.init_carry(spec, learner)
    obs = jax.jit(lambda key: observe_as(slot, env.reset(key, _MOMENTS)[1]))(key)
    only = jnp.argmax(jnp.where(obs.legal, jr.uniform(key, obs.legal.shape), -1.0), axis=-1)
    forced = eqx.tree_at(lambda obs: obs.legal, obs, jax.nn.one_hot(only, spec.actions, dtype=bool))
    keys = jr.split(jr.key(0), _MOMENTS)
    other_keys = jr.split(jr.key(1), _MOMENTS)
    for explore in (True, False):
        what = f"act with explore={explore}"
        act = partial(algorithm.act, learner, carry, step=jnp.zeros((), int), explore=explore)
        _check_act(act, spec, carry, jax.tree.map(lambda x: x[0], obs), what)
        act_many = jax.jit(jax.vmap(lambda obs, key, act=act: act(obs, key)[:2]))
        action = act_many(obs if spec.bounds else forced, keys)[1]
        _check_allowed(spec, action, only, what)
    require(
        not slot.learns or bitwise_equal(act_many(obs, keys), act_many(obs, other_keys)),
        f"{what} depends on its key: without exploration, the same observation must give the same action.",
    )


def _check_act(act: Callable, spec: Spec, carry: PyTree[Array], obs: Observation, what: str) -> None:
    """Check shapes and types."""
    with explain_failures(what):
        before, after, action = jax.eval_shape(lambda key: (carry, *act(obs, key)[:2]), jr.key(0))
    require_unchanged_types(before, after, "carry", what)
    kind = jnp.floating if spec.bounds else jnp.integer
    whose = f"a learner of {spec.agents} agents"
    require_shape_and_type(action, spec.action_shape, kind, "The action", whose)


def _check_allowed(
    spec: Spec, action: Shaped[Array, "n agents ..."], only: Int[Array, "n agents"], what: str
) -> None:
    """Check that actions are in bounds; if discrete, that they are the only legal ones."""
    if spec.bounds:
        low, high = spec.bounds
        least = float(action.min())
        most = float(action.max())
        advice = f"the world allows {low:g} to {high:g}: clip or squash it."
        require(low <= least <= most <= high, f"{what} returns {least:.3g} to {most:.3g}, but {advice}")
    else:
        advice = "choose by covey.ops.masked(values, obs.legal)."
        require(jnp.all(action == only), f"{what} takes actions that are not legal: {advice}")


def _check_learning(trainer: Trainer, iterations: int) -> None:
    """Check one update by itself, then the training loop up to the first update and `iterations` more."""
    slot = trainer.slots[0]
    world = trainer.spec
    algorithm = slot.algorithm

    def first_update_args(key):
        clock = jnp.array(0)
        state, rollouts, _ = trainer.collect(trainer.init(key), clock)
        state = trainer.remember(state, rollouts, clock)
        own = slot.own_rollouts(rollouts)
        batch = algorithm.experience.batch(world, state.buffers[0], own, clock, named(key, "batch"))
        return state.learners[0], view_as(slot, world, batch), key, state.steps

    def train(key):
        state = trainer.init(key)
        after, (metrics, _) = jax.lax.scan(trainer.iteration, state, clocks)
        return state.learners[0], after.learners[0], jax.tree.map(lambda x: x[-1], metrics)

    with explain_failures("the training loop"):
        learner, *rest = jax.eval_shape(first_update_args, jr.key(0))
        with explain_failures("update"):
            after = jax.eval_shape(algorithm.update, learner, *rest)[0]
            require_unchanged_types(learner, after, "learner", "update")
        require_deterministic(algorithm.update, "update", learner, *rest)
        clocks = jnp.arange(slot.warmup(trainer.shape) + iterations)
        before, after, metrics = jax.jit(train)(jr.key(0))
    _check_finite(after, "learner")
    _check_finite(metrics, "metrics")
    require(
        not bitwise_equal(learner_parameters(before), learner_parameters(after)),
        "update changes no parameter: make the loss depend on the parameters, and return the new ones.",
    )


def _check_finite(tree: PyTree[Array], what: str) -> None:
    for path, x in tree_leaves_with_path(tree):
        require(
            jnp.all(jnp.isfinite(x)),
            f"After an update, {what}{keystr(path)} is not finite (NaN or infinite): look for a division by "
            "zero, the root or logarithm of zero, or a step that is too large.",
        )
