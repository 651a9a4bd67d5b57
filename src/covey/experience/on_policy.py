"""On-policy experience."""

from jaxtyping import Array, Int, PRNGKeyArray

from ..core import AbstractExperience, Spec, Trajectory


class OnPolicy(AbstractExperience):
    """On-policy: the newest rollouts, all of them, once. `steps=None` collects an episode's worth."""

    steps: int | None = None
    updates: int = 1

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
    """The steps of the longest episode, and the one that begins the next."""
    return spec.horizon + 1
