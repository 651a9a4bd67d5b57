"""Jobs of a sweep: what an engine is given, and how it answers.

An engine takes as many jobs as it has `slots`, and tries a job again whose process was killed: the run's
folder holds the checkpoint from which it goes on.
"""

from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from .share import Share

RETRIES = 3  # of a job whose process dies


class Job(NamedTuple):
    """A trial, to be trained up to a number of steps."""

    number: int
    steps: int


class Place(NamedTuple):
    """The folder of a sweep, the share of a machine for each job, and whether all code there is trusted."""

    root: Path
    share: Share
    trust: bool = False

    def asked(self, job: Job) -> dict[str, Any]:
        """Return the arguments of `run_job`, as plain data."""
        own = {"root": str(self.root.resolve()), "share": str(self.share), "trust": self.trust}
        return job._asdict() | own


class Outcome(NamedTuple):
    """The end of a job; `error` is a sentence."""

    number: int
    error: str | None


@runtime_checkable
class SweepEngine(Protocol):
    """A place where jobs run."""

    slots: int

    def submit(self, job: Job) -> None: ...

    def wait(self, seconds: float) -> Outcome | None:
        """Return the end of a job, if one ends within these seconds."""
        ...

    def close(self) -> None:
        """End whatever runs; what was trained is in its checkpoints."""
        ...
