"""The orders of one side, from actions of agents or from a script; both sides' make the orders of a step."""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .battle import LOOPS
from .roster import Roster, UnitStats
from .state import Orders
from .views import DIRECTIONS, FIRST_MOVE, FIRST_TARGET, STOP, Shown, SideView

_MOVE = 2.0  # how far a move leads


class SideOrders(NamedTuple):
    """The orders of one side's units: each moves, or goes for its target until that one is dead, or stands.

    A unit with a `direction` moves; its length is the share of the unit's speed. Otherwise `target` is a foe
    by its number, for healers a friend; -1: nobody.
    """

    target: Int[Array, "own n"]
    direction: Float[Array, "own 2 n"] | None = None  # None: nobody moves


class Standing(eqx.Module):
    """Where agents look, and the orders that stand meanwhile. No rows where agents see all around."""

    facing: Int[Array, "looking n"]
    action: Int[Array, "looking n"]  # the last one that was an order
    since: Int[Array, "looking n"]  # steps ago


def stand(looking: int, n: int) -> Standing:
    """Return how agents begin: they look east, and have no orders."""
    zeros = jnp.zeros((looking, n), jnp.int32)
    return Standing(zeros, zeros + STOP, zeros)


def take_actions(shown: Shown, standing: Standing, action: Int[Array, "agents n"]) -> Standing:
    """Return the orders that stand after an action: to look elsewhere is no order."""
    if not shown.conic_fov:
        return standing
    looks = (action >= FIRST_TARGET) & (action < FIRST_TARGET + shown.looks)
    return Standing(
        facing=jnp.where(looks, action - FIRST_TARGET, standing.facing),
        action=jnp.where(looks, standing.action, action),
        since=jnp.where(looks, standing.since + 1, 0),
    )


def read_actions(
    view: SideView, shown: Shown, stats: UnitStats, standing: Standing, action: Int[Array, "agents n"]
) -> SideOrders:
    """Return the orders that the actions of a side give.

    A move leads 2 units away, further than a step. An agent that then looks elsewhere goes on to that point.
    """
    own = view.ranks.own
    action = standing.action[own] if shown.conic_fov else action[own]
    moves = [1.0 * (action == FIRST_MOVE + i) for i in range(len(DIRECTIONS))]
    direction = jnp.stack([moves[2] - moves[3], moves[0] - moves[1]], axis=1)
    if shown.conic_fov:
        steps = _MOVE / jnp.maximum(LOOPS * stats.speed[own], 1e-6)
        direction = direction * jnp.clip(steps - standing.since[own], 0.0, 1.0)[:, None]
    first = view.first_target
    return SideOrders(jnp.where(action >= first, action - first, -1), direction)


def join_orders(
    roster: Roster, allies: SideOrders, enemies: SideOrders | None, goal: Float[Array, "units 2 n"]
) -> Orders:
    """Return everybody's orders. None: the enemies react by themselves, and walk to their goals."""
    n = allies.target.shape[-1]
    obeys = np.arange(roster.units)[:, None] < (roster.allies if enemies is None else roster.units)
    enemies = SideOrders(jnp.full((roster.enemies, n), -1)) if enemies is None else enemies
    direction = [
        jnp.zeros((len(side.target), 2, n)) if side.direction is None else side.direction
        for side in (allies, enemies)
    ]
    return Orders(
        direction=jnp.concatenate(direction),
        target=jnp.concatenate([allies.target, enemies.target]),
        goal=goal,
        obeys=jnp.broadcast_to(obeys, (roster.units, n)),
    )
