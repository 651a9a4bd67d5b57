"""The layout of a side's observations, for scripts and for networks that know units."""

from ...core import EntityLayout, EntityRows
from .roster import Roster
from .units import UnitType
from .views import DIRECTIONS, FIRST_MOVE, STOP, Shown, SideView

_NEAR = 4  # the fields with which the row of another unit begins: mark, distance, dx, dy


def entity_layout(view: SideView, shown: Shown, roster: Roster) -> EntityLayout:
    """Return where a side's observations tell of foes, friends, and the unit itself."""
    foe_bars = (1 + view.foe_shield) * shown.obs_all_health
    friend_bars = (1 + view.own_shield) * shown.obs_all_health
    own_bars = (1 + view.own_shield) * shown.obs_own_health
    bits_before = own_bars + 2 * shown.obs_own_pos + 2 * shown.conic_fov
    foe_count, own_count = (rows.stop - rows.start for rows in (view.ranks.foes, view.ranks.own))
    start = len(DIRECTIONS) + 8 * shown.obs_pathing_grid + 9 * shown.obs_terrain_height
    enemies = _rows(start, foe_count, foe_bars, view.bits, view.first_target)
    start += enemies.rows * enemies.width
    allies = _rows(start, own_count - 1, friend_bars, view.bits + view.actions * shown.obs_last_action)
    start += allies.rows * allies.width
    health, shield = _bars(0, own_bars)
    own = EntityRows(start, rows=1, width=bits_before + view.bits, health=health, shield=shield)
    own_types = _places(roster, view.own_codes, bits_before)
    foe_types = _places(roster, view.foe_codes, _NEAR + foe_bars)
    return EntityLayout(
        own=own,
        allies=allies,
        enemies=enemies,
        stand=STOP,
        moves=tuple((FIRST_MOVE + i, int(x), int(y)) for i, (x, y) in enumerate(DIRECTIONS)),
        healer=next((place for unit, place in own_types if unit.heals > 0), None),
        harmless=tuple(
            dict.fromkeys(
                (place, other)
                for unit, place in own_types
                for foe, other in foe_types
                if unit.damage > 0 and unit.damage_to(foe) == 0
            )
        ),
    )


def _rows(start: int, rows: int, bars: int, more: int, action: int | None = None) -> EntityRows:
    """Return a block of other units."""
    health, shield = _bars(_NEAR, bars)
    return EntityRows(start, rows, _NEAR + bars + more, 0, 1, 2, 3, health, shield, action)


def _bars(start: int, bars: int) -> tuple[int | None, int | None]:
    """Return the places of health and shield, where a row tells them."""
    return start if bars > 0 else None, start + 1 if bars > 1 else None


def _places(roster: Roster, codes: tuple[int, ...], start: int) -> list[tuple[UnitType, int]]:
    """Return the field of each type that rows tell."""
    return [(unit, start + code) for unit, code in zip(roster.types, codes, strict=False) if code >= 0]
