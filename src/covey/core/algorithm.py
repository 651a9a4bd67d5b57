"""The interface of an algorithm, and the traits by which it is chosen."""

import abc
from typing import ClassVar, Generic, NamedTuple, TypeVar

import equinox as eqx
from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from .experience import AbstractExperience
from .spec import Spec
from .trajectory import Action, Metrics, Observation, Trajectory

_Learner = TypeVar("_Learner")


class Traits(NamedTuple):
    """What an algorithm is, for tables, and for refusing what it cannot do before it starts."""

    centralised: bool  # training uses more than an agent's own observation
    on_policy: bool
    discrete: bool
    continuous: bool
    recurrent: bool  # can remember within an episode
    cooperative: bool  # learns one team's reward; False: learns any number of teams at once


class AbstractAlgorithm(eqx.Module, Generic[_Learner]):
    """Pure functions of a learner. `act` sees one environment; `update` a batch of trajectories.

    `memory` is one environment's; the loop lays it anew wherever an episode begins. `step`
    counts environment steps, for schedules. What `act` returns last comes back in `Trajectory.memo`.
    """

    traits: ClassVar[Traits]
    experience: eqx.AbstractVar[AbstractExperience]

    @abc.abstractmethod
    def init(self, spec: Spec, key: PRNGKeyArray) -> _Learner: ...

    @abc.abstractmethod
    def init_carry(self, spec: Spec, learner: _Learner) -> PyTree[Array]:
        """What an episode begins with."""

    @abc.abstractmethod
    def act(
        self,
        learner: _Learner,
        carry: PyTree[Array],
        obs: Observation,
        key: PRNGKeyArray,
        step: Int[Array, ""],
        explore: bool,
    ) -> tuple[PyTree[Array], Action, PyTree[Array]]: ...

    @abc.abstractmethod
    def update(
        self, learner: _Learner, batch: Trajectory, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[_Learner, Metrics]: ...
