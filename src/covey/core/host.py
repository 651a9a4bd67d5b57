"""The interface of a world that is a Python program."""

import abc
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped

from .spec import Spec


class HostObservation(NamedTuple):
    """What there is to see in one copy of a world; see `core.Observation`."""

    agents: Float[np.ndarray, "agents features"]
    state: Float[np.ndarray, " state"]
    legal: Bool[np.ndarray, "agents actions"]
    alive: Bool[np.ndarray, " agents"]


class HostStep(NamedTuple):
    """What one joint action led to. Without a `team_reward` of its own, each team gets its mean."""

    obs: HostObservation
    reward: Float[np.ndarray, " agents"]
    terminated: bool
    truncated: bool
    team_reward: Float[np.ndarray, " teams"] | None = None
    counts: Mapping[str, float] = MappingProxyType({})


class AbstractHostEnvironment(abc.ABC):
    """One copy of a world written in plain Python and NumPy. It never resets itself."""

    spec: Spec
    counts: tuple[str, ...] = ()  # the names it may count under

    @abc.abstractmethod
    def reset(self, seed: int) -> HostObservation: ...

    @abc.abstractmethod
    def step(self, action: Shaped[np.ndarray, "agents ..."]) -> HostStep: ...
