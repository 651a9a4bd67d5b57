"""Scenes of battles, for films."""

from typing import get_args

import jax.numpy as jnp
import numpy as np

from ...core import Scene, SceneGround, SceneUnits, Shape, UnitLook
from .maps import Terrain
from .roster import Kinds, Roster
from .state import Forces
from .targeting import first_target
from .units import UnitType
from .weapons import BLAST

_SHAPES: dict[str, Shape] = {shape: shape for shape in get_args(Shape)}


def draw_scene(roster: Roster, terrain: Terrain, kinds: Kinds, forces: Forces, teams: int) -> Scene:
    """Return the scene of a battle: with one team of agents enemies are objects, with two they are agents."""
    n = forces.pos.shape[-1]
    kinds = jnp.broadcast_to(jnp.asarray(kinds), (roster.units, n))
    looks = tuple(map(_look, roster.types))
    targets = jnp.where(forces.fired >= 0, forces.fired + first_target(roster, roster.stats(kinds)), -1)
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
        shape=_SHAPES.get(unit.name, "disc"),
        radius=float(unit.radius),
        range=float(unit.range),
        health=float(unit.health),
        shield=float(unit.shield),
        heals=unit.heals > 0,
        blast=BLAST if unit.explodes else 0.0,
    )


def _ground(terrain: Terrain) -> SceneGround:
    """Return the terrain as a map is printed, the first row furthest up."""
    signs = np.where(terrain.walkable, np.where(terrain.height > terrain.height.min(), "+", "."), "#")
    rows = tuple("".join(signs[:, y]) for y in reversed(range(signs.shape[1])))
    return SceneGround(rows=rows)
