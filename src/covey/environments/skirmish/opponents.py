"""Opponents: who commands the enemies. A script turns the battle, as the enemies see it, into their orders.

A function of your own will do: `env.enemy=mine.py:f`, with `f(battle: Battle) -> SideOrders`.
"""

import abc
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from .battle import Field
from .maps import Terrain
from .orders import SideOrders
from .roster import UnitStats
from .state import Forces
from .targeting import Ranks

_SOON = 4.0  # loops: a weapon that is ready by then is worth waiting for
_SAFE_LEAD = 0.5  # how much further than its foe a unit must shoot for retreats to pay


class Side(NamedTuple):
    """The units of one side. `stats` has the numbers of their types, such as `stats.range`."""

    pos: Float[Array, "units 2 n"]
    health: Float[Array, "units n"]
    shield: Float[Array, "units n"]
    cooldown: Float[Array, "units n"]  # loops until the next attack may begin; a step has 8
    stats: UnitStats

    @property
    def alive(self) -> Bool[Array, "units n"]:
        return self.health > 0


class Battle(NamedTuple):
    """A battle as the side sees it that gives orders. Nothing is hidden from it."""

    own: Side
    foes: Side
    target: Int[Array, "own n"]  # whom each unit goes for: a foe, for healers a friend; -1: nobody
    terrain: Terrain
    key: PRNGKeyArray  # a new one in each step

    def gaps(self) -> Float[Array, "own foes n"]:
        """Return distances between edges; infinite to the dead, and to those that a weapon cannot hit."""
        fits = self.foes.alive[None] & (~self.foes.stats.flies[None] | self.own.stats.hits_air[:, None])
        return jnp.where(fits, edge_gaps(self.own, self.foes), jnp.inf)


def see_battle(field: Field, stats: UnitStats, forces: Forces, side: Ranks, key: PRNGKeyArray) -> Battle:
    """Return the battle as one side sees it."""

    def units(rows):
        own_stats = jax.tree.map(lambda x: x[rows], stats)
        return Side(
            forces.pos[rows], forces.health[rows], forces.shield[rows], forces.cooldown[rows], own_stats
        )

    return Battle(units(side.own), units(side.foes), forces.target[side.own], field.terrain, key)


def edge_gaps(own: Side, others: Side) -> Float[Array, "own others n"]:
    """Return the distances between the edges of units."""
    offset = others.pos[None] - own.pos[:, None]
    distance = jnp.sqrt(offset[:, :, 0] ** 2 + offset[:, :, 1] ** 2)
    return distance - own.stats.radius[:, None] - others.stats.radius[None]


def lowest(score: Float[Array, "own others n"]) -> Int[Array, "own n"]:
    """Return the number of the least; -1 where all are infinite."""
    return jnp.where(jnp.isfinite(jnp.min(score, axis=1)), jnp.argmin(score, axis=1), -1)


class AbstractEnemy(eqx.Module):
    """Commands the enemies."""

    @abc.abstractmethod
    def __call__(self, battle: Battle) -> SideOrders | None:
        """Return the enemies' orders for one step; None: they are not given by a script."""


class AttackMoveEnemy(AbstractEnemy):
    """SMAC's: units walk to a point, and react by themselves to whom they meet."""

    def __call__(self, battle: Battle) -> SideOrders | None:
        return None


class PolicyEnemy(AbstractEnemy):
    """The enemies are a team of agents."""

    def __call__(self, battle: Battle) -> SideOrders | None:
        return None


class NearestEnemy(AbstractEnemy):
    """SMACv2's: each unit goes for the foe that is nearest to it, until that one is dead."""

    def __call__(self, battle: Battle) -> SideOrders:
        return SideOrders(_heal(battle, stay_or_choose(battle, battle.gaps())))


class WeakestEnemy(AbstractEnemy):
    """Each unit goes for the weakest foe that it can reach with its weapon, otherwise for the nearest."""

    def __call__(self, battle: Battle) -> SideOrders:
        gaps = battle.gaps()
        reachable = gaps <= (battle.own.stats.range + battle.own.stats.slop)[:, None]
        points = battle.foes.health + battle.foes.shield
        weakest = lowest(jnp.where(reachable, points[None], jnp.inf))
        return SideOrders(_heal(battle, jnp.where(weakest >= 0, weakest, lowest(gaps))))


class KitingEnemy(AbstractEnemy):
    """As `nearest`; who outranges its nearest foe steps back while its weapon is not ready."""

    def __call__(self, battle: Battle) -> SideOrders:
        own = battle.own
        gaps = battle.gaps()
        nearest = lowest(gaps)
        chosen = nearest[:, None] == jnp.arange(gaps.shape[1])[:, None]
        pick = lambda x: jnp.sum(jnp.where(chosen, x, 0.0), axis=1)
        way = [own.pos[:, i] - pick(battle.foes.pos[None, :, i]) for i in range(2)]
        distance = jnp.maximum(jnp.sqrt(way[0] ** 2 + way[1] ** 2), 1e-6)
        outranges = own.stats.range >= pick(battle.foes.stats.range[None]) + _SAFE_LEAD
        retreats = outranges & (jnp.min(gaps, axis=1) < own.stats.range) & (own.cooldown > _SOON)
        direction = jnp.stack([jnp.where(retreats, x / distance, 0.0) for x in way], axis=1)
        target = jnp.where(retreats, -1, stay_or_choose(battle, gaps))
        return SideOrders(_heal(battle, target), direction)


def stay_or_choose(battle: Battle, distance: Float[Array, "own foes n"]) -> Int[Array, "own n"]:
    """Return each unit's target while its distance is finite, otherwise the foe at the least distance."""
    mine = battle.target[:, None] == jnp.arange(distance.shape[1])[:, None]
    keeps = jnp.any(mine & jnp.isfinite(distance), axis=1)
    return jnp.where(keeps, battle.target, lowest(distance))


def _heal(battle: Battle, target: Int[Array, "own n"]) -> Int[Array, "own n"]:
    """Return the targets, but for healers the friend within scan with the least share of its health."""
    own = battle.own
    share = jnp.broadcast_to(own.health / own.stats.health, own.health.shape)
    hurt = (share > 0) & (share < 1) & own.stats.biological
    near = edge_gaps(own, own) <= own.stats.scan[:, None]
    patient = lowest(jnp.where(hurt[None] & near, share[None], jnp.inf))
    return jnp.where(own.stats.healer, patient, target)
