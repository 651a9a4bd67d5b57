"""Engines of a sweep on other machines: Ray and SLURM."""

import os
import time
from collections.abc import Callable
from typing import Any

from ...errors import UserError
from ...runs import launch
from .jobs import RETRIES, Job, Outcome, Place
from .worker import run_job


class RayTasks:
    """Tasks of a Ray cluster whose machines all see the sweep's folder by the same path.

    Each job is a task of its own, which Ray puts where there is room and begins again where a machine dies.
    """

    def __init__(self, place: Place, address: str | None):
        try:
            import ray  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise UserError("--on ray needs Ray: pip install 'covey[ray]'") from error
        self.ray: Any = ray
        if not ray.is_initialized():
            ray.init(
                address=address or os.environ.get("RAY_ADDRESS"), log_to_driver=False, logging_level="ERROR"
            )
        self.place = place
        share = place.share
        self.slots = max(1, int(ray.cluster_resources().get(share.kind.upper(), 1) / share.amount))
        needs = (
            {"num_cpus": share.amount} if share.kind == "cpu" else {"num_gpus": share.amount, "num_cpus": 1}
        )
        self.task = ray.remote(run_job).options(**needs, max_retries=RETRIES)
        self.running: dict[Any, Job] = {}

    def submit(self, job: Job) -> None:
        self.running[self.task.remote(**self.place.asked(job))] = job

    def wait(self, seconds: float) -> Outcome | None:
        ended, _ = self.ray.wait(list(self.running), num_returns=1, timeout=seconds)
        if not ended:
            return None
        job = self.running.pop(ended[0])
        try:
            return Outcome(**self.ray.get(ended[0]))
        except self.ray.exceptions.RayError as error:
            return Outcome(job.number, f"Ray gave it up: {str(error).splitlines()[0]}")

    def close(self) -> None:
        for task in self.running:
            self.ray.cancel(task)


class SlurmJobs:
    """Jobs of a SLURM cluster, by submitit; without SLURM here, processes of this machine."""

    def __init__(self, place: Place, minutes: int = 60 * 24, most: int = 64):
        try:
            import submitit  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise UserError("--on slurm needs submitit: pip install 'covey[slurm]'") from error
        self.executor: Any = submitit.AutoExecutor(folder=place.root / "slurm")
        self.place = place
        share = place.share
        needs = {"cpu": "cpus_per_task", "gpu": "gpus_per_node"}[share.kind]
        amount = max(1, int(share.amount))
        self.executor.update_parameters(timeout_min=minutes, **{needs: amount})
        self.slots = most if self.executor.cluster == "slurm" else max(1, launch.cores() // amount)
        self.running: list[tuple[Any, Job, int]] = []

    def submit(self, job: Job, tried: int = 1) -> None:
        handle = self.executor.submit(run_job, **self.place.asked(job))
        self.running.append((handle, job, tried))

    def wait(self, seconds: float) -> Outcome | None:
        ended = _poll(lambda: next((entry for entry in self.running if entry[0].done()), None), seconds)
        if ended is None:
            return None
        self.running.remove(ended)
        handle, job, tried = ended
        error = handle.exception()
        if error is None:
            return Outcome(**handle.result())
        if tried < RETRIES:
            self.submit(job, tried + 1)
            return None
        return Outcome(job.number, f"its job died {tried} times: {handle.paths.stderr} has its last words")

    def close(self) -> None:
        for handle, _, _ in self.running:
            handle.cancel()


def _poll(look: Callable[[], Any], seconds: float) -> Any:
    """Return what `look` finds within these seconds, or None."""
    until = time.monotonic() + seconds
    while (found := look()) is None and time.monotonic() < until:
        time.sleep(0.2)
    return found
