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
    """The properties of an algorithm: for tables, and for refusing a world before training starts."""

    centralised: bool  # training uses more than an agent's own observation
    on_policy: bool
    discrete: bool
    continuous: bool
    recurrent: bool  # can remember within an episode
    cooperative: bool  # learns one team's reward; False: learns any number of teams at once


class AbstractAlgorithm(eqx.Module, Generic[_Learner]):
    """An algorithm: hyperparameters as fields, and pure functions of a learner.

    A learner is a pytree of everything that training changes: networks, targets, optimiser states. `step`
    counts environment steps; schedules read it.
    """

    traits: ClassVar[Traits]
    experience: eqx.AbstractVar[AbstractExperience]

    @abc.abstractmethod
    def init(self, spec: Spec, key: PRNGKeyArray) -> _Learner:
        """Return a new learner."""

    @abc.abstractmethod
    def init_carry(self, spec: Spec, learner: _Learner) -> PyTree[Array]:
        """Return the carry of one copy at the start of an episode, such as recurrent states.

        The training loop puts it back wherever an episode starts.
        """

    @abc.abstractmethod
    def act(
        self,
        learner: _Learner,
        carry: PyTree[Array],
        obs: Observation,
        key: PRNGKeyArray,
        step: Int[Array, ""],
        explore: bool,
    ) -> tuple[PyTree[Array], Action, PyTree[Array]]:
        """Act in one copy: return the next carry, the joint action, and the extras.

        The extras are stored with the step, in `Trajectory.extras`.
        """

    @abc.abstractmethod
    def update(
        self, learner: _Learner, batch: Trajectory, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[_Learner, Metrics]:
        """Learn from a batch of trajectories: return the new learner and metrics."""
