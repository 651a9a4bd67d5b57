"""Benchmarks that are hard to try where they are meant to run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_gpu_benchmark_runs_on_a_cpu_and_goes_on_where_it_was(tmp_path):
    # Breaks where the command fails before whoever has a GPU tries it, loses rows, or measures rows twice.
    path = tmp_path / "rows.json"
    words = [sys.executable, "-m", "benchmarks.gpu", "--device=cpu", "--small", f"--json={path}"]
    run = lambda *more: (
        subprocess.run([*words, *more], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    )
    assert "no time left" in run("--minutes=0")
    assert all(row == {"error": "no time left"} for row in json.loads(path.read_text())["results"].values())
    printed = run()
    found = json.loads(path.read_text())["results"]
    assert [name for name, row in found.items() if "error" in row] == []
    assert {name.partition(",")[0] for name in found} >= {"spread", "skirmish/3m", "qmix", "mappo"}
    assert found["qmix, 2 seeds"]["memory"]["state"] > 0
    assert all(name in printed for name in found)
    again = run("--minutes=0")  # nothing is measured, for everything is known
    assert "no time left" not in again
    assert json.loads(path.read_text())["results"] == found
