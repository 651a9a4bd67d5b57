"""Worlds alone: covey's, through their public interface, the particle worlds beside jaxmarl's vmapped step.

Both play the same joint actions, drawn before the clock starts, over the same number of copies,
in one process and in turn; each keeps the newest observations, rewards and ends, so nothing it
is asked for can be left out. jaxmarl resets as its scripts do, inside `step`. Both are measured
with all copies on one device, and shared out over all of them; the better counts, for each.
`pursuit`, which nobody else has, stands beside jaxmarl's tag of five hunters and two prey,
`predator_prey` by itself.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from covey.config import catalogue
from covey.core import AbstractEnvironment

from .common import arguments, in_turn, keep, ratio, shown, summary, table

COPIES, WORK = (1, 32, 1024, 16384), 1_000_000  # WORK: environment steps a turn, about
Run = Callable[[PRNGKeyArray, Int[Array, "T n agents"], int], PyTree[Array]]


def blank(f: Callable[..., Any], *args: Any) -> PyTree[Array]:
    """Zeros like what f returns: the carry that a scan starts with."""
    return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(f, *args))


def covey(
    env: AbstractEnvironment, key: PRNGKeyArray, actions: Int[Array, "T n agents"], episodes: int
) -> PyTree[Array]:
    """Episodes run in lockstep, so a reset is due once in each."""

    def episode(last, number):
        own = jr.fold_in(key, number)
        start, _ = env.reset(own, actions.shape[1])
        step = lambda carry, x: (env.step(carry[0], x[1], jr.fold_in(own, x[0])), None)
        return jax.lax.scan(step, (start, last[1]), (jnp.arange(len(actions)), actions))[0], None

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


class Pair(NamedTuple):
    """What stands beside a world of ours, and how long an episode is."""

    peer: str | None
    settings: Mapping[str, int] = MappingProxyType({})  # the peer's, where its default is another world
    horizon: int = 25


PAIRS = {
    "spread": Pair("MPE_simple_spread_v3"),
    "tag": Pair("MPE_simple_tag_v3"),
    "pursuit": Pair("MPE_simple_tag_v3", {"num_adversaries": 5, "num_good_agents": 2}),
    "speaker_listener": Pair("MPE_simple_speaker_listener_v4"),
    "reference": Pair("MPE_simple_reference_v3"),
    "adversary": Pair("MPE_simple_adversary_v3"),
    "predator_prey": Pair(None, horizon=200),
}


def entrants(world: str) -> tuple[dict[str, Run], tuple[int, ...]]:
    """All there are, and how many actions each agent has."""
    horizon = PAIRS[world].horizon
    env = catalogue.load_class(catalogue.find("environment", world))(horizon=horizon)
    if PAIRS[world].peer is None:
        return {"covey": partial(covey, env)}, (env.spec.actions,) * env.spec.agents
    peer = peers(PAIRS[world])
    choices = env.reset(jr.key(0), 1)[1].legal[0].sum(-1).tolist()
    theirs = [peer.action_space(name).n for name in peer.agents]
    assert choices == theirs, f"{world}: {choices} actions here, {theirs} there"
    return {"covey": partial(covey, env), "jaxmarl": partial(jaxmarl, peer)}, tuple(choices)


def peers(pair: Pair) -> Any:
    """jaxmarl's world. It computes as it is imported: JAX is set up before."""
    from jaxmarl import make  # pyright: ignore[reportMissingImports]

    return make(pair.peer, max_steps=pair.horizon, **pair.settings)


