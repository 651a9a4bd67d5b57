"""The benchmark of a cluster that loses a worker and a node."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmarks.ray_cluster import compare, descendants, same_arrays

from covey.analysis.sweep.plan import Plan, TrialBook

ROOT = Path(__file__).parents[2]


def test_checkpoints_are_compared_by_their_bits(tmp_path):
    # Breaks where arrays that differ in a bit, in type, or that only one side has count as equal.
    np.savez(tmp_path / "a.npz", x=np.zeros(2, np.float32), y=np.ones(2), z=np.arange(2))
    np.savez(tmp_path / "b.npz", x=-np.zeros(2, np.float32), y=np.ones(2, np.float32), w=np.arange(2))
    assert same_arrays(tmp_path / "a.npz", tmp_path / "a.npz") == (3, 0)
    assert same_arrays(tmp_path / "a.npz", tmp_path / "b.npz") == (4, 4)


def test_a_result_that_is_missing_is_told(tmp_path):
    # Breaks where a run that never came to its end is passed over.
    plan = Plan(["iql"], ["two_step"], {"gamma": [0.5, 0.9]})
    (tmp_path / "alone").mkdir()
    TrialBook(tmp_path / "alone").add(plan, "two_step", {"algorithm": "iql", "gamma": 0.5})
    (row,) = compare(tmp_path / "disturbed", tmp_path / "alone", [])
    assert row["arrays that differ"] == "MISSING"


def test_descendants():
    # Breaks where a process of a node that is killed lives on.
    with subprocess.Popen(["sh", "-c", "sleep 60 & echo; wait"], stdout=subprocess.PIPE) as shell:
        assert shell.stdout is not None
        shell.stdout.readline()
        found = descendants(shell.pid)
        for number in found:
            subprocess.run(["kill", "-9", str(number)])
    assert len(found) == 2 and shell.pid in found


@pytest.mark.nightly
def test_a_cluster_loses_a_worker_and_a_node():
    # Breaks where a killed trial is lost, or ends on other bits than an undisturbed one.
    pytest.importorskip("ray")
    words = [sys.executable, "-m", "benchmarks.ray_cluster", "--steps", "20000"]
    assert subprocess.run(words, cwd=ROOT).returncode == 0
