"""The engines of a sweep: where its jobs run. The work is the same everywhere: `worker.run_job`.

An engine takes as many jobs as it has `slots`, and tries a job again whose process was killed: the run's
folder holds the checkpoint from which it goes on.
"""

import json
import os
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from ...errors import UserError
from ...runs import launch
from .worker import run_job

RETRIES = 3  # of a job whose process dies
_SERVE = "from covey.analysis.sweep.worker import serve; serve()"
_PER = re.compile(r"(\d*\.?\d+) ?(cpu|gpu)s?")


class Job(NamedTuple):
    """A trial, to be trained up to a number of steps."""

    number: int
    steps: int


class Outcome(NamedTuple):
    """The end of a job; `error` is a sentence."""

    number: int
    error: str | None


class Per(NamedTuple):
    """The share of a machine that a job gets."""

    amount: float
    kind: str

    @classmethod
    def read(cls, text: str | None) -> "Per":
        """Read `2 cpu` or `0.25 gpu`; by default a job has a core."""
        match = _PER.fullmatch(text.strip()) if text else None
        if text and (match is None or float(match[1]) <= 0):
            raise UserError(f"--per {text} is no share of a machine: write --per '2 cpu' or --per '0.25 gpu'")
        found = cls(float(match[1]), match[2]) if match else cls(1.0, "cpu")
        if found.kind == "cpu" and not found.amount.is_integer():
            raise UserError(f"--per {text}: a job has whole cores, as in --per '1 cpu'")
        return found


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


def make_sweep_engine(on: str, per: Per, root: Path) -> SweepEngine:
    """Return the engine that `--on` names."""
    if on == "local":
        return LocalProcesses(root, per)
    if on == "ray" or on.startswith("ray://"):
        return RayTasks(root, per, on if on.startswith("ray://") else None)
    if on == "slurm":
        return SlurmJobs(root, per)
    raise UserError(f"--on {on} is none of local, ray, ray://HOST:PORT, slurm")


class LocalProcesses:
    """Processes on this machine, each pinned to cores of its own."""

    def __init__(self, root: Path, per: Per):
        if per.kind != "cpu":
            raise UserError("--per counts cores on this machine: write --per '1 cpu', or take --on ray")
        self.root = root
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        width = int(per.amount)
        if width > max(len(cores), launch.cores()):
            raise UserError(f"--per '{width} cpu' is more than the {launch.cores()} cores there are")
        groups = [cores[i : i + width] for i in range(0, len(cores) - width + 1, width)]
        self.groups = groups or [[]] * max(1, launch.cores() // width)
        self.slots = len(self.groups)
        self.idle = [_LocalWorker(root, i, cores) for i, cores in enumerate(self.groups)]
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

    def __init__(self, root: Path, number: int, cores: list[int]):
        self.root = root
        self.cores = cores
        self.log = root / "logs" / f"worker_{number}.log"
        self.process: subprocess.Popen[str] | None = None

    def run(self, job: Job) -> Outcome:
        """Train a trial; try again where the process dies."""
        for _ in range(RETRIES):
            process = self._started()
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                process.stdin.write(json.dumps({"root": str(self.root), **job._asdict()}) + "\n")
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

    def __init__(self, root: Path, per: Per, address: str | None):
        try:
            import ray  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise UserError("--on ray needs Ray: pip install 'covey[ray]'") from error
        self.ray: Any = ray
        if not ray.is_initialized():
            ray.init(
                address=address or os.environ.get("RAY_ADDRESS"), log_to_driver=False, logging_level="ERROR"
            )
        self.root = root.resolve()
        self.slots = max(1, int(ray.cluster_resources().get(per.kind.upper(), 1) / per.amount))
        self.task = ray.remote(run_job).options(**_resources(per), max_retries=RETRIES)
        self.running: dict[Any, Job] = {}

    def submit(self, job: Job) -> None:
        self.running[self.task.remote(str(self.root), *job)] = job

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


def _resources(per: Per) -> dict[str, Any]:
    """Return a task's share, and the variables by which JAX keeps to it: its devices are part of the bits."""
    if per.kind == "gpu":
        memory = {"XLA_PYTHON_CLIENT_MEM_FRACTION": f"{0.9 * min(per.amount, 1.0):.2f}"}
        return {"num_gpus": per.amount, "num_cpus": 1, "runtime_env": {"env_vars": memory}}
    flags = f"--xla_force_host_platform_device_count={int(per.amount)}"
    variables = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags, "OMP_NUM_THREADS": str(int(per.amount))}
    return {"num_cpus": per.amount, "runtime_env": {"env_vars": variables}}


class SlurmJobs:
    """Jobs of a SLURM cluster, by submitit; without SLURM here, processes of this machine."""

    def __init__(self, root: Path, per: Per, minutes: int = 60 * 24, most: int = 64):
        try:
            import submitit  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise UserError("--on slurm needs submitit: pip install 'covey[slurm]'") from error
        self.executor: Any = submitit.AutoExecutor(folder=root / "slurm")
        share = (
            {"cpus_per_task": int(per.amount)} if per.kind == "cpu" else {"gpus_per_node": int(per.amount)}
        )
        self.executor.update_parameters(timeout_min=minutes, **share)
        self.root = root.resolve()
        self.slots = most if self.executor.cluster == "slurm" else max(1, launch.cores() // int(per.amount))
        self.running: list[tuple[Any, Job, int]] = []

    def submit(self, job: Job, tried: int = 1) -> None:
        self.running.append((self.executor.submit(run_job, str(self.root), *job), job, tried))

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
