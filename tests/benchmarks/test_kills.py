"""The kills of benchmarks/kills.py: all phases, moments that happen, differences seen; at night a few."""

import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from benchmarks.kill_point import Moment
from benchmarks.kills import PHASES, plan_kills, try_all
from benchmarks.same_run import difference

from covey.runs import checkpoint
from covey.runs.folder import RunFolder


def test_every_phase_is_killed():
    # Breaks if a phase is left out, or the same seed gives other moments.
    kills = plan_kills(30, 0)
    assert {kill.phase for kill in kills} == set(PHASES)
    assert kills == plan_kills(30, 0) != plan_kills(30, 1)


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    """A folder with all that is compared."""
    folder = RunFolder.new(tmp_path / "run", "unused")
    folder.config.write_text("steps: 8\n")
    folder.append([{"report": 1, "seed": 0, "step": 8, "seconds": 1.5}])
    folder.write_json(folder.summary, {"status": "finished", "steps": 8, "train": {"wall_seconds": 2.0}})
    folder.write_json(folder.run, {"status": "finished"})
    checkpoint.save(folder.last, [{"x": np.zeros(2)}], {"step": 8})
    folder.curve.write_bytes(b"curve")
    return folder


def change_seconds(folder):
    folder.metrics.write_text(folder.metrics.read_text().replace("1.5", "1.75"))
    folder.write_json(folder.summary, {"status": "finished", "steps": 8, "train": {"wall_seconds": 9.0}})


CHANGES = {
    "config.yaml differs": lambda f: f.config.write_text("steps: 9\n"),
    "metrics.jsonl differs": lambda f: f.append([{"report": 2, "seed": 0, "step": 16}]),
    "summary.json differs": lambda f: f.write_json(f.summary, {"status": "finished", "steps": 9}),
    "the status in run.json differs": lambda f: f.write_json(f.run, {"status": "running"}),
    "last.npz differs in 0/0.npy": lambda f: checkpoint.save(f.last, [{"x": -np.zeros(2)}], {"step": 8}),
    "last.npz differs in facts.json": lambda f: checkpoint.save(f.last, [{"x": np.zeros(2)}], {"step": 9}),
    "the names of checkpoints differs": lambda f: shutil.copy(f.last, f.best),
    "there is no curve.png": lambda f: f.curve.unlink(),
    "summary.json.part is left": lambda f: (f.path / "summary.json.part").touch(),
    "": change_seconds,
}


@pytest.mark.parametrize("said", CHANGES)
def test_what_differs_is_seen(folder, tmp_path, said):
    # Breaks if a run that ended otherwise counts as equal, or one that took another time does not.
    other = RunFolder(shutil.copytree(folder.path, tmp_path / "other"))
    CHANGES[said](other)
    assert difference(folder.path, other.path) == said


@pytest.mark.parametrize("moment", [Moment("open", "*.py.part"), Moment("rename", "*.py")])
def test_moments_happen(tmp_path, moment):
    # Breaks if nothing is killed where a file is begun or gets its name, so that all would seem well.
    root = Path(__file__).parents[2]
    paths = os.environ | {"PYTHONPATH": os.pathsep.join([str(root), str(root / "src")])}
    command = [sys.executable, "-m", "benchmarks.kill_point", moment.to_json(), "new", "world", "Mine"]
    assert subprocess.run(command, cwd=tmp_path, env=paths).returncode == -9
    assert not list(tmp_path.glob("*.py"))


@pytest.mark.nightly
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_runs_are_equal(tmp_path, number):
    # Breaks if any of these moments loses a bit, leaves a file, or, with SIGTERM, prints a traceback.
    outcomes = try_all(plan_kills(19, 7), tmp_path, number)
    assert [outcome for outcome in outcomes if outcome.different] == []
    assert sum(outcome.reached for outcome in outcomes) > 12


def test_checkpoints_know_no_time(tmp_path, monkeypatch):
    # Breaks where a clock stands before 1980, the first year that a zip knows: a run could save nothing.
    monkeypatch.setattr("time.time", lambda: 0.0)
    monkeypatch.setattr("time.localtime", lambda seconds=0.0: (1970, 1, 1, 0, 0, 0, 3, 1, 0))
    checkpoint.save(tmp_path / "last.npz", [{"x": np.arange(2)}], {})
    with zipfile.ZipFile(tmp_path / "last.npz") as archive:
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}
        assert json.loads(archive.read("facts.json"))["leaves"] == ["x"]
