"""Spread alone: covey's, through its public interface, beside jaxmarl's vmapped step.

Both play the same joint actions, drawn before the clock starts, over the same number of copies,
in one process and in turn; each keeps the newest observations, rewards and ends, so nothing it
is asked for can be left out. jaxmarl resets as its scripts do, inside `step`. Both are measured
with all copies on one device, and shared out over all of them; the better counts, for each.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from covey.environments.particles.spread import Spread

from .common import arguments, in_turn, keep, ratio, shown, summary, table

COPIES, WORK = (1024,), 200_000
Run = Callable[[PRNGKeyArray, Int[Array, "T n agents"], int], PyTree[Array]]


def blank(f: Callable[..., Any], *args: Any) -> PyTree[Array]:
    """Zeros like what f returns: the carry that a scan starts with."""
    return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(f, *args))


def covey(key: PRNGKeyArray, actions: Int[Array, "T n agents"], episodes: int) -> PyTree[Array]:
    """Episodes run in lockstep, so a reset is due once in each."""
    env = Spread(horizon=len(actions))

    def episode(last, number):
        start, _ = env.reset(jr.fold_in(key, number), actions.shape[1])
        step = lambda carry, action: (env.step(carry[0], action, key), None)
        return jax.lax.scan(step, (start, last[1]), actions)[0], None

    start, _ = env.reset(key, actions.shape[1])
    return jax.lax.scan(episode, blank(env.step, start, actions[0], key), jnp.arange(episodes))[0]


def jaxmarl(key: PRNGKeyArray, actions: Int[Array, "T n agents"], episodes: int) -> PyTree[Array]:
    """As in its scripts: a key for each copy, its own automatic reset."""
    from jaxmarl import make

    env, n = make("MPE_simple_spread_v3", max_steps=len(actions)), actions.shape[1]
    _, start = jax.vmap(env.reset)(jr.split(key, n))

    def advance(state, key, action):
        chosen = {name: action[:, i] for i, name in enumerate(env.agents)}
        obs, state, reward, done, _ = jax.vmap(env.step)(jr.split(key, n), state, chosen)
        return state, (obs, reward, done)

    def step(carry, action):
        key, own = jr.split(carry[0])
        return (key, *advance(carry[1], own, action)), None

    episode = lambda carry, _: (jax.lax.scan(step, carry, actions)[0], None)
    last = blank(advance, start, key, actions[0])[1]
    return jax.lax.scan(episode, (key, start, last), length=episodes)[0][1:]


def contestant(run: Run, copies: int, devices: int, horizon: int = 25) -> Callable[[], Any]:
    """Compiled and warm: what is left is to run it."""
    episodes = max(1, min(WORK // (horizon * copies), 2000))
    actions = jr.randint(jr.key(1), (horizon, copies, 3), 0, 5)
    mesh = Mesh(np.array(jax.devices()[:devices]), ("device",))

    def share(key, actions):
        key = jr.fold_in(key, jax.lax.axis_index("device"))
        return jax.tree.map(lambda x: x[None], run(key, actions, episodes))

    specs = dict(in_specs=(P(), P(None, "device")), out_specs=P("device"), check_vma=False)
    program = jax.jit(jax.shard_map(share, mesh=mesh, **specs)).lower(jr.key(0), actions).compile()
    keys = iter(jr.split(jr.key(2), 1000))
    go = lambda: jax.block_until_ready(program(next(keys), actions))
    go()
    go.steps = episodes * horizon * copies
    return go


def measure(copies: int, repetitions: int) -> dict[str, Any]:
    every = len(jax.devices())
    spread = {1, every} if copies % every == 0 else {1}
    runs = {(f, n): contestant(f, copies, n) for f in (covey, jaxmarl) for n in sorted(spread)}
    seconds = in_turn(runs, repetitions)
    rates = {of: [runs[of].steps / s for s in seconds[of]] for of in runs}
    best = {f: max((rates[of] for of in runs if of[0] is f), key=np.median) for f in (covey, jaxmarl)}
    named = {f"{f.__name__}, {n} devices": summary(rates[f, n]) for f, n in runs}
    return {"copies": copies, "rates": named, "ratio": ratio(best[covey], best[jaxmarl])}


def main() -> None:
    options = arguments(__doc__ or "", repetitions=7)
    results = [measure(copies, options.repetitions) for copies in COPIES]
    print("Environment steps a second, in millions: median of turns (lowest to highest)")
    names = max((found["rates"] for found in results), key=len)
    empty = dict.fromkeys(names, "")
    for found in results:
        found["row"] = {"copies": str(found["copies"])} | empty | {
            name: shown({k: v / 1e6 for k, v in rate.items()}, ".2f") for name, rate in found["rates"].items()
        } | {"best to best": shown(found["ratio"], ".1f")}
    table([found.pop("row") for found in results])
    keep(options.json, results)


if __name__ == "__main__":
    main()
