"""The check of a world against the protocol."""

from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Bool, Int, Key, Shaped

from ..algorithms.random import Random
from ..core import AbstractEnvironment, AbstractHostEnvironment, Observation, Spec, Step
from ..ops import named
from ..training.world_forms import world_fault
from .checks import (
    bitwise_equal,
    check_masks,
    check_spec,
    explain_failures,
    require,
    require_deterministic,
    require_finite,
    require_key_is_used,
    require_nowhere,
)
from .python_worlds import check_python_world

_DRAWS = 64  # enough that they do not all agree by chance


def check_environment(env: Any, copies: int = 3, steps: int | None = None) -> None:
    """Check that a world keeps the protocol, in `steps` steps of random play; the default is an episode.

    A world in plain Python is played one copy at a time.
    """
    if isinstance(env, AbstractHostEnvironment):
        check_python_world(env, steps)
        return
    require(
        isinstance(env, AbstractEnvironment),
        f"{type(env).__name__} is not an AbstractEnvironment: derive it from that class, or wrap a world of "
        "one copy in covey.core.Vectorised(world); a world in plain Python is an AbstractHostEnvironment.",
    )
    check_spec(env.spec)
    for n in (copies, copies + 5):  # a shape that fits twice does not fit by accident
        _check_shapes(env, n)
    _check_randomness(env)
    _check_episodes(env, copies, env.spec.horizon if steps is None else steps)


def _check_shapes(env: AbstractEnvironment, n: int) -> None:
    fault = world_fault(env, n, explain_failures)
    require(not fault, f"{fault}.")


def _check_randomness(env: AbstractEnvironment) -> None:
    reset = lambda key: env.reset(key, _DRAWS)
    require_deterministic(reset, "env.reset", jr.key(0))
    (state, _), draws = require_key_is_used(reset, "env.reset")
    if draws:
        alike = all(jnp.all(x == x[..., :1]) for x in jax.tree.leaves(state))
        require(
            not alike,
            "env.reset draws random numbers but starts every copy alike: draw for each of the n copies.",
        )
    action = jnp.zeros((_DRAWS, *env.spec.action_shape), env.spec.action_type)
    require_deterministic(lambda key: env.step(state, action, key), "env.step", jr.key(0))


def _random_actions(spec: Spec, obs: Observation, keys: Key[Array, " n"]) -> Shaped[Array, "n agents ..."]:
    act = lambda obs, key: Random().act(spec, None, obs, key, jnp.zeros((), int), True)[1]
    return jax.vmap(act)(obs, keys).astype(spec.action_type)


def _play(env: AbstractEnvironment, steps: int, seeds: Int[Array, " n"]) -> tuple[Observation, Step]:
    """Return the observations after 0, 1, ... steps of random play, and the steps that led there.

    The step before the first observation is all zeros. A copy's actions depend on its index and its seed
    alone.
    """
    n = len(seeds)
    key = jr.key(0)
    start = env.reset(named(key, "reset"), n)

    def tick(carry, t):
        state, obs = carry
        keys = jax.vmap(lambda i, seed: named(key, "act", t, i, seed))(jnp.arange(n), seeds)
        action = _random_actions(env.spec, obs, keys)
        state, step = env.step(state, action, named(key, "step", t))
        return (state, step.obs), step

    _, step = jax.lax.scan(tick, start, jnp.arange(steps))
    prepend = lambda x, xs: jnp.concatenate([x[None], xs])
    blank = jax.tree.map(lambda x: jnp.zeros_like(x[0]), step)
    return jax.tree.map(prepend, start[1], step.obs), jax.tree.map(prepend, blank, step)


def _check_episodes(env: AbstractEnvironment, copies: int, steps: int) -> None:
    spec = env.spec
    play = jax.jit(lambda seeds: _play(env, steps, seeds))
    with explain_failures("an episode of random play"):
        obs, step = jax.tree.map(np.asarray, play(jnp.zeros(copies, int)))
        # other actions in all copies but the first
        _, other_step = jax.tree.map(np.asarray, play(jnp.minimum(jnp.arange(copies), 1)))
    ended = np.logical_or.accumulate(step.terminated | step.truncated)
    real = np.concatenate([np.ones_like(ended[:1]), ~ended[:-1]])  # nothing after the end belongs to it
    _check_observations(spec, obs, real)
    require_finite(step.reward, real, "The step's `reward`", spec.names)
    for name, x in {"team_reward": step.team_reward, **step.counts}.items():
        require_finite(x, real, f"The step's `{name}`")
    require_nowhere(
        step.terminated & step.truncated & real,
        "A step is both terminated and truncated: a true end is not a time limit, so set only one of them.",
    )
    require(
        ended[spec.horizon :].all(),
        f"An episode is longer than spec.horizon, {spec.horizon} steps: set `truncated` in the last step.",
    )
    first_copy = lambda step: jax.tree.map(lambda x: x[:, 0], step)
    require(
        bitwise_equal(first_copy(step), first_copy(other_step)),
        "The actions in one copy change what happens in another: no computation may mix the axis of copies.",
    )


def _check_observations(
    spec: Spec, obs: Observation, real: Bool[Array | np.ndarray, "moments copies"]
) -> None:
    """Check observations; `real` marks those that belong to an episode."""
    require_nowhere(~obs.first[:1], "`first` must be true in the observation that env.reset returns.")
    later = real & (np.arange(len(real)) > 0)[:, None]
    require_nowhere(
        obs.first & later,
        "`first` is true in an observation that env.step returns: it marks the first moment of an episode "
        "only, and a world must not reset itself: the training loop does.",
    )
    require_finite(obs.agents, real, "The observation's `agents`", spec.names)
    require_finite(obs.state, real, "The observation's `state`")
    check_masks(spec, obs.agents, obs.legal, obs.alive, real)
