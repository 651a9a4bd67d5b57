"""The protocol: observations, steps and trajectories, and the interfaces that everything else implements."""

from .algorithm import AbstractAlgorithm, Traits
from .environment import AbstractEnvironment, Vectorised
from .experience import AbstractExperience
from .host import AbstractHostEnvironment, HostObservation, HostStep
from .layout import EntityLayout, EntityRows
from .measures import AgentGradients, HasAgentGradients, HasPolicy
from .roles import Frozen, OptState, Target, learner_parameters
from .scene import (
    Colour,
    HasActionNames,
    HasDecisions,
    HasTrainingCurves,
    Insightful,
    ObjectKind,
    PayoffTable,
    Scene,
    SceneGround,
    SceneUnits,
    Scenic,
    Shape,
    Tabular,
    UnitLook,
)
from .spec import Spec
from .trajectory import Action, Metrics, Observation, Step, Trajectory, as_numbers

__all__ = [
    "AbstractAlgorithm",
    "AbstractEnvironment",
    "AbstractExperience",
    "AbstractHostEnvironment",
    "Action",
    "AgentGradients",
    "Colour",
    "EntityLayout",
    "EntityRows",
    "Frozen",
    "HasActionNames",
    "HasAgentGradients",
    "HasDecisions",
    "HasPolicy",
    "HasTrainingCurves",
    "HostObservation",
    "HostStep",
    "Insightful",
    "Metrics",
    "ObjectKind",
    "Observation",
    "OptState",
    "PayoffTable",
    "Scene",
    "SceneGround",
    "SceneUnits",
    "Scenic",
    "Shape",
    "Spec",
    "Step",
    "Tabular",
    "Target",
    "Traits",
    "Trajectory",
    "UnitLook",
    "Vectorised",
    "as_numbers",
    "learner_parameters",
]
