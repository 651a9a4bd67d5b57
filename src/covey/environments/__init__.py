"""Worlds in JAX. `adapters.pettingzoo` holds the adapter for PettingZoo worlds."""

from .games import Climbing, Matrix, Penalty, TwoStep
from .particles.adversary import Adversary
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
    "Death",
    "Matrix",
    "Meeting",
    "Penalty",
    "PredatorPrey",
    "Pursuit",
    "Recall",
    "Reference",
    "Skirmish",
    "SpeakerListener",
    "Spread",
    "Tag",
    "Truncation",
    "TwoStep",
]
