"""Does a world keep the protocol?"""

from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax.tree_util import keystr, tree_leaves_with_path
from jaxtyping import Array, Bool, Int, Key, Shaped

from ..algorithms.random import Random
from ..core import AbstractEnvironment, Observation, Spec, Step
from ..ops import named
from .proof import finite, fits, heedful, nowhere, repeatable, require, same, steady, telling

SIGHT = (jnp.floating, jnp.bool_)
MANY = 64  # draws: that all of them agree by chance will not happen


def check_environment(env: Any, copies: int = 3, steps: int | None = None) -> None:
    """Proves that a world keeps the protocol, in `steps` steps of random play, by default an episode's."""
    require(
        isinstance(env, AbstractEnvironment),
        f"{type(env).__name__} is no AbstractEnvironment: derive it from that, or lift a world of one copy "
        "by core.Vectorised(world).",
    )
    check_spec(env.spec)
    for n in (copies, copies + 5):  # a shape that fits twice fits by no accident
        check_shapes(env, n)
    check_draws(env)
    check_episodes(env, copies, env.spec.horizon if steps is None else steps)


def check_spec(spec: Spec) -> None:
    for name in ("features", "actions", "horizon", "agents"):
        require(getattr(spec, name) > 0, f"spec.{name} is {getattr(spec, name)}: it must be 1 or more.")
    require(len(set(spec.names)) == spec.agents, f"spec.names gives a name twice: {spec.names}.")
    require(spec.state >= 0, f"spec.state is {spec.state}: it must be 0 (for none) or the state's width.")
    low, high = spec.bounds or (0.0, 1.0)
    require(
        -np.inf < low < high < np.inf,
        f"spec.bounds is {spec.bounds}: it must be finite, the lower one first.",
    )


def check_shapes(env: AbstractEnvironment, n: int) -> None:
    spec = env.spec

    def both(key):
        with telling("env.reset"):
            state, obs = env.reset(key, n)
        require(isinstance(obs, Observation), "env.reset must return a state and a covey.core.Observation.")
        with telling("env.step"):
            after, step = env.step(state, jnp.zeros((n, *spec.action_shape), spec.action_type), key)
        require(isinstance(step, Step), "env.step must return a state and a covey.core.Step.")
        return state, obs, after, step

    state, obs, after, step = jax.eval_shape(both, jr.key(0))
    for path, x in tree_leaves_with_path(state):
        require(
            x.shape[-1:] == (n,),
            f"state{keystr(path)} has shape {x.shape}: every array of the state must END with the copies, "
            f"as in (..., {n}) for {n} of them.",
        )
    steady(state, after, "state", "env.step")
    for seen, of in ((obs, "env.reset"), (step.obs, "env.step")):
        expected = {
            "agents": ((n, spec.agents, spec.features), SIGHT),
            "state": ((n, spec.state), SIGHT),
            "legal": ((n, spec.agents, spec.actions), jnp.bool_),
            "alive": ((n, spec.agents), jnp.bool_),
            "first": ((n,), jnp.bool_),
            "others": ((n, 0, spec.features), SIGHT),
        }
        for name, (shape, kind) in expected.items():
            fits(
                getattr(seen, name),
                shape,
                kind,
                f"the observation's `{name}` from {of}",
                f"the spec, with {n} copies,",
            )
    steady(obs, step.obs, "obs", "env.step")
    given = {
        "reward": (n, spec.agents),
        "team_reward": (n, len(spec.teams)),
        "terminated": (n,),
        "truncated": (n,),
    }
    for name, shape in given.items():
        kind = jnp.floating if "reward" in name else jnp.bool_
        fits(getattr(step, name), shape, kind, f"the step's `{name}`", f"the spec, with {n} copies,")
    for name, x in step.counts.items():
        fits(x, (n,), jnp.floating, f"the step's tally of `{name}`", f"a count in each of {n} copies")


