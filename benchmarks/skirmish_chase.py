"""The heuristic of SMAC's paper in the battles of `skirmish`, from several start places.

Every agent goes for the enemy that is nearest to it, however far, until that one is dead. Between two such
scripts the outcome hangs on who stands in front at the start, which the game's engine decides and nobody has
published. Each row packs units at the nearest free place around their point, on a grid of this width; ties
between places go to the first side, then to the second. The paper's figures are from memory, for build 4.6.2.
"""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import PRNGKeyArray

from covey.environments.skirmish import placing
from covey.environments.skirmish.battle import draw_delays, fight
from covey.environments.skirmish.opponents import Battle, see_battle, stay_or_choose
from covey.environments.skirmish.orders import SideOrders, join_orders
from covey.environments.skirmish.skirmish import Skirmish
from covey.environments.skirmish.targeting import sides
from covey.statistics import wilson_interval

from .common import parse_options, print_table, save_results

PAPER = {"2s3z": 90, "3s5z": 42, "1c3s5z": 81, "10m_vs_11m": 12, "bane_vs_bane": 43, "5m_vs_6m": 0}
GRIDS = (0.5, 0.125)
TIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "upper, left": lambda places: places,
    "lower, left": lambda places: places * [1, -1],
    "left, lower": lambda places: places[:, ::-1] * [-1, 1],
    "right, lower": lambda places: places[:, ::-1],
}


def chase(battle: Battle) -> SideOrders:
    """Return orders to attack the foe whose centre is nearest, until that one is dead."""
    way = battle.foes.pos[None] - battle.own.pos[:, None]
    distance = jnp.sqrt(jnp.sum(way**2, axis=2))
    return SideOrders(stay_or_choose(battle, jnp.where(battle.foes.alive[None], distance, jnp.inf)))


def wins(env: Skirmish, battles: int, key: PRNGKeyArray) -> float:
    """Return the share of battles that the heuristic wins."""
    roster = env.field.roster
    kinds = jnp.asarray(roster.kinds)[:, None]
    stats = roster.stats(kinds)
    allies, enemies = sides(roster)

    def step(carry: Any, key: PRNGKeyArray) -> tuple[Any, None]:
        forces, won, over = carry
        own = chase(see_battle(env.field, stats, forces, allies, key))
        theirs = env.enemy(see_battle(env.field, stats, forces, enemies, key))
        orders = join_orders(roster, own, theirs, goal)
        forces = fight(env.field, kinds, forces, orders, draw_delays(key, roster, battles))
        stands = [jnp.any(forces.alive[side], axis=0) for side in (allies.own, allies.foes)]
        won = jnp.where(over, won, stands[0] & ~stands[1])
        return (forces, won, over | ~(stands[0] & stands[1])), None

    state, _ = env.reset(key, battles)
    goal = state.goal
    no = jnp.zeros(battles, bool)
    (_, won, _), _ = jax.jit(lambda x, keys: jax.lax.scan(step, x, keys))(
        (state.forces, no, no), jr.split(key, env.horizon)
    )
    return float(won.mean())


def measure(name: str, battles: int, grid: float, tie: str) -> float:
    with patch.object(placing, "_OFFSETS", TIES[tie](placing.spiral(grid))):
        return wins(Skirmish(name), battles, jr.key(0))


def text(share: float, battles: int) -> str:
    low, high = wilson_interval(round(share * battles), battles)
    return f"{100 * share:.0f} [{100 * low:.0f}, {100 * high:.0f}]"


def main() -> None:
    more = {"--battles": {"type": int, "default": 200, "help": "of each start on each map (200)"}}
    options = parse_options(__doc__ or "", None, **more)
    results: dict[str, dict[str, float]] = {}
    rows = [{"places": "SMAC's paper"} | {name: str(wins) for name, wins in PAPER.items()}]
    for grid in GRIDS:
        for tie in TIES:
            place = f"{grid:g}; {tie}"
            results[place] = {name: measure(name, options.battles, grid, tie) for name in PAPER}
            rows.append({"places": place} | {m: text(x, options.battles) for m, x in results[place].items()})
            save_results(options.json, results)
    print_table(rows)


if __name__ == "__main__":
    main()
