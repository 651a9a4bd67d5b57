"""Difficulty of the battles: how often scripts win each map, with 95 % intervals.

A row is printed as soon as its map is done; big maps take longest. All scripts of a map play on the same
compiled step, and all battles of a script side by side.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Bool, Float

from covey.config.catalogue import ENVIRONMENTS
from covey.config.making import make_algorithm, make_environment
from covey.core import AbstractEnvironment
from covey.environments.skirmish.maps import map_names
from covey.ops import named
from covey.runs import launch
from covey.statistics import wilson_interval

from .common import save_results

SCRIPTS = ("scripted/idle", "random", "scripted/nearest", "scripted/weakest", "scripted/kite")
PREFIX = "skirmish/"
MAPS = tuple(name.removeprefix(PREFIX) for name in ENVIRONMENTS if name.startswith(PREFIX))


def play(env: AbstractEnvironment, step: Callable, name: str, battles: int) -> dict[str, float]:
    """Return how many of a script's first episodes are won, and their mean length."""
    algorithm, _ = make_algorithm(name)
    learner = algorithm.init(env.spec, jr.key(0))
    now = jnp.zeros((), int)

    @jax.jit
    def act(carry, obs, key):
        one = lambda carry, obs, key: algorithm.act(learner, carry, obs, key, now, False)[:2]
        return jax.vmap(one)(carry, obs, jr.split(key, battles))

    key = jr.key(0)
    state, obs = jax.jit(env.reset, static_argnums=1)(named(key, "begin"), battles)
    carry = jax.tree.map(
        lambda x: jnp.broadcast_to(x, (battles, *x.shape)), algorithm.init_carry(env.spec, learner)
    )
    going = jnp.ones(battles, bool)
    won = jnp.zeros(battles)
    length = jnp.zeros(battles)
    for t in range(env.spec.horizon):
        carry, action = act(carry, obs, named(key, "act", t))
        state, obs, going, gained = step(state, action.astype(env.spec.action_type), going, named(key, t))
        won += gained
        length += 1.0 * going
        if not going.any():
            break
    return {"battles": battles, "won": int(won.sum()), "steps": float(length.mean()) + 1.0}


def compiled_step(env: AbstractEnvironment) -> Callable:
    """Return a step of all battles: the next state and observation, who still fights, who won just now."""

    @jax.jit
    def step(state: Any, action: Array, going: Bool[Array, " n"], key: Array):
        state, taken = env.step(state, action, key)
        won: Float[Array, " n"] = taken.counts["won"] * going
        return state, taken.obs, going & ~(taken.terminated | taken.truncated), won

    return step


def share(result: dict[str, float]) -> str:
    """Return a win rate in percent, with its interval."""
    low, high = wilson_interval(int(result["won"]), int(result["battles"]))
    return f"{100 * result['won'] / result['battles']:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def line(cells: list[str], markdown: bool) -> str:
    if markdown:
        return f"| {' | '.join(cells)} |"
    first, *rest = cells
    return first.ljust(18) + "".join(cell.rjust(20) for cell in rest)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--maps", nargs="+", default=map_names(), choices=MAPS, metavar="MAP", help="(SMAC's)"
    )
    parser.add_argument("--scripts", nargs="+", default=SCRIPTS, metavar="SCRIPT", help="(the five)")
    parser.add_argument("--battles", type=int, default=1000, help="of each script on each map (1000)")
    parser.add_argument("--markdown", action="store_true", help="print a table for a page")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results, after each map")
    options = parser.parse_args()
    launch.prepare("cpu")
    results: dict[str, dict[str, dict[str, float]]] = {}
    header = ["map", *(name.removeprefix("scripted/") for name in options.scripts)]
    print(line(header, options.markdown), flush=True)
    if options.markdown:
        print(line(["---"] * len(header), True), flush=True)
    for name in options.maps:
        env = make_environment(PREFIX + name)[0]
        assert isinstance(env, AbstractEnvironment)
        step = compiled_step(env)
        results[name] = {script: play(env, step, script, options.battles) for script in options.scripts}
        cells = [f"`{name}`" if options.markdown else name, *map(share, results[name].values())]
        print(line(cells, options.markdown), flush=True)
        save_results(options.json, results)


if __name__ == "__main__":
    main()
