"""Spread alone: covey's, through its public interface, beside jaxmarl's vmapped step.

Both play the same joint actions, drawn before the clock starts, over the same number of copies,
in one process and in turn; each keeps the newest observations, rewards and ends, so nothing it
is asked for can be left out. jaxmarl resets as its scripts do, inside `step`. Both are measured
with all copies on one device, and shared out over all of them; the better counts, for each.
"""

from collections.abc import Callable
from functools import partial
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

COPIES, HORIZON, WORK = (1, 32, 1024, 16384), 25, 1_000_000  # WORK: environment steps a turn, about
Run = Callable[[PRNGKeyArray, Int[Array, "T n agents"], int], PyTree[Array]]


def blank(f: Callable[..., Any], *args: Any) -> PyTree[Array]:
    """Zeros like what f returns: the carry that a scan starts with."""
    return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(f, *args))


def covey(env: Spread, key: PRNGKeyArray, actions: Int[Array, "T n agents"], episodes: int) -> PyTree[Array]:
    """Episodes run in lockstep, so a reset is due once in each."""

    def episode(last, number):
        start, _ = env.reset(jr.fold_in(key, number), actions.shape[1])
        step = lambda carry, action: (env.step(carry[0], action, key), None)
        return jax.lax.scan(step, (start, last[1]), actions)[0], None

    start, _ = env.reset(key, actions.shape[1])
    return jax.lax.scan(episode, blank(env.step, start, actions[0], key), jnp.arange(episodes))[0]


def jaxmarl(env: Any, key: PRNGKeyArray, actions: Int[Array, "T n agents"], episodes: int) -> PyTree[Array]:
    """As in its scripts: a key for each copy, its own automatic reset."""
    n = actions.shape[1]
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


def entrants() -> dict[str, Run]:
    """jaxmarl computes as it is imported, so that must wait until JAX is set up."""
    from jaxmarl import make  # pyright: ignore[reportMissingImports]

    peer = make("MPE_simple_spread_v3", max_steps=HORIZON)
    return {"covey": partial(covey, Spread(horizon=HORIZON)), "jaxmarl": partial(jaxmarl, peer)}


def episodes(copies: int) -> int:
    """Of each copy, a turn."""
    return max(1, min(WORK // (HORIZON * copies), 2000))


def compiled(run: Run, copies: int, devices: int) -> Callable[[], Any]:
    """Compiled and warm: what is left is to run it."""
    actions = jr.randint(jr.key(1), (HORIZON, copies, 3), 0, 5)
    mesh = Mesh(np.array(jax.devices()[:devices]), ("device",))

    def share(key, actions):
        key = jr.fold_in(key, jax.lax.axis_index("device"))
        return jax.tree.map(lambda x: x[None], run(key, actions, episodes(copies)))

    specs = {"in_specs": (P(), P(None, "device")), "out_specs": P("device")}
    mapped = jax.shard_map(share, mesh=mesh, check_vma=False, **specs)
    program = jax.jit(mapped).lower(jr.key(0), actions).compile()
    keys = iter(jr.split(jr.key(2), 1000))
    go = lambda: jax.block_until_ready(program(next(keys), actions))
    go()
    return go


def measure(runs: dict[str, Run], copies: int, repetitions: int) -> dict[str, Any]:
    every = len(jax.devices())
    shares = sorted({1, every if copies % every == 0 else 1})
    ready = {f"{name}, {n} devices": compiled(run, copies, n) for name, run in runs.items() for n in shares}
    seconds = in_turn(ready, repetitions)
    steps = episodes(copies) * HORIZON * copies
    rates = {name: [steps / s for s in own] for name, own in seconds.items()}
    best = [max((own for name, own in rates.items() if name.startswith(run)), key=np.median) for run in runs]
    return {
        "copies": copies,
        "rates": {name: summary(own) for name, own in rates.items()},
        "ratio": ratio(*best),
    }


def main() -> None:
    options = arguments(__doc__ or "", repetitions=7)
    runs = entrants()
    results = [measure(runs, copies, options.repetitions) for copies in COPIES]
    print("Environment steps a second: the median turn (slowest to fastest)")
    for found in results:
        rows = [
            {"copies": str(found["copies"]), "who": name, "steps/s": shown(rate, ",.0f")}
            for name, rate in found["rates"].items()
        ]
        table(
            [*rows, {"copies": "", "who": "best to best", "steps/s": shown(found["ratio"], ".1f") + " times"}]
        )
    keep(options.json, results)


if __name__ == "__main__":
    main()
