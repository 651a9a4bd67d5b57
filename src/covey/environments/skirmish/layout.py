"""The layouts of a side's observations and state, for scripts and for networks that know units."""

from ...core import EntityLayout, EntityRows
from .roster import Roster
from .units import UnitType
from .views import DIRECTIONS, FIRST_MOVE, FIRST_TARGET, STOP, Shown, SideView

_NEAR = 4  # the fields with which the row of another unit begins: mark, distance, dx, dy


def entity_layout(view: SideView, shown: Shown, roster: Roster) -> EntityLayout:
    """Return where a side's observations tell of foes, friends, and the unit itself."""
    foe_bars = (1 + view.foe_shield) * shown.obs_all_health
    friend_bars = (1 + view.own_shield) * shown.obs_all_health
    own_bars = (1 + view.own_shield) * shown.obs_own_health
    bits_before = own_bars + 2 * shown.obs_own_pos + 2 * shown.conic_fov
    foe_count, own_count = (rows.stop - rows.start for rows in (view.ranks.foes, view.ranks.own))
    start = len(DIRECTIONS) + 8 * shown.obs_pathing_grid + 9 * shown.obs_terrain_height
    ground = (0, start)
    enemies = _rows(start, foe_count, foe_bars, view.bits, view.first_target)
    start += enemies.rows * enemies.width
    allies = _rows(start, own_count - 1, friend_bars, view.bits + view.actions * shown.obs_last_action)
    start += allies.rows * allies.width
    health, shield = _bars(0, own_bars)
    own = EntityRows(start, rows=1, width=bits_before + view.bits, health=health, shield=shield)
    end = start + own.width
    own_types = _places(roster, view.own_codes, bits_before)
    foe_types = _places(roster, view.foe_codes, _NEAR + foe_bars)
    return EntityLayout(
        own=own,
        allies=allies,
        enemies=enemies,
        stand=STOP,
        moves=tuple((FIRST_MOVE + i, int(x), int(y)) for i, (x, y) in enumerate(DIRECTIONS)),
        healer=_healer(own_types),
        harmless=tuple(
            dict.fromkeys(
                (place, other)
                for unit, place in own_types
                for foe, other in foe_types
                if unit.damage > 0 and unit.damage_to(foe) == 0
            )
        ),
        around=(ground, (end, end + shown.obs_timestep_number)),
    )


def global_state_layout(view: SideView, shown: Shown, roster: Roster, start: int) -> EntityLayout:
    """Return where a side's part of the global state, which begins at `start`, tells of friends and foes."""
    foe_count, own_count = (rows.stop - rows.start for rows in (view.ranks.foes, view.ranks.own))
    own_bits = 4 + view.own_shield + 2 * shown.conic_fov  # health, charge, x, y
    foe_bits = 3 + view.foe_shield  # health, x, y
    allies = EntityRows(
        start, own_count, own_bits + view.bits, health=0, shield=4 if view.own_shield else None
    )
    start += allies.rows * allies.width
    enemies = EntityRows(
        start,
        foe_count,
        foe_bits + view.bits,
        health=0,
        shield=3 if view.foe_shield else None,
        action=view.first_target,
    )
    start += enemies.rows * enemies.width
    last_actions = EntityRows(start, own_count, view.actions) if shown.state_last_action else None
    start += own_count * view.actions * shown.state_last_action
    return EntityLayout(
        own=EntityRows(0, 0, 0),
        allies=allies,
        enemies=enemies,
        stand=STOP,
        healer=_healer(_places(roster, view.own_codes, own_bits)),
        last_actions=last_actions,
        around=((start, start + shown.state_timestep_number),),
    )


def agent_state_layout(view: SideView, shown: Shown, roster: Roster) -> EntityLayout:
    """Return where the state of one agent, as MAPPO's authors compute it, tells of friends, foes, itself.

    Its last actions stand in the rows, and its number among the surroundings.
    """
    foe_count, own_count = (rows.stop - rows.start for rows in (view.ranks.foes, view.ranks.own))
    hot = view.actions * shown.state_last_action
    foe_bars = (1 + view.foe_shield) * shown.obs_all_health
    friend_bars = (1 + view.own_shield) * shown.obs_all_health
    own_bars = (1 + view.own_shield) * shown.obs_own_health
    health, shield = _bars(_NEAR + 1, friend_bars)  # a charge comes before
    width = _NEAR + 1 + friend_bars + 2 + view.bits + hot
    allies = EntityRows(0, own_count - 1, width, 0, 1, 2, 3, health, shield)
    start = allies.rows * allies.width
    health, shield = _bars(_NEAR + 1, foe_bars)  # a mark of being near comes before
    width = _NEAR + 1 + foe_bars + view.bits + 2
    enemies = EntityRows(start, foe_count, width, 0, 1, 2, 3, health, shield, view.first_target)
    start += enemies.rows * enemies.width
    moves = FIRST_TARGET - FIRST_MOVE
    health, shield = _bars(_NEAR, own_bars)
    own = EntityRows(start + moves, 1, _NEAR + own_bars + 2 + view.bits + hot, health=health, shield=shield)
    end = own.start + own.width
    return EntityLayout(
        own=own,
        allies=allies,
        enemies=enemies,
        stand=STOP,
        healer=_healer(_places(roster, view.own_codes, _NEAR + own_bars + 2)),
        around=((start, start + moves), (end, end + own_count + shown.state_timestep_number)),
    )


def _healer(places: list[tuple[UnitType, int]]) -> int | None:
    """Return the field of the type that heals; None where there is none."""
    return next((place for unit, place in places if unit.heals > 0), None)


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
