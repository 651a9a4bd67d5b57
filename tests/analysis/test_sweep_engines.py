"""The engines of a sweep: shares of a machine, local processes, and clusters that are not there."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest

from covey.analysis.sweep import local, worker
from covey.analysis.sweep.clusters import RayTasks, SlurmJobs
from covey.analysis.sweep.jobs import Job, Outcome, Place
from covey.analysis.sweep.share import Share
from covey.analysis.sweep.workers import InTurn, make_sweep_engine
from covey.errors import UserError
from covey.runs import launch
from covey.runs.folder import RunFolder


@pytest.mark.parametrize("text", ["two cpu", "0 cpu", "1.5 cpu", "-1 gpu", "1"])
def test_bad_shares(text):
    """Fails if a share that means nothing is taken for one."""
    with pytest.raises(UserError, match="--per"):
        Share.read(text)


# Fails if the worker that a signal kills is not begun again, or its answer is taken for a success.
def test_a_killed_worker(tmp_path, monkeypatch):
    monkeypatch.setattr(local, "RETRIES", 2)
    killed = (
        f"import os, sys; sys.stdin.readline(); sys.stdin.readline(); os.kill(os.getpid(), {signal.SIGKILL})"
    )
    monkeypatch.setattr(local, "_SERVE", killed)
    outcome = local._LocalWorker(Place(tmp_path, Share()), 0, []).run(Job(3, 10))
    assert outcome.number == 3 and "died 2 times" in (outcome.error or "")


# Fails if the processes of a sweep that was killed train on, and hold the runs that the next one needs.
@pytest.mark.nightly
def test_a_killed_sweep_leaves_no_workers():
    serve = (
        "import time; from covey.analysis.sweep import worker; "
        "worker.run_job = lambda **job: time.sleep(100); worker.serve()"
    )
    begin = (
        "import subprocess, sys, time; "
        f"child = subprocess.Popen([sys.executable, '-c', {serve!r}], stdin=subprocess.PIPE, text=True); "
        "child.stdin.write('{\"cores\": []}\\n{}\\n'); child.stdin.flush(); time.sleep(5); "
        "print(child.pid, flush=True); time.sleep(100)"
    )
    with subprocess.Popen([sys.executable, "-c", begin], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = Path("/proc") / parent.stdout.readline().strip()
        assert child.exists()
        parent.kill()
    for _ in range(100):
        if not child.exists():
            break
        time.sleep(0.1)
    assert not child.exists()


# Fails if a job's process imports JAX before it is told its devices and its cache: it would compile all anew.
def test_a_job_sets_jax_up_first():
    code = "import sys, covey.analysis.sweep.worker; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# Fails if a job takes other devices than its share, whatever the process that starts it has set.
def test_a_share_is_kept(monkeypatch):
    monkeypatch.setattr(launch, "started", lambda: False)
    flags = "--xla_force_host_platform_device_count=64 --xla_other=1"
    with mock.patch.dict(os.environ, {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cuda"}):
        Share.read("3 cpu").prepare()
        assert (os.environ["JAX_PLATFORMS"], os.environ["NPROC"]) == ("cpu", "3")
        flags = os.environ["XLA_FLAGS"].split()
    assert {"--xla_force_host_platform_device_count=3", "--xla_other=1"} <= set(flags)
    assert sum("device_count" in flag for flag in flags) == 1


# Fails if a job that was begun again elsewhere gives up because the old one is not yet dead.
def test_a_job_waits_for_the_last_one_to_die(tmp_path, monkeypatch):
    slept = []
    with RunFolder(tmp_path).locked():
        assert RunFolder(tmp_path).is_locked()
        monkeypatch.setattr(worker, "_PATIENCE", 0.1)
        monkeypatch.setattr(worker.time, "sleep", slept.append)
        worker._wait_until_free(RunFolder(tmp_path))
    assert slept and not RunFolder(tmp_path).is_locked()
    assert not RunFolder(tmp_path / "none").is_locked()


@pytest.mark.parametrize("on", ["sequential", "nowhere"])
def test_bad_places(on, tmp_path):
    """Fails if a place that is none trains, or a share is taken for one that nobody heeds."""
    with pytest.raises(UserError, match=r"leave --per out|none of local"):
        make_sweep_engine(on, "1 cpu", tmp_path)


def test_jobs_in_turn():
    """Fails if the engine of this process changes the order of jobs, or loses an error."""
    engine = InTurn(lambda job: {"number": job.number, "error": f"{job.steps} steps"})
    engine.submit(Job(1, 10))
    engine.submit(Job(0, 20))
    assert [engine.wait(0.0), engine.wait(0.0)] == [Outcome(1, "10 steps"), Outcome(0, "20 steps")]


SAVES = """
import os, signal, sys, time
sys.stdin.readline(), sys.stdin.readline()
signal.signal(signal.SIGTERM, lambda *_: print('{"number": 3, "error": "interrupted"}', flush=True))
open("READY", "w").close()
sys.stdin.readline()
"""


# Fails if Ctrl-C leaves trials training behind it, or ends one before it has saved what it has.
def test_a_sweep_that_is_stopped_ends_its_processes(tmp_path, monkeypatch):
    monkeypatch.setattr(local, "_SERVE", SAVES.replace("READY", str(tmp_path / "ready")))
    engine = local.LocalProcesses(Place(tmp_path, Share()))
    engine.submit(Job(3, 10))
    until = time.monotonic() + 60
    while not (tmp_path / "ready").exists() and time.monotonic() < until:
        time.sleep(0.05)
    process = next(worker.process for worker in engine.workers if worker.process is not None)
    engine.close()
    assert process.poll() is not None
    assert engine.wait(10.0) == Outcome(3, "interrupted")


class FakeHandle:
    """A job of a cluster that has ended."""

    def __init__(self, result=None, error=None):
        self.answer = result
        self.error = error
        self.paths = SimpleNamespace(stderr="err.log")

    def done(self):
        return True

    def exception(self):
        return self.error

    def result(self):
        return self.answer


# Fails if a task of Ray gets another share than was asked for, or one that Ray gives up ends the sweep.
def test_tasks_of_ray(tmp_path, monkeypatch):
    class RayError(Exception):
        pass

    asked = []

    def get(task):
        if task == "lost":
            raise RayError("the node died\nits address was …")
        return {"number": 0, "error": None}

    def task(**arguments):
        asked.append(arguments)
        return "lost" if arguments["number"] else "ended"

    def options(**needs):
        asked.append(needs)
        return SimpleNamespace(remote=task)

    ray = SimpleNamespace(
        is_initialized=lambda: True,
        cluster_resources=lambda: {"CPU": 9.0},
        remote=lambda job: SimpleNamespace(options=options),
        wait=lambda tasks, num_returns, timeout: (tasks[:1], tasks[1:]),
        get=get,
        exceptions=SimpleNamespace(RayError=RayError),
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    engine = RayTasks(Place(tmp_path, Share.read("2 cpu"), trust=True), None)
    assert engine.slots == 4
    engine.submit(Job(0, 10))
    engine.submit(Job(1, 20))
    needs, first, second = asked
    assert needs == {"num_cpus": 2.0, "max_retries": 3}
    place = {"root": str(tmp_path.resolve()), "share": "2 cpu", "trust": True}
    assert [first, second] == [{"number": 0, "steps": 10} | place, {"number": 1, "steps": 20} | place]
    assert engine.wait(1.0) == Outcome(0, None)
    assert engine.wait(1.0) == Outcome(1, "Ray gave it up: the node died")


# Fails if a job of SLURM that dies is not tried again, or is tried for ever.
def test_jobs_of_slurm(tmp_path, monkeypatch):
    handles = [FakeHandle(error=OSError()), FakeHandle({"number": 5, "error": None})]
    handles += [FakeHandle(error=OSError()) for _ in range(3)]
    settings = []
    executor = SimpleNamespace(
        cluster="slurm",
        update_parameters=lambda **chosen: settings.append(chosen),
        submit=lambda job, **arguments: handles.pop(0),
    )
    submitit = SimpleNamespace(AutoExecutor=lambda folder: executor)
    monkeypatch.setitem(sys.modules, "submitit", submitit)
    engine = SlurmJobs(Place(tmp_path, Share.read("2 cpu")))
    assert settings[0]["cpus_per_task"] == 2
    engine.submit(Job(5, 10))
    assert [engine.wait(0.0), engine.wait(0.0)] == [None, Outcome(5, None)]
    engine.submit(Job(6, 10))
    assert [engine.wait(0.0), engine.wait(0.0)] == [None, None]
    outcome = engine.wait(0.0)
    assert outcome is not None and "its job died 3 times: err.log" in (outcome.error or "")
