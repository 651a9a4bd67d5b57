"""Speed of environments alone, beside jaxmarl's vmapped step where it has the same world.

covey's are used through their public interface. Both play the same joint actions, drawn before the clock
starts, over the same number of copies, in one process and in turns. Each keeps the newest observations,
rewards and ends, so that the compiler can drop none of them. jaxmarl resets as its scripts do, inside
`step`. Both are measured with all copies on one device, and spread over all devices; the better counts.
`pursuit` stands beside jaxmarl's tag of five hunters and two prey, `predator_prey` by itself.
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

from .common import (
    format_summary,
    parse_options,
    print_table,
    ratio,
    save_results,
    summary,
    time_in_turns,
)

COPIES = (1, 32, 1024, 16384)
WORK = 1_000_000  # environment steps a turn, about
Run = Callable[[PRNGKeyArray, Int[Array, "T n agents"], int], PyTree[Array]]


def zeros_like_result(f: Callable[..., Any], *args: Any) -> PyTree[Array]:
    """Return zeros of the shape that f returns: the first carry of a scan."""
    return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(f, *args))


def covey(
    env: AbstractEnvironment, key: PRNGKeyArray, actions: Int[Array, "T n agents"], episodes: int
) -> PyTree[Array]:
    """Play episodes in lockstep, so that a reset is due once in each."""

    def episode(last, number):
        episode_key = jr.fold_in(key, number)
        start, _ = env.reset(episode_key, actions.shape[1])
        step = lambda carry, x: (env.step(carry[0], x[1], jr.fold_in(episode_key, x[0])), None)
        return jax.lax.scan(step, (start, last[1]), (jnp.arange(len(actions)), actions))[0], None

    start, _ = env.reset(key, actions.shape[1])
    return jax.lax.scan(episode, zeros_like_result(env.step, start, actions[0], key), jnp.arange(episodes))[0]


def jaxmarl(env: Any, key: PRNGKeyArray, actions: Int[Array, "T n agents"], episodes: int) -> PyTree[Array]:
    """Play as its scripts do: a key for each copy, and its automatic reset."""
    n = actions.shape[1]
    _, start = jax.vmap(env.reset)(jr.split(key, n))

    def advance(state, key, action):
        chosen = {name: action[:, i] for i, name in enumerate(env.agents)}
        obs, state, reward, done, _ = jax.vmap(env.step)(jr.split(key, n), state, chosen)
        return state, (obs, reward, done)

    def step(carry, action):
        key, step_key = jr.split(carry[0])
        return (key, *advance(carry[1], step_key, action)), None

    episode = lambda carry, _: (jax.lax.scan(step, carry, actions)[0], None)
    last = zeros_like_result(advance, start, key, actions[0])[1]
    return jax.lax.scan(episode, (key, start, last), length=episodes)[0][1:]


class Peer(NamedTuple):
    """jaxmarl's counterpart of a world, and the length of an episode."""

    name: str | None
    settings: Mapping[str, int] = MappingProxyType({})  # the peer's, where its default is another world
    horizon: int = 25


PEERS = {
    "spread": Peer("MPE_simple_spread_v3"),
    "tag": Peer("MPE_simple_tag_v3"),
    "pursuit": Peer("MPE_simple_tag_v3", {"num_adversaries": 5, "num_good_agents": 2}),
    "speaker_listener": Peer("MPE_simple_speaker_listener_v4"),
    "reference": Peer("MPE_simple_reference_v3"),
    "adversary": Peer("MPE_simple_adversary_v3"),
    "predator_prey": Peer(None, horizon=200),
}


class Entrant(NamedTuple):
    """A program that plays a world, and the number of each agent's actions."""

    run: Run
    choices: tuple[int, ...]


def entrants(world: str) -> dict[str, Entrant]:
    """Return the programs that play a world."""
    horizon = PEERS[world].horizon
    env = catalogue.load_class(catalogue.find("environment", world))(horizon=horizon)
    if PEERS[world].name is None:
        return {"covey": Entrant(partial(covey, env), (env.spec.actions,) * env.spec.agents)}
    peer = make_peer(PEERS[world])
    choices = env.reset(jr.key(0), 1)[1].legal[0].sum(-1).tolist()
    theirs = [peer.action_space(name).n for name in peer.agents]
    assert choices == theirs, f"{world}: {choices} actions here, {theirs} there"
    runs = {"covey": partial(covey, env), "jaxmarl": partial(jaxmarl, peer)}
    return {name: Entrant(run, tuple(choices)) for name, run in runs.items()}


def make_peer(peer: Peer) -> Any:
    """Make jaxmarl's world. Its import computes, so JAX is set up before."""
    from jaxmarl import make  # pyright: ignore[reportMissingImports]

    return make(peer.name, max_steps=peer.horizon, **peer.settings)