def episodes(copies: int, horizon: int) -> int:
    """Of each copy, a turn."""
    return max(1, min(WORK // (horizon * copies), 2000))


def compiled(
    run: Run, choices: tuple[int, ...], copies: int, horizon: int, devices: int
) -> Callable[[], Any]:
    """Compiled and warm: what is left is to run it."""
    actions = jr.randint(jr.key(1), (horizon, copies, len(choices)), 0, jnp.array(choices))
    mesh = Mesh(np.array(jax.devices()[:devices]), ("device",))

    def share(key, actions):
        key = jr.fold_in(key, jax.lax.axis_index("device"))
        return jax.tree.map(lambda x: x[None], run(key, actions, episodes(copies, horizon)))

    specs = {"in_specs": (P(), P(None, "device")), "out_specs": P("device")}
    mapped = jax.shard_map(share, mesh=mesh, check_vma=False, **specs)
    program = jax.jit(mapped).lower(jr.key(0), actions).compile()
    keys = iter(jr.split(jr.key(2), 1000))
    go = lambda: jax.block_until_ready(program(next(keys), actions))
    go()
    return go


def measure(world: str, copies: int, repetitions: int) -> dict[str, Any]:
    every, (runs, choices) = len(jax.devices()), entrants(world)
    shares, horizon = sorted({1, every if copies % every == 0 else 1}), PAIRS[world].horizon
    ready = {
        f"{name}, {n} devices": compiled(run, choices, copies, horizon, n)
        for name, run in runs.items()
        for n in shares
    }
    seconds = in_turn(ready, repetitions)
    steps = episodes(copies, horizon) * horizon * copies
    rates = {name: [steps / s for s in own] for name, own in seconds.items()}
    best = {
        run: max((own for name, own in rates.items() if name.startswith(run)), key=np.median) for run in runs
    }
    told = {"copies": copies} | {run: summary(own) for run, own in best.items()}
    beside = {"ratio": ratio(best["covey"], best["jaxmarl"])} if "jaxmarl" in best else {}
    return told | beside | {"rates": {name: summary(own) for name, own in rates.items()}}


def counted(world: str, copies: int = 1024) -> dict[str, float]:
    """What a step of one copy costs, as XLA counts it: arithmetic, exponentials and the like, bytes."""
    env: AbstractEnvironment = catalogue.load_class(catalogue.find("environment", world))()
    state, _ = env.reset(jr.key(0), copies)
    action = jnp.zeros((copies, *env.spec.action_shape), env.spec.action_type)
    cost: Any = jax.jit(env.step).lower(state, action, jr.key(0)).compile().cost_analysis()
    names = {"flops": "flops", "transcendentals": "transcendentals", "bytes": "bytes accessed"}
    return {ours: cost.get(name, 0.0) / copies for ours, name in names.items()}


def row(world: str, found: dict[str, Any], cost: dict[str, float]) -> dict[str, str]:
    rate = found["covey"]["median"]
    return {
        "world": world,
        "copies": f"{found['copies']:,}",
        "covey": shown(found["covey"], ",.0f"),
        "jaxmarl": shown(found["jaxmarl"], ",.0f") if "jaxmarl" in found else "",
        "times": shown(found["ratio"], ".1f") if "ratio" in found else "",
        "GF/s": f"{rate * cost['flops'] / 1e9:.1f}",
        "10⁹ exp, log, root/s": f"{rate * cost['transcendentals'] / 1e9:.2f}",
        "GB/s": f"{rate * cost['bytes'] / 1e9:.1f}",
        "µs a batch": f"{1e6 * found['copies'] / rate:.1f}",
    }


def main() -> None:
    worlds = {"--worlds": {"nargs": "+", "choices": list(PAIRS), "default": list(PAIRS)}}
    options = arguments(__doc__ or "", repetitions=7, **worlds)
    results = {}
    print("Environment steps a second, better of one and all devices: the median turn (slowest to fastest)")
    for world in options.worlds:
        cost = counted(world)
        found = [measure(world, copies, options.repetitions) for copies in COPIES]
        results[world] = {"cost": cost, "speed": found}
        print(f"\n{world}: a step costs " + ", ".join(f"{x:,.0f} {name}" for name, x in cost.items()))
        table([row(world, x, cost) for x in found])
    keep(options.json, results)


if __name__ == "__main__":
    main()
