"""The interface of a world that is a Python program."""

import abc
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt8

from .spec import Spec


class HostObservation(NamedTuple):
    """The observations of one copy of a world; see `covey.core.Observation`."""

    agents: Float[np.ndarray, "agents features"] | UInt8[np.ndarray, "agents features"]
    state: Float[np.ndarray, " state"]
    legal: Bool[np.ndarray, "agents actions"]
    alive: Bool[np.ndarray, " agents"]


class HostStep(NamedTuple):
    """The outcome of one joint action. Without a `team_reward`, each team gets its agents' mean reward."""

    obs: HostObservation
    reward: Float[np.ndarray, " agents"]
    terminated: bool
    truncated: bool
    team_reward: Float[np.ndarray, " teams"] | None = None
    counts: Mapping[str, float] = MappingProxyType({})


class AbstractHostEnvironment(abc.ABC):
    """One copy of a world in plain Python and NumPy. It never resets itself: the training loop does."""

    spec: Spec
    counts: tuple[str, ...] = ()  # the names that `HostStep.counts` may use
    versions: Mapping[str, str] = MappingProxyType({})  # of programs that the world runs, for run.json

    @abc.abstractmethod
    def reset(self, seed: int) -> HostObservation:
        """Start an episode."""

    @abc.abstractmethod
    def step(self, action: Shaped[np.ndarray, "agents ..."]) -> HostStep:
        """Take one joint action."""