def check_draws(env: AbstractEnvironment) -> None:
    spec, reset = env.spec, lambda key: env.reset(key, MANY)
    repeatable(reset, "env.reset", jr.key(0))
    (state, _), random = heedful(reset, "env.reset")
    if random:
        alike = all(jnp.all(x == x[..., :1]) for x in jax.tree.leaves(state))
        require(not alike, "env.reset draws, but begins every copy alike: draw for each of the n copies.")
    action = jnp.zeros((MANY, *spec.action_shape), spec.action_type)
    repeatable(lambda key: env.step(state, action, key), "env.step", jr.key(0))


def play(spec: Spec, obs: Observation, keys: Key[Array, " n"]) -> Shaped[Array, "n agents ..."]:
    """Legal actions at random."""
    act = lambda obs, key: Random().act(spec, None, obs, key, jnp.zeros((), int), True)[1]
    return jax.vmap(act)(obs, keys).astype(spec.action_type)


def live(env: AbstractEnvironment, steps: int, character: Int[Array, " n"]) -> tuple[Observation, Step]:
    """What is seen after 0, 1, ... steps of random play, and the steps that led there (0: nothing did).

    A copy's actions depend on its place and its character alone.
    """
    n, key = len(character), jr.key(0)
    state, obs = env.reset(named(key, "reset"), n)

    def tick(now, t):
        state, obs = now
        keys = jax.vmap(lambda i, c: named(key, "act", t, i, c))(jnp.arange(n), character)
        state, step = env.step(state, play(env.spec, obs, keys), named(key, "step", t))
        return (state, step.obs), step

    _, step = jax.lax.scan(tick, (state, obs), jnp.arange(steps))
    after = lambda x, xs: jnp.concatenate([x[None], xs])
    return jax.tree.map(after, obs, step.obs), jax.tree.map(lambda x: after(jnp.zeros_like(x[0]), x), step)


def check_episodes(env: AbstractEnvironment, copies: int, steps: int) -> None:
    spec = env.spec
    run = jax.jit(lambda character: live(env, steps, character))
    with telling("an episode of random play"):
        obs, step = jax.tree.map(np.asarray, run(jnp.zeros(copies, int)))
        _, other = jax.tree.map(np.asarray, run(jnp.minimum(jnp.arange(copies), 1)))
    ended = np.logical_or.accumulate(step.terminated | step.truncated)
    real = np.concatenate([np.ones_like(ended[:1]), ~ended[:-1]])  # what comes after the end is no episode's
    check_sight(spec, obs, real)
    finite(step.reward, real, "The step's `reward`", spec.names)
    for name, x in {"team_reward": step.team_reward, **step.counts}.items():
        finite(x, real, f"The step's `{name}`")
    nowhere(
        step.terminated & step.truncated & real,
        "A step is both terminated and truncated: a true end is no time limit, so set one of them.",
    )
    require(
        ended[spec.horizon :].all(),
        f"An episode is longer than spec.horizon, {spec.horizon} steps: set `truncated` in the last.",
    )
    mine = lambda step: jax.tree.map(lambda x: x[:, 0], step)
    require(
        same(mine(step), mine(other)),
        "What one copy does changes what happens in another: let no computation mix the copies' axis.",
    )


def check_sight(spec: Spec, obs: Observation, real: Bool[Array | np.ndarray, "moments copies"]) -> None:
    """What there is to see; `real` says which observations belong to an episode."""
    nowhere(~obs.first[:1], "`first` must be true in what env.reset returns.")
    later = real & (np.arange(len(real)) > 0)[:, None]
    nowhere(
        obs.first & later,
        "`first` is true in what env.step returns: it marks an episode's first moment only, and a world "
        "must not reset itself: the training loop does.",
    )
    finite(obs.agents, real, "The observation's `agents`", spec.names)
    finite(obs.state, real, "The observation's `state`")
    agents = real[..., None]
    dead = agents & ~obs.alive
    nowhere(
        dead & (obs.agents != 0).any(-1),
        "A dead agent sees something: give it an observation of zeros.",
        spec.names,
    )
    if spec.bounds is None:
        choices = obs.legal.sum(-1)
        nowhere(
            agents & (choices == 0),
            "An agent has no legal action: allow at least one, even to the dead.",
            spec.names,
        )
        nowhere(dead & (choices > 1), "A dead agent has a choice: allow it one action only.", spec.names)
