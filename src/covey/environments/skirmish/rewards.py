"""Ends and rewards, as SMAC counts them, from the side of the allies or of the enemies."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .roster import UnitStats
from .state import Forces
from .targeting import Ranks

_DEATH_VALUE = 10.0
_WIN_VALUE = 200.0
_SCALE = 20.0
_NEGATIVE_SCALE = 0.5


class Pay(NamedTuple):
    """The choices of rewards; SMAC's defaults."""

    reward_sparse: bool = False  # 1 for a win, -1 for a defeat
    reward_only_positive: bool = True  # False: half of what the own side lost is taken off
    reward_regeneration: bool = True  # False: a step in which foes regain more than they lose pays 0


class Result(NamedTuple):
    """The end of a battle, as one side sees it. A draw is neither won nor lost."""

    won: Bool[Array, " n"]
    lost: Bool[Array, " n"]
    drawn: Bool[Array, " n"]

    @property
    def over(self) -> Bool[Array, " n"]:
        return self.won | self.lost | self.drawn

    @property
    def turned(self) -> "Result":
        """The same end, as the other side sees it."""
        return Result(self.lost, self.won, self.drawn)


def result(ranks: Ranks, stats: UnitStats, forces: Forces, medics_lose: bool) -> Result:
    """Return how a battle stands. With `medics_lose`, a side of nothing but healers has lost.

    As in SMAC, the own side is tested first: where neither has anybody but healers, the battle is lost.
    """
    alive = forces.alive
    count = lambda rows, who: jnp.sum(who[rows], axis=0)
    own = count(ranks.own, alive)
    foes = count(ranks.foes, alive)
    lost = (own == 0) & (foes > 0)
    won = (own > 0) & (foes == 0)
    if medics_lose:
        fighters = alive & ~stats.healer
        lost |= count(ranks.own, fighters) == 0
        won |= count(ranks.foes, fighters) == 0
        won &= ~lost
    return Result(won, lost, (own == 0) & (foes == 0) & ~lost)


def max_reward(ranks: Ranks, stats: UnitStats, n: int) -> Float[Array, " n"]:
    """Return the most that a battle pays before scaling: all damage, all deaths, and the win."""
    whole = (stats.health + stats.shield)[ranks.foes]
    total = jnp.sum(whole, axis=0) + _DEATH_VALUE * len(whole) + _WIN_VALUE
    return jnp.broadcast_to(total, (n,))


def _losses(rows: slice, before: Forces, after: Forces) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Return the health and shield that units lost, less what came back; and how many died."""
    points = lambda forces: forces.health[rows] + forces.shield[rows]
    lived = before.alive[rows]
    lost = jnp.sum(jnp.where(lived, points(before) - points(after), 0.0), axis=0)
    died = jnp.sum(lived & ~after.alive[rows], axis=0)
    return lost, 1.0 * died


def reward(
    pay: Pay, ranks: Ranks, stats: UnitStats, before: Forces, after: Forces, outcome: Result
) -> Float[Array, " n"]:
    """Return the reward of a step, scaled so that a battle pays 20.

    SMAC's is |damage dealt + 10 deaths|, and 200 for the win. Where the own side's losses count, nothing is
    made positive.
    """
    scale = max_reward(ranks, stats, after.pos.shape[-1]) / _SCALE
    if pay.reward_sparse:
        return (1.0 * outcome.won - 1.0 * outcome.lost) / scale
    dealt, kills = _losses(ranks.foes, before, after)
    earned = dealt + _DEATH_VALUE * kills
    if pay.reward_only_positive:
        earned = jnp.abs(earned) if pay.reward_regeneration else jnp.maximum(earned, 0.0)
    else:
        suffered, deaths = _losses(ranks.own, before, after)
        earned = earned - _NEGATIVE_SCALE * (suffered + _DEATH_VALUE * deaths)
    return (earned + _WIN_VALUE * outcome.won) / scale
