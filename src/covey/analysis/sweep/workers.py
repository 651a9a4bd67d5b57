"""The engines of a sweep: where its jobs run. The work is the same everywhere: `worker.train_trial`.

An engine takes as many jobs as it has `slots`, and tries a job again whose process was killed: the run's
folder holds the checkpoint from which it goes on.
"""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from ...config.trust import is_trusting
from ...errors import UserError
from ...runs import launch
from .share import Share
from .worker import run_job, train_trial

RETRIES = 3  # of a job whose process dies
_SERVE = "from covey.analysis.sweep.worker import serve; serve()"


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


class LocalProcesses:
    """Processes on this machine, each pinned to cores of its own."""

    def __init__(self, place: Place):
        share = place.share
        if share.kind != "cpu":
            raise UserError("--on local counts cores: write --per '1 cpu', or take --on sequential or ray")
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        width = int(share.amount)
        if width > max(len(cores), launch.cores()):
            raise UserError(f"--per '{width} cpu' is more than the {launch.cores()} cores there are")
        groups = [cores[i : i + width] for i in range(0, len(cores) - width + 1, width)]
        self.groups = groups or [[]] * max(1, launch.cores() // width)
        self.slots = len(self.groups)
        self.idle = [_LocalWorker(place, i, cores) for i, cores in enumerate(self.groups)]
        self.outcomes: queue.Queue[tuple[_LocalWorker, Outcome]] = queue.Queue()

    def submit(self, job: Job) -> None:
        worker = self.idle.pop()
        serve = lambda: self.outcomes.put((worker, worker.run(job)))
        threading.Thread(target=serve, daemon=True).start()

    def wait(self, seconds: float) -> Outcome | None:
        try:
            worker, outcome = self.outcomes.get(timeout=seconds)
        except queue.Empty:
            return None
        self.idle.append(worker)
        return outcome

    def close(self) -> None:
        for worker in self.idle:
            worker.close()


class _LocalWorker:
    """A process that trains one trial after another, and is begun again when it dies."""

    def __init__(self, place: Place, number: int, cores: list[int]):
        self.place = place
        self.cores = cores
        self.log = place.root / "logs" / f"worker_{number}.log"
        self.process: subprocess.Popen[str] | None = None

    def run(self, job: Job) -> Outcome:
        """Train a trial; try again where the process dies."""
        for _ in range(RETRIES):
            process = self._started()
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                process.stdin.write(json.dumps(self.place.asked(job)) + "\n")
                process.stdin.flush()
                answer = process.stdout.readline()
            except OSError:
                answer = ""
            if answer:
                return Outcome(**json.loads(answer))
            self.close()
        return Outcome(job.number, f"its process died {RETRIES} times: {self.log} has its last words")

    def _started(self) -> "subprocess.Popen[str]":
        if self.process is None:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with open(self.log, "a") as log:
                self.process = subprocess.Popen(
                    [sys.executable, "-c", _SERVE],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                )
            assert self.process.stdin is not None
            self.process.stdin.write(json.dumps({"cores": self.cores}) + "\n")
        return self.process

    def close(self) -> None:
        """End the process, if there is one."""
        if self.process is not None:
            self.process.communicate()
            self.process = None


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
    import time

    until = time.monotonic() + seconds
    while (found := look()) is None and time.monotonic() < until:
        time.sleep(0.2)
    return found
