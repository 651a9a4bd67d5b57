"""Opponents that an earlier run trained, `TEAM=run:DIR`: who plays, and whether the worlds fit."""

from collections.abc import Sequence
from typing import Any

from ..core import Spec
from ..errors import UserError
from ..training.learners import LearnerSlot
from .settings import dump

_SHAPE = {
    "agents": "{} agents",
    "features": "{} observation features",
    "actions": "{} actions",
    "world": "{} numbers of global state",
    "bounds": "action bounds {}",
}


def shape_difference(here: Spec, there: Spec) -> tuple[str, str] | None:
    """Return what keeps a policy from one world out of another, in words for each; None if nothing does."""
    for name, words in _SHAPE.items():
        ours = getattr(here, name)
        theirs = getattr(there, name)
        if ours != theirs:
            return words.format(ours), words.format(theirs)
    return None


def frozen_player(
    name: str, there: Spec, slots: Sequence[LearnerSlot], team: str, here: Spec
) -> dict[str, Any]:
    """Return the settings of the earlier run's player for `team`: the team's own slot, or one for all."""
    difference = shape_difference(here, there)
    if difference is not None:
        raise UserError(
            f"{team}={name} does not fit: this world has {difference[0]}, that run's {difference[1]}; "
            "name a run in a world of the same shape, or set env.key=value as it did"
        )
    agents = {here.names[i] for i in here.members(team)}
    able = [slot for slot in slots if agents <= {there.names[i] for i in slot.members}]
    if not able:
        has = "; ".join(f"{slot.name} ({', '.join(slot.spec(there).names)})" for slot in slots)
        wanted = ", ".join(here.names[i] for i in here.members(team))
        raise UserError(f"{team}={name}: no learner of that run plays {wanted}; it has {has}")
    slot = min(able, key=lambda slot: (slot.name != team, len(slot.members)))
    return {"slot": slot.name, "player": dump(slot.algorithm), "world": dump(slot.spec(there))}
