"""The orders of one side, from actions of agents or from a script; both sides' make the orders of a step."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .features import FIRST_MOVE, FIRST_TARGET, MOVES
from .roster import Roster
from .state import Orders


class SideOrders(NamedTuple):
    """The orders of one side's units: each moves, or goes for its target until that one is dead, or stands.

    A unit with a `direction` moves; its length is the share of the unit's speed. Otherwise `target` is a foe
    by its number, for healers a friend; -1: nobody.
    """

    target: Int[Array, "own n"]
    direction: Float[Array, "own 2 n"] | None = None  # None: nobody moves


def read_actions(action: Int[Array, "own n"]) -> SideOrders:
    """Return the orders that actions give."""
    moves = [1.0 * (action == FIRST_MOVE + i) for i in range(len(MOVES))]
    direction = jnp.stack([moves[2] - moves[3], moves[0] - moves[1]], axis=1)
    return SideOrders(jnp.where(action >= FIRST_TARGET, action - FIRST_TARGET, -1), direction)


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
