"""Speed of the battles of `skirmish` alone, beside jaxmarl's SMAX on the maps of the same name.

SMAX is another game with the same units in name: no shields, armour, regeneration or terrain, and a script
commands its enemies. Both play random actions, drawn before the clock starts, over the same number of copies,
in one process and in turns, and keep the newest observations, rewards and ends. SMAX is reset as in its
scripts, inside every step. covey's battles are reset as in its training loop, where one is over; since a turn
is shorter than a battle, copies are also cut off at random, one in 40 steps, as if they were over.

A step has eight loops, and XLA counts the body of a loop once. Its counts are therefore multiplied by the
ratio of the program's operations with its loops multiplied out to those without.
"""

from functools import partial
from importlib.util import find_spec
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr
from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from covey.config import catalogue
from covey.core import AbstractEnvironment

from .common import parse_options, print_table, save_results
from .environments import Entrant, Turn, count_cost, jaxmarl, measure, row, zeros_like_result
from .machine import matmul_rate

COPIES = (32, 256, 1024)
BLOCK = 16  # steps between which joint actions repeat
BATTLE = 40  # steps, about


class Arena(NamedTuple):
    """A map: the steps of a turn, about, and whether SMAX has it."""

    work: int
    smax: bool = False


ARENAS = {
    "3m": Arena(200_000, smax=True),
    "2s3z": Arena(100_000, smax=True),
    "corridor": Arena(20_000),
    "2c_vs_64zg": Arena(10_000),
}


def make_battle(name: str) -> AbstractEnvironment:
    entry = catalogue.find("environment", f"skirmish/{name}")
    return catalogue.load_class(entry)(**entry.fixed)


def play(
    env: AbstractEnvironment, key: PRNGKeyArray, actions: Int[Array, "T n agents"], blocks: int
) -> PyTree[Array]:
    """Play on from one block of actions to the next, with a reset where a battle is over."""
    n = actions.shape[1]
    cuts = jr.bernoulli(jr.fold_in(key, 0), 1 / BATTLE, actions.shape[:2])

    def step(carry, x):
        state, _, number = carry
        action, cut = x
        step_key = jr.fold_in(key, number)
        state, after = env.step(state, action, step_key)
        over = after.terminated | after.truncated | cut

        def restart():
            new, obs = env.reset(step_key, n)
            keep = lambda new, old: jnp.where(over, new, old)
            keep_first = lambda new, old: jnp.where(over.reshape(-1, *[1] * (old.ndim - 1)), new, old)
            return jax.tree.map(keep, new, state), jax.tree.map(keep_first, obs, after.obs)

        state, obs = jax.lax.cond(jnp.any(over), restart, lambda: (state, after.obs))
        return (state, (obs, after.reward, over), number + 1), None

    start, _ = env.reset(key, n)
    first = zeros_like_result(env.step, start, actions[0], key)[1]
    carry = (start, (first.obs, first.reward, first.terminated), 1)
    block = lambda carry, _: (jax.lax.scan(step, carry, (actions, cuts))[0], None)
    return jax.lax.scan(block, carry, length=blocks)[0][:2]


def entrants(name: str, peers: bool) -> dict[str, Entrant]:
    """Return covey's battle and, where there is one, SMAX's."""
    env = make_battle(name)
    runs = {"covey": Entrant(partial(play, env), (env.spec.actions,) * env.spec.agents)}
    if peers and ARENAS[name].smax:
        smax = make_smax(name)
        choices = tuple(int(smax.action_space(agent).n) for agent in smax.agents)
        runs["jaxmarl"] = Entrant(partial(jaxmarl, smax), choices)
    return runs


def make_smax(name: str) -> Any:
    """Make SMAX against its scripted enemies. The import computes, so JAX is set up before."""
    from jaxmarl import make  # pyright: ignore[reportMissingImports]
    from jaxmarl.environments.smax import map_name_to_scenario  # pyright: ignore[reportMissingImports]

    return make("HeuristicEnemySMAX", scenario=map_name_to_scenario(name))


def operations(program: Jaxpr | ClosedJaxpr, unrolled: bool) -> float:
    """Count the elements that a program's equations compute, with its loops multiplied out or not."""
    total = 0.0
    for eqn in program.eqns:
        inner = [x for x in jax.tree.leaves(list(eqn.params.values())) if isinstance(x, Jaxpr | ClosedJaxpr)]
        if inner:
            times = eqn.params.get("length", 1) if unrolled else 1
            total += times * max(operations(x, unrolled) for x in inner)
        else:
            total += sum(float(np.prod(x.aval.shape)) for x in eqn.outvars)  # pyright: ignore[reportAttributeAccessIssue]
    return total


def step_cost(env: AbstractEnvironment) -> dict[str, float]:
    """Return XLA's count for a step of one copy, with loops multiplied out."""
    copies = 256
    state, _ = env.reset(jr.key(0), copies)
    action = jnp.zeros((copies, *env.spec.action_shape), env.spec.action_type)
    program = jax.make_jaxpr(env.step)(state, action, jr.key(0))
    ratio = operations(program, True) / operations(program, False)
    return {name: x * ratio for name, x in count_cost(env, copies).items()} | {"loops": ratio}


def main() -> None:
    more: dict[str, dict[str, Any]] = {
        "--maps": {"nargs": "+", "choices": list(ARENAS), "default": list(ARENAS)},
        "--copies": {"nargs": "+", "type": int, "default": list(COPIES)},
    }
    options = parse_options(__doc__ or "", 5, **more)
    peers = find_spec("jaxmarl") is not None
    if not peers:
        print("jaxmarl is not installed (pip install jaxmarl==0.2.0): covey's battles stand alone")
    peak = matmul_rate()
    print(
        f"Environment steps a second, better of one and all devices; the matmul rate is {peak / 1e9:.0f} GF/s"
    )
    results: dict[str, Any] = {"matmul rate": peak}
    for name in options.maps:
        cost = step_cost(make_battle(name))
        runs = entrants(name, peers)
        turns = [Turn(copies, BLOCK, ARENAS[name].work) for copies in options.copies]
        speeds = [measure(runs, turn, options.repetitions) for turn in turns]
        results[name] = {"cost": cost, "speed": speeds}
        facts = ", ".join(f"{cost[x]:,.0f} {x}" for x in ("flops", "transcendentals", "bytes"))
        print(f"\n{name}: a step costs {facts}")
        share = lambda speed, cost=cost: f"{speed['covey']['median'] * cost['flops'] / peak:.1%}"
        print_table([row(name, speed, cost) | {"of the matmul rate": share(speed)} for speed in speeds])
    save_results(options.json, results)


if __name__ == "__main__":
    main()
