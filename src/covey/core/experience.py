"""The interface between collecting and learning."""

import abc

import equinox as eqx
from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from .spec import Spec
from .trajectory import Trajectory


class AbstractExperience(eqx.Module):
    """Between collecting and learning: what becomes of rollouts `[n, T, ...]`.

    `clock` counts iterations. It is the same for every seed, so it is never mapped: a write
    at a place that it decides stays a write in place, a branch on it stays a branch.
    """

    updates: eqx.AbstractVar[int]  # 0: it never learns

    @abc.abstractmethod
    def rollout_length(self, spec: Spec, n: int) -> int:
        """How many steps of each of n copies it would like to be given an iteration."""

    @abc.abstractmethod
    def updates_per_iteration(self, n: int, length: int) -> int:
        """How many updates follow an iteration of n copies by `length` steps."""

    @abc.abstractmethod
    def warmup(self, spec: Spec, n: int, length: int) -> int:
        """How many iterations of n copies by `length` steps go by before the first update."""

    @abc.abstractmethod
    def init(self, spec: Spec, rollouts: Trajectory) -> PyTree[Array]:
        """An empty store for rollouts like these."""

    @abc.abstractmethod
    def add(self, buffer: PyTree[Array], rollouts: Trajectory, clock: Int[Array, ""]) -> PyTree[Array]: ...

    @abc.abstractmethod
    def batch(
        self,
        spec: Spec,
        buffer: PyTree[Array],
        rollouts: Trajectory,
        clock: Int[Array, ""],
        key: PRNGKeyArray,
    ) -> Trajectory:
        """What one update learns from: trajectories `[B, T, ...]`."""
