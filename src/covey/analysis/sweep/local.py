"""The engine of a sweep on this machine: processes, each pinned to cores of its own."""

import json
import os
import queue
import subprocess
import sys
import threading
from contextlib import suppress

from ...errors import UserError
from ...runs import launch
from .jobs import RETRIES, Job, Outcome, Place

_SERVE = "from covey.analysis.sweep.worker import serve; serve()"
_PATIENCE = 120.0  # seconds in which a process that is told to stop saves what it has


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
        self.workers = [_LocalWorker(place, i, cores) for i, cores in enumerate(self.groups)]
        self.idle = list(self.workers)
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
        for worker in self.workers:
            worker.stop(busy=worker not in self.idle)
        for worker in self.workers:
            worker.end()


class _LocalWorker:
    """A process that trains one trial after another, and is begun again when it dies."""

    def __init__(self, place: Place, number: int, cores: list[int]):
        self.place = place
        self.cores = cores
        self.log = place.root / "logs" / f"worker_{number}.log"
        self.process: subprocess.Popen[str] | None = None
        self.stopped = False

    def run(self, job: Job) -> Outcome:
        """Train a trial; try again where the process dies."""
        for _ in range(RETRIES):
            answer = self._ask(self._started(), job)
            if answer:
                return Outcome(**json.loads(answer))
            if self.stopped:
                return Outcome(job.number, "interrupted")
            self.end()
        return Outcome(job.number, f"its process died {RETRIES} times: {self.log} has its last words")

    def _ask(self, process: "subprocess.Popen[str]", job: Job) -> str:
        """Return the answer to a job; nothing if the process dies."""
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(self.place.asked(job)) + "\n")
            process.stdin.flush()
            return process.stdout.readline()
        except OSError:
            return ""

    def _started(self) -> "subprocess.Popen[str]":
        """Return the process, begun where there is none. Ctrl-C is not for it: `stop` tells it once."""
        if self.process is None:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with open(self.log, "a") as log:
                self.process = subprocess.Popen(
                    [sys.executable, "-c", _SERVE],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    start_new_session=True,
                )
            assert self.process.stdin is not None
            self.process.stdin.write(json.dumps({"cores": self.cores}) + "\n")
        return self.process

    def stop(self, busy: bool) -> None:
        """Tell the process to save what it has and to end."""
        self.stopped = True
        if busy and self.process is not None:
            self.process.terminate()

    def end(self) -> None:
        """Wait for the end of the process, if there is one."""
        process = self.process
        self.process = None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(OSError):
            process.stdin.close()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
