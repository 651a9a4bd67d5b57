"""What everything else is made of: observations, steps, trajectories, and three interfaces."""

from .algorithm import AbstractAlgorithm, Traits
from .environment import AbstractEnvironment, Vectorised
from .experience import AbstractExperience
from .host import AbstractHostEnvironment, HostObservation, HostStep
from .roles import Frozen, OptState, Target, parameters
from .spec import Spec
from .trajectory import Action, Metrics, Observation, Step, Trajectory

__all__ = [
    "AbstractAlgorithm",
    "AbstractEnvironment",
    "AbstractExperience",
    "AbstractHostEnvironment",
    "Action",
    "Frozen",
    "HostObservation",
    "HostStep",
    "Metrics",
    "Observation",
    "OptState",
    "Spec",
    "Step",
    "Target",
    "Traits",
    "Trajectory",
    "Vectorised",
    "parameters",
]
