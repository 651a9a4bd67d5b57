"""Scenes of battles, for films."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from ...core import Scene, SceneGround, SceneUnits, UnitLook
from .maps import Terrain
from .roster import Kinds, Roster
from .state import Forces
from .units import UnitType

_BLAST = 2.2


def draw_scene(roster: Roster, terrain: Terrain, kinds: Kinds, forces: Forces, teams: int) -> Scene:
    """Return the scene of a battle: with one team of agents enemies are objects, with two they are agents."""
    n = forces.pos.shape[-1]
    kinds = jnp.broadcast_to(jnp.asarray(kinds), (roster.units, n))
    looks = tuple(map(_look, roster.types))
    targets = _targets(roster, kinds, forces)
    units = lambda rows: SceneUnits(
        kinds[rows], forces.health[rows], forces.shield[rows], targets[rows], looks
    )
    agents = slice(0, roster.units if teams == 2 else roster.allies)
    objects = slice(agents.stop, roster.units)
    return Scene(
        forces.pos[agents],
        forces.pos[objects],
        agent_units=units(agents),
        object_units=units(objects) if teams == 1 else None,
        ground=_ground(terrain),
    )


def _look(unit: UnitType) -> UnitLook:
    return UnitLook(
        name=unit.name.replace("_", " "),
        shape=unit.name if unit.name in _SHAPES else "disc",
        radius=float(unit.radius),
        range=float(unit.range),
        health=float(unit.health),
        shield=float(unit.shield),
        heals=unit.heals > 0,
        blast=_BLAST if unit.explodes else 0.0,
    )


_SHAPES = (
    "marine",
    "marauder",
    "medivac",
    "stalker",
    "zealot",
    "colossus",
    "zergling",
    "baneling",
    "hydralisk",
    "spine_crawler",
)


def _targets(roster: Roster, kinds: Int[Array, "units n"], forces: Forces) -> Int[Array, "units n"]:
    """Return whom each unit fired at in the last step, numbered through both sides; -1: nobody."""
    ally = np.arange(roster.units)[:, None] < roster.allies
    heals = jnp.asarray(roster.table("healer"))[kinds]
    enemy_side = jnp.where(heals, ~ally, ally)  # the side that the target stands on
    number = forces.fired + jnp.where(enemy_side, roster.allies, 0)
    return jnp.where(forces.fired >= 0, number, -1)


def _ground(terrain: Terrain) -> SceneGround:
    """Return the terrain as a map is printed, the first row furthest up."""
    signs = np.where(terrain.walkable, np.where(terrain.height < terrain.height.max(), ".", "+"), "#")
    if (terrain.height == terrain.height.max()).all():
        signs = np.where(terrain.walkable, ".", "#")
    rows = tuple("".join(signs[:, y]) for y in reversed(range(signs.shape[1])))
    return SceneGround(rows=rows)
