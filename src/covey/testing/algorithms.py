"""Does an algorithm keep the protocol?"""

from collections.abc import Callable
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jax.tree_util import keystr, tree_leaves_with_path
from jaxtyping import Array, PyTree

from ..algorithms.random import Random
from ..core import AbstractAlgorithm, AbstractEnvironment, Observation, Spec, Traits
from ..ops import named
from ..training import Side, Trainer
from .proof import draws, fits, repeatable, require, same, steady, telling

MANY = 64  # moments in which it has to act


def check_algorithm(
    algorithm: AbstractAlgorithm,
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
    side = Side("learner", algorithm, world.members(one) if one else everybody)
    check_acts(side, env, check_init(algorithm, side.spec(world)))
    if algorithm.experience.updates:
        rest = tuple(i for i in everybody if i not in side.members)
        sides = (side, Side("others", Random(), rest)) if rest else (side,)
        length = algorithm.experience.length(world)
        check_learns(Trainer(env, sides, copies, length), iterations)


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
            isinstance(x, jax.Array),
            f"{what}{keystr(path)} is {type(x).__name__}, no JAX array: make it one, or a static field.",
        )


def check_init(algorithm: AbstractAlgorithm, spec: Spec) -> PyTree[Array]:
    with telling("init"):
        learner = algorithm.init(spec, jr.key(0))
    check_arrays(learner, "learner")
    draws(repeatable(lambda key: algorithm.init(spec, key), "init"), "init")
    return learner


def check_acts(side: Side, env: AbstractEnvironment, learner: PyTree[Array]) -> None:
    """What it does where episodes begin, when each agent has a single legal choice."""
    spec, key = side.spec(env.spec), jr.key(0)
    with telling("memory"):
        memory = side.algorithm.memory(spec, learner)
    check_arrays(memory, "memory")
    obs = side.look(env.reset(key, MANY)[1])
    if not spec.bounds:
        only = jnp.argmax(jnp.where(obs.legal, jr.uniform(key, obs.legal.shape), -1.0), axis=-1)
        obs = eqx.tree_at(lambda obs: obs.legal, obs, jax.nn.one_hot(only, spec.actions, dtype=bool))
    for explore in (True, False):
        act = partial(side.algorithm.act, learner, step=jnp.zeros((), int), explore=explore)
        check_act(act, spec, memory, obs, f"act with explore={explore}")
    greedy = jax.jit(jax.vmap(lambda obs, key: act(memory, obs, key)))
    one, other = (greedy(obs, jr.split(jr.key(seed), MANY))[:2] for seed in (0, 1))
    require(
        same(one, other) or not side.algorithm.experience.updates,
        "act with explore=False depends on its key: what learns must then do the same at the same sight.",
    )


def check_act(act: Callable, spec: Spec, memory: PyTree[Array], obs: Observation, what: str) -> None:
    """Shapes, types, and that what it chooses is allowed."""
    one = jax.tree.map(lambda x: x[0], obs)
    with telling(what):
        now, after, action = jax.eval_shape(lambda key: (memory, *act(memory, one, key)[:2]), jr.key(0))
    steady(now, after, "memory", what)
    kind = jnp.floating if spec.bounds else jnp.integer
    fits(action, spec.action_shape, kind, "the action", f"a learner that controls {spec.agents} agents")
    action = jax.jit(jax.vmap(lambda obs, key: act(memory, obs, key)[1]))(obs, jr.split(jr.key(0), MANY))
    if spec.bounds:
        low, high = spec.bounds
        inside = jnp.all((action >= low) & (action <= high))
        least, most = float(action.min()), float(action.max())
        advice = f"the world allows {low:g} to {high:g}: clip or squash it."
        require(inside, f"{what} returns {least:.3g} to {most:.3g}, and {advice}")
    else:
        legal = jnp.all(action == jnp.argmax(obs.legal, axis=-1))
        require(legal, f"{what} takes actions that are not legal: choose by ops.masked(values, obs.legal).")


def check_learns(trainer: Trainer, iterations: int) -> None:
    """An update by itself, then the training loop, up to the first update and `iterations` further."""
    side, key = trainer.sides[0], jr.key(0)
    algorithm, world = side.algorithm, trainer.spec

    def batch(state, clock):
        state, rollouts, _ = trainer.collect(state, clock)
        state, rollouts = trainer.remember(state, rollouts, clock), trainer.kept(0, rollouts)
        drawn = algorithm.experience.batch(world, state.stores[0], rollouts, clock, named(key, "batch"))
        return side.view(world, drawn)

    def update(learner, batch, key):
        return algorithm.update(learner, batch, key, jnp.zeros((), int))

    def first(key):
        state = trainer.init(key)
        learner = algorithm.init(side.spec(world), key)
        with telling("update"):
            return learner, update(learner, batch(state, jnp.zeros((), int)), key)[0]

    steady(*jax.eval_shape(first, key), "learner", "update")
    clocks = jnp.arange(algorithm.experience.warmup(world, trainer.copies, trainer.length) + iterations)
    with telling("the training loop"):
        state = jax.jit(lambda key: trainer.chunk(trainer.init(key), clocks)[0])(key)
        drawn = jax.jit(batch)(state, jnp.asarray(len(clocks)))
    before = state.learners[0]
    after, metrics = repeatable(lambda key: update(before, drawn, key), "update")(key)
    check_finite(after, "learner")
    check_finite(metrics, "metrics")
    require(
        not same(parameters(before), parameters(after)),
        "update changes no parameter: does the loss depend on them, and does update return the new ones?",
    )


def check_finite(tree: PyTree[Array], what: str) -> None:
    for path, x in tree_leaves_with_path(tree):
        require(
            jnp.all(jnp.isfinite(x)),
            f"After an update {what}{keystr(path)} is not finite (NaN or infinite): look for a division "
            "by zero, the root or logarithm of zero, or a step that is too large.",
        )


def parameters(learner: PyTree[Array]) -> list[Array]:
    """The numbers that decide what it does: what Optax remembers, and counters, are none."""
    optax = lambda x: type(x).__module__.startswith("optax")
    leaves = jax.tree.leaves(learner, is_leaf=optax)
    return [x for x in leaves if not optax(x) and jnp.issubdtype(x.dtype, jnp.floating)]
