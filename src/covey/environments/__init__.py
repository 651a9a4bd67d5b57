"""Worlds in JAX. `adapters` holds the adapters for other packages' worlds."""

from typing import TYPE_CHECKING, Any

from ..lazy import find_name

if TYPE_CHECKING:
    from .crowd_games import CrowdGame, Specialise, Synchronise
    from .games import Climbing, Matrix, Penalty, TwoStep
    from .particles.adversary import Adversary
    from .particles.dispersion import Dispersion
    from .particles.navigation import Navigation
    from .particles.pursuit import Pursuit
    from .particles.reference import Reference
    from .particles.speaker_listener import SpeakerListener
    from .particles.spread import Spread
    from .particles.tag import Tag
    from .predator_prey import PredatorPrey
    from .probes import Coordination, Death, Meeting, Recall, Truncation
    from .skirmish.skirmish import Skirmish

__all__ = [
    "Adversary",
    "Climbing",
    "Coordination",
    "CrowdGame",
    "Death",
    "Dispersion",
    "Matrix",
    "Meeting",
    "Navigation",
    "Penalty",
    "PredatorPrey",
    "Pursuit",
    "Recall",
    "Reference",
    "Skirmish",
    "SpeakerListener",
    "Specialise",
    "Spread",
    "Synchronise",
    "Tag",
    "Truncation",
    "TwoStep",
]

_MODULES = (
    ".crowd_games",
    ".games",
    ".particles.adversary",
    ".particles.dispersion",
    ".particles.navigation",
    ".particles.pursuit",
    ".particles.reference",
    ".particles.speaker_listener",
    ".particles.spread",
    ".particles.tag",
    ".predator_prey",
    ".probes",
    ".skirmish.skirmish",
)


def __getattr__(name: str) -> Any:
    """Import what is asked for: a run needs one of these modules."""
    return find_name(__name__, __all__, _MODULES, name)
