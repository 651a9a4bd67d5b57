"""Sides that an earlier run plays, `TEAM=run:DIR`: who that is, and whether it fits."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core import Spec
from ..errors import UserError
from ..runs.folder import RunFolder
from ..training.learners import LearnerSlot
from .settings import dump

RUN = "run:"
SHAPE = {
    "agents": "{} agents",
    "features": "{} observation features",
    "actions": "{} actions",
    "world": "{} numbers of global state",
    "bounds": "action bounds {}",
}


def unlike(here: Spec, there: Spec) -> tuple[str, str] | None:
    """What keeps a policy from one world out of another, in words for each; None if nothing does."""
    for what, words in SHAPE.items():
        a, b = getattr(here, what), getattr(there, what)
        if a != b:
            return words.format(a), words.format(b)
    return None


def folder(name: str) -> RunFolder:
    """The earlier run that `run:DIR` names."""
    found = RunFolder.existing(Path(name.removeprefix(RUN)))
    if not found.last.exists():
        raise UserError(f"{name} has no checkpoint yet: let it train until its first, or name another run")
    return found


def player(name: str, there: Spec, slots: Sequence[LearnerSlot], team: str, here: Spec) -> dict[str, Any]:
    """The settings of whoever played for `team` in the earlier run: a side of its own, or one for all."""
    if apart := unlike(here, there):
        raise UserError(
            f"{team}={name} does not fit: this world has {apart[0]}, that run's {apart[1]}; "
            "name a run in a world of the same shape, or set env.key=value as it did"
        )
    own = [here.names[i] for i in here.members(team)]
    controls = lambda slot: set(own) <= {there.names[i] for i in slot.members}
    able = sorted(filter(controls, slots), key=lambda slot: (slot.name != team, len(slot.members)))
    if not able:
        has = "; ".join(f"{slot.name} ({', '.join(slot.spec(there).names)})" for slot in slots)
        raise UserError(f"{team}={name}: no side of that run plays {', '.join(own)}; it has {has}")
    slot = able[0]
    return {"slot": slot.name, "player": dump(slot.algorithm), "world": dump(slot.spec(there))}
