"""The interface between collecting and learning."""

import abc

import equinox as eqx
from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from .spec import Spec
from .trajectory import Trajectory


class AbstractExperience(eqx.Module):
    """The store between collecting and learning: it receives rollouts `[n, T, ...]` and returns batches.

    An iteration collects `length` steps in each of n copies, adds them, and then runs some updates.

    `clock` counts iterations. It is the same for every seed, so the map over seeds leaves it alone: a write
    at an index that depends on it stays a write in place, and a branch on it stays a branch.
    """

    updates: eqx.AbstractVar[int]  # 0: it never learns

    @abc.abstractmethod
    def rollout_length(self, spec: Spec, n: int) -> int:
        """Return the number of steps that an iteration should collect in each of n copies."""

    @abc.abstractmethod
    def updates_per_iteration(self, n: int, length: int) -> int:
        """Return the number of updates after each iteration."""

    @abc.abstractmethod
    def warmup(self, spec: Spec, n: int, length: int) -> int:
        """Return the number of iterations before the first update."""

    @abc.abstractmethod
    def init(self, spec: Spec, rollouts: Trajectory) -> PyTree[Array]:
        """Return an empty buffer for rollouts of these shapes."""

    @abc.abstractmethod
    def add(self, buffer: PyTree[Array], rollouts: Trajectory, clock: Int[Array, ""]) -> PyTree[Array]:
        """Return the buffer with the newest rollouts in it."""

    @abc.abstractmethod
    def batch(
        self,
        spec: Spec,
        buffer: PyTree[Array],
        rollouts: Trajectory,
        clock: Int[Array, ""],
        key: PRNGKeyArray,
    ) -> Trajectory:
        """Return the trajectories `[B, T, ...]` of one update."""
