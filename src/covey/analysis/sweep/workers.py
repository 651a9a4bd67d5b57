"""The engines of a sweep: where its jobs run. The work is the same everywhere: `worker.train_trial`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...config.trust import is_trusting
from ...errors import UserError
from .clusters import RayTasks, SlurmJobs
from .jobs import Job, Outcome, Place, SweepEngine
from .local import LocalProcesses
from .share import Share
from .worker import train_trial


def make_sweep_engine(on: str, per: str | None, root: Path) -> SweepEngine:
    """Return the engine that `--on` names."""
    if on == "sequential":
        if per:
            raise UserError("--on sequential gives each trial the whole machine: leave --per out")
        return InTurn(lambda job: train_trial(root, *job))
    place = Place(root, Share.read(per), is_trusting())
    if on == "local":
        return LocalProcesses(place)
    if on == "ray" or on.startswith("ray://"):
        return RayTasks(place, on if on.startswith("ray://") else None)
    if on == "slurm":
        return SlurmJobs(place)
    raise UserError(f"--on {on} is none of local, sequential, ray, ray://HOST:PORT, slurm")


class InTurn:
    """One trial after another in this process, each on all of its devices."""

    slots = 1

    def __init__(self, train: Callable[[Job], dict[str, Any]]):
        self.train = train
        self.jobs: list[Job] = []

    def submit(self, job: Job) -> None:
        self.jobs.append(job)

    def wait(self, seconds: float) -> Outcome | None:
        return Outcome(**self.train(self.jobs.pop(0)))

    def close(self) -> None:
        pass