class Turn(NamedTuple):
    """The size of a turn: copies, and about so many steps of them together, in episodes of `horizon`."""

    copies: int
    horizon: int
    work: int = WORK

    @property
    def episodes(self) -> int:
        """The episodes of each copy."""
        return max(1, min(self.work // (self.horizon * self.copies), 2000))

    @property
    def steps(self) -> int:
        return self.episodes * self.horizon * self.copies


def compiled(entrant: Entrant, turn: Turn, devices: int) -> Callable[[], Any]:
    """Compile and warm up; return a function that plays one turn."""
    choices = entrant.choices
    actions = jr.randint(jr.key(1), (turn.horizon, turn.copies, len(choices)), 0, jnp.array(choices))
    mesh = Mesh(np.array(jax.devices()[:devices]), ("device",))

    def play_shard(key, actions):
        key = jr.fold_in(key, jax.lax.axis_index("device"))
        return jax.tree.map(lambda x: x[None], entrant.run(key, actions, turn.episodes))

    specs = {"in_specs": (P(), P(None, "device")), "out_specs": P("device")}
    mapped = jax.shard_map(play_shard, mesh=mesh, check_vma=False, **specs)
    program = jax.jit(mapped).lower(jr.key(0), actions).compile()
    keys = iter(jr.split(jr.key(2), 1000))
    go = lambda: jax.block_until_ready(program(next(keys), actions))
    go()
    return go


def measure(runs: Mapping[str, Entrant], turn: Turn, repetitions: int) -> dict[str, Any]:
    """Time contestants in turns; return the rates of each."""
    copies = turn.copies
    all_devices = len(jax.devices())
    device_counts = sorted({1, all_devices if copies % all_devices == 0 else 1})
    ready = {
        f"{name}, {n} devices": compiled(entrant, turn, n)
        for name, entrant in runs.items()
        for n in device_counts
    }
    seconds = time_in_turns(ready, repetitions)
    rates = {name: [turn.steps / s for s in turns] for name, turns in seconds.items()}
    best = {
        run: max((turns for name, turns in rates.items() if name.startswith(run)), key=np.median)
        for run in runs
    }
    result = {"copies": copies} | {run: summary(turns) for run, turns in best.items()}
    comparison = {"ratio": ratio(best["covey"], best["jaxmarl"])} if "jaxmarl" in best else {}
    return result | comparison | {"rates": {name: summary(turns) for name, turns in rates.items()}}


def count_cost(env: AbstractEnvironment, copies: int = 1024) -> dict[str, float]:
    """Return the cost of a step of one copy, as XLA counts it: flops, transcendentals, bytes."""
    state, _ = env.reset(jr.key(0), copies)
    action = jnp.zeros((copies, *env.spec.action_shape), env.spec.action_type)
    cost: Any = jax.jit(env.step).lower(state, action, jr.key(0)).compile().cost_analysis()
    names = {"flops": "flops", "transcendentals": "transcendentals", "bytes": "bytes accessed"}
    return {ours: cost.get(name, 0.0) / copies for ours, name in names.items()}


def row(world: str, speed: dict[str, Any], cost: dict[str, float]) -> dict[str, str]:
    rate = speed["covey"]["median"]
    return {
        "world": world,
        "copies": f"{speed['copies']:,}",
        "covey": format_summary(speed["covey"], ",.0f"),
        "jaxmarl": format_summary(speed["jaxmarl"], ",.0f") if "jaxmarl" in speed else "",
        "times": format_summary(speed["ratio"], ".1f") if "ratio" in speed else "",
        "GF/s": f"{rate * cost['flops'] / 1e9:.1f}",
        "10⁹ exp, log, root/s": f"{rate * cost['transcendentals'] / 1e9:.2f}",
        "GB/s": f"{rate * cost['bytes'] / 1e9:.1f}",
        "µs a batch": f"{1e6 * speed['copies'] / rate:.1f}",
    }


def main() -> None:
    worlds = {"--worlds": {"nargs": "+", "choices": list(PEERS), "default": list(PEERS)}}
    options = parse_options(__doc__ or "", repetitions=7, **worlds)
    results = {}
    print("Environment steps a second, better of one and all devices: the median turn (slowest to fastest)")
    for world in options.worlds:
        cost = count_cost(catalogue.load_class(catalogue.find("environment", world))())
        turns = [Turn(copies, PEERS[world].horizon) for copies in COPIES]
        speeds = [measure(entrants(world), turn, options.repetitions) for turn in turns]
        results[world] = {"cost": cost, "speed": speeds}
        print(f"\n{world}: a step costs " + ", ".join(f"{x:,.0f} {name}" for name, x in cost.items()))
        print_table([row(world, speed, cost) for speed in speeds])
    save_results(options.json, results)


if __name__ == "__main__":
    main()
