"""The numbers of a battle that a page shows of the unit under the pointer."""

from typing import Any

import numpy as np

from ..playback import Episode, Playback
from .battlefield import Battlefield
from .reel import PAGE_MARGIN, make_field
from .theme import Real


def battle_numbers(playback: Playback, episode: Episode) -> dict[str, Any] | None:
    """Return an episode's units by moment, with places in the page's pixels; None where there is no battle.

    A type is [name, radius and reach in pixels, range, health, shield, whether it heals], a unit is
    [x, y, type, health, shield].
    """
    field = make_field(playback, episode)
    if not isinstance(field, Battlefield):
        return None
    army = field.army
    scale = field.view.scale
    return {
        "names": army.names,
        "types": [
            [
                look.name,
                field.radius(look),
                round((look.radius + look.range) * scale, 1),
                *map(_short, (look.range, look.health, look.shield)),
                look.heals,
            ]
            for look in army.looks
        ],
        "moments": [
            [
                [*map(round, place.tolist()), int(look), _short(health), _short(shield)]
                for place, look, health, shield in zip(*units, strict=True)
            ]
            for units in zip(field.places + PAGE_MARGIN, army.look, army.health, army.shield, strict=True)
        ],
    }


def _short(number: Real | np.floating) -> Real:
    """Round to a tenth; a whole number is written without a point."""
    tenth = round(float(number), 1)
    return int(tenth) if tenth == int(tenth) else tenth
