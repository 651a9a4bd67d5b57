"""Does an algorithm keep the protocol?"""

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
from .proof import fits, heedful, repeatable, require, same, steady, telling

MANY = 64  # moments in which it has to act


def check_algorithm(
    algorithm: Any,
    env: AbstractEnvironment,
    team: str | None = None,
    copies: int = 4,
    iterations: int = 2,
) -> None:
    """Proves that an algorithm keeps the protocol in this world, alone and in the training loop.

    It learns `team`, by default the first one or, if it is not cooperative, everybody; others act
    at random. Choose small settings: it trains until its experience allows updates, and on.
    """
    require(isinstance(algorithm, AbstractAlgorithm), f"{type(algorithm).__name__} is no AbstractAlgorithm.")
    check_traits(algorithm, env)
    world = env.spec
    everybody = tuple(range(world.agents))
    one = team or (world.teams[0] if algorithm.traits.cooperative else None)
    slot = LearnerSlot("learner", algorithm, world.members(one) if one else everybody)
    check_acts(slot, env, check_init(algorithm, slot.spec(world)))
    if slot.learns:
        rest = tuple(i for i in everybody if i not in slot.members)
        slots = (slot, LearnerSlot("others", Random(), rest)) if rest else (slot,)
        length = algorithm.experience.rollout_length(world, copies)
        check_learns(Trainer(env, slots, copies, length), iterations)


def check_traits(algorithm: AbstractAlgorithm, env: AbstractEnvironment) -> None:
    name, world = type(algorithm).__name__, type(env).__name__
    require(
        isinstance(getattr(algorithm, "traits", None), Traits),
        f"{name} needs a class variable `traits`, a covey.core.Traits.",
    )
    kind = "continuous" if env.spec.bounds else "discrete"
    require(
        getattr(algorithm.traits, kind),
        f"{name} cannot act in {world}, whose actions are {kind}: its traits say {kind}=False.",
    )


def check_arrays(tree: PyTree, what: str) -> None:
    for path, x in tree_leaves_with_path(tree):
        require(
            isinstance(x, jax.ShapeDtypeStruct),
            f"{what}{keystr(path)} is {type(x).__name__}, no JAX array: make it one, or a static field.",
        )


def check_init(algorithm: AbstractAlgorithm, spec: Spec) -> PyTree[Array]:
    init = lambda key: algorithm.init(spec, key)
    with telling("init"):
        check_arrays(eqx.filter_eval_shape(init, jr.key(0)), "learner")
    repeatable(init, "init", jr.key(0))
    return heedful(init, "init")[0]


def check_acts(slot: LearnerSlot, env: AbstractEnvironment, learner: PyTree[Array]) -> None:
    """What it does where episodes begin, also when each agent has a single legal choice."""
    algorithm, spec, key = slot.algorithm, slot.spec(env.spec), jr.key(0)
    with telling("memory"):
        check_arrays(eqx.filter_eval_shape(lambda: algorithm.init_carry(spec, learner)), "memory")
    carry = algorithm.init_carry(spec, learner)
    obs = jax.jit(lambda key: observe_as(slot, env.reset(key, MANY)[1]))(key)
    only = jnp.argmax(jnp.where(obs.legal, jr.uniform(key, obs.legal.shape), -1.0), axis=-1)
    strict = eqx.tree_at(lambda obs: obs.legal, obs, jax.nn.one_hot(only, spec.actions, dtype=bool))
    keys, others = jr.split(jr.key(0), MANY), jr.split(jr.key(1), MANY)
    for explore in (True, False):
        what = f"act with explore={explore}"
        act = partial(algorithm.act, learner, carry, step=jnp.zeros((), int), explore=explore)
        check_act(act, spec, carry, jax.tree.map(lambda x: x[0], obs), what)
        many = jax.jit(jax.vmap(lambda obs, key, act=act: act(obs, key)[:2]))
        check_allowed(spec, many(obs if spec.bounds else strict, keys)[1], only, what)
    require(
        not slot.learns or same(many(obs, keys), many(obs, others)),
        f"{what} depends on its key: what has learned must do the same at the same sight.",
    )


def check_act(act: Callable, spec: Spec, carry: PyTree[Array], obs: Observation, what: str) -> None:
    """Shapes and types."""
    with telling(what):
        now, after, action = jax.eval_shape(lambda key: (carry, *act(obs, key)[:2]), jr.key(0))
    steady(now, after, "memory", what)
    kind = jnp.floating if spec.bounds else jnp.integer
    fits(action, spec.action_shape, kind, "the action", f"a learner that controls {spec.agents} agents")


def check_allowed(
    spec: Spec, action: Shaped[Array, "n agents ..."], only: Int[Array, "n agents"], what: str
) -> None:
    """Actions in bounds; or the only ones that are legal."""
    if spec.bounds:
        (low, high), least, most = spec.bounds, float(action.min()), float(action.max())
        advice = f"the world allows {low:g} to {high:g}: clip or squash it."
        require(low <= least <= most <= high, f"{what} returns {least:.3g} to {most:.3g}, and {advice}")
    else:
        advice = "choose by ops.masked(values, obs.legal)."
        require(jnp.all(action == only), f"{what} takes actions that are not legal: {advice}")


def check_learns(trainer: Trainer, iterations: int) -> None:
    """An update by itself; and the training loop, up to the first of them and `iterations` further."""
    slot, world = trainer.slots[0], trainer.spec
    algorithm = slot.algorithm

    def given(key):
        """What the first update gets."""
        state, clock = trainer.init(key), jnp.array(0)
        state, rollouts, _ = trainer.collect(state, clock)
        state, kept = trainer.remember(state, rollouts, clock), slot.own_rollouts(rollouts)
        batch = algorithm.experience.batch(world, state.buffers[0], kept, clock, named(key, "batch"))
        return state.learners[0], view_as(slot, world, batch), key, state.steps

    def loop(key):
        state = trainer.init(key)
        after, (metrics, _) = jax.lax.scan(trainer.iteration, state, clocks)
        return state.learners[0], after.learners[0], jax.tree.map(lambda x: x[-1], metrics)

    with telling("the training loop"):
        learner, *rest = jax.eval_shape(given, jr.key(0))
        with telling("update"):
            steady(learner, jax.eval_shape(algorithm.update, learner, *rest)[0], "learner", "update")
        repeatable(algorithm.update, "update", learner, *rest)
        clocks = jnp.arange(slot.warmup(trainer.shape) + iterations)
        before, after, metrics = jax.jit(loop)(jr.key(0))
    check_finite(after, "learner")
    check_finite(metrics, "metrics")
    require(
        not same(learner_parameters(before), learner_parameters(after)),
        "update changes no parameter: does the loss depend on them, and does update return the new ones?",
    )


def check_finite(tree: PyTree[Array], what: str) -> None:
    for path, x in tree_leaves_with_path(tree):
        require(
            jnp.all(jnp.isfinite(x)),
            f"After an update {what}{keystr(path)} is not finite (NaN or infinite): look for a division "
            "by zero, the root or logarithm of zero, or a step that is too large.",
        )
