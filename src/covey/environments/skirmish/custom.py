"""Battles of one's own: any part of a map can be replaced."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ... import yaml_text
from ...errors import SettingError
from ...ranges import Members, outside
from .maps import SIZE, BattleMap, Group, Terrain, find_terrain, make_terrain

_SIDES = {"allies": (9.0, 16.0), "enemies": (23.0, 16.0)}  # where a side starts if the map does not say
_ORDERS = ("units", "stand")


def change_map(battle_map: BattleMap, allies: Any, enemies: Any, terrain: Any, order: Any) -> BattleMap:
    """Return the map with other teams, ground or order; None keeps what it has.

    A team is {unit: count}, which starts where the map's own does, or [[unit, count, x, y], …]. Where a side
    has several types, observations tell them in the order in which they first appear.
    """
    if terrain is not None:
        battle_map = replace(battle_map, terrain=_read_terrain(terrain))
    if order is not None:
        battle_map = replace(battle_map, order=_read_order(order))
    if allies is None and enemies is None:
        return battle_map
    teams = {
        side: getattr(battle_map, side) if team is None else _read_team(battle_map, side, team)
        for side, team in (("allies", allies), ("enemies", enemies))
    }
    for side, team in teams.items():
        if not team:
            drawn = battle_map.draw is not None
            problem = f"is not set, and {battle_map.name} draws it anew" if drawn else "names no unit"
            raise SettingError(side, problem, "write {marine: 3}" + " for both sides" * drawn)
    kinds = {side: tuple(dict.fromkeys(group.unit for group in team)) for side, team in teams.items()}
    several = max(map(len, kinds.values())) > 1
    types = tuple(dict.fromkeys(kinds["allies"] + kinds["enemies"])) if several else ()
    return replace(battle_map, kind="custom", **teams, ally_types=types, enemy_types=types, draw=None)


def _read_team(battle_map: BattleMap, side: str, team: Any) -> tuple[Group, ...]:
    own = getattr(battle_map, side)
    point = own[0].point if own else _SIDES[side]
    rows = [[unit, count, *point] for unit, count in team.items()] if isinstance(team, Mapping) else team
    return tuple(_read_group(side, row) for row in rows)


def _read_group(side: str, row: Any) -> Group:
    remedy = "write {marine: 3}, or [[marine, 3, 9, 16]]: unit, count, x, y"
    if not isinstance(row, list | tuple) or len(row) != 4 or not all(map(_is_number, row[1:])):
        raise SettingError(side, f"has a group that is none: {row}", remedy)
    unit, count, x, y = row
    if outside(Members, count) or count % 1:
        raise SettingError(side, f"asks for {count} of {unit}", "make it a whole number from 1 to 4,096")
    return Group(str(unit), int(count), _read_point(side, (x, y)))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _read_point(setting: str, point: Sequence[Any]) -> tuple[float, float]:
    if len(point) != 2 or not all(_is_number(x) and 0 <= x <= SIZE for x in point):
        raise SettingError(setting, f"has the place {list(point)}", f"make it [x, y] between 0 and {SIZE}")
    return float(point[0]), float(point[1])


def _read_order(order: Any) -> Any:
    if isinstance(order, str):
        if order not in _ORDERS:
            known = "[x, y], [[x, y], [x, y]], units or stand"
            raise SettingError("order", "is no order", f"set {known}", value=order)
        return order
    if len(order) == 2 and all(isinstance(point, list | tuple) for point in order):
        return tuple(_read_point("order", point) for point in order)
    return _read_point("order", order)


def _read_terrain(terrain: Any) -> Terrain:
    """Return a terrain by its name, from rows, or from a YAML file."""
    if not isinstance(terrain, str):
        return make_terrain({"rows": terrain})
    if not terrain.endswith((".yaml", ".yml")):
        return find_terrain(terrain)
    tree = yaml_text.read_named("terrain", terrain)
    return make_terrain(tree if isinstance(tree, Mapping) else {"rows": tree})
