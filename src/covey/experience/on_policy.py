"""On-policy experience."""

from jaxtyping import Array, Int, PRNGKeyArray

from ..core import AbstractExperience, Spec, Trajectory
from ..ranges import Count, Updates


class OnPolicy(AbstractExperience):
    """On-policy experience: every update learns from all of the newest rollouts; nothing is stored.

    `steps` are collected in each copy per iteration; None stands for one episode.
    """

    steps: Count | None = None
    updates: Updates = 1

    def rollout_length(self, spec: Spec, n: int) -> int:
        return self.steps or episode_steps(spec)

    def updates_per_iteration(self, n: int, length: int) -> int:
        return self.updates

    def warmup(self, spec: Spec, n: int, length: int) -> int:
        return 0

    def init(self, spec: Spec, rollouts: Trajectory) -> None:
        return None

    def add(self, buffer: None, rollouts: Trajectory, clock: Int[Array, ""]) -> None:
        return None

    def batch(
        self, spec: Spec, buffer: None, rollouts: Trajectory, clock: Int[Array, ""], key: PRNGKeyArray
    ) -> Trajectory:
        return rollouts


def episode_steps(spec: Spec) -> int:
    """Return the steps of the longest episode, and one for the reset that follows it."""
    return spec.horizon + 1
