"""The soak of benchmarks/soak.py: what counts as growth; at night a minute of it, and the same again."""

import json

import pytest
from benchmarks.soak import RUNS, run_soak
from benchmarks.soak_report import Sample, faults_of, growth, read_samples, report

HOUR = 3600.0


def samples(**changes) -> list[Sample]:
    """Ten hours of a process in which nothing grows; `changes` holds what grows, by hours."""
    usual = {"memory": 300.0, "handles": 9, "threads": 20, "files": {"metrics.jsonl": 1000}}
    made = []
    for minute in range(0, 600, 10):
        changed = {name: change(minute / 60) for name, change in changes.items()}
        state = usual | {"age": 60.0 * minute, "pid": 1} | changed
        made.append(Sample(run="compiled", seconds=60.0 * minute, step=minute, **state))
    return made


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        (
            {"memory": lambda h: 300 + 20 * h},
            ["compiled: 180 MB of memory more than after its first minutes"],
        ),
        ({"memory": lambda h: 100 if h < 0.1 else 300}, []),  # programs are compiled, and then no more
        ({"handles": lambda h: 9 + int(h)}, ["compiled: 9 handles more"]),
        ({"threads": lambda h: 20 + 2 * int(h)}, ["compiled: 18 threads more"]),
        ({"files": lambda h: {"metrics.jsonl": int(3e7 * h)}}, ["compiled: 295,000,000 bytes in one file"]),
        # Two processes, of which the second began with more: neither grows.
        ({"memory": lambda h: 300 + 100 * (h > 5), "pid": lambda h: 1 + (h > 5)}, []),
    ],
)
def test_growth_is_seen(changes, said):
    # Breaks if a slow leak passes, or the memory of compiling is taken for one.
    assert faults_of("compiled", growth(samples(**changes))) == said


def test_a_log_that_was_cut_short(tmp_path, capsys):
    # Breaks if the soak cannot go on, or cannot be read, after a kill.
    lines = [json.dumps(sample._asdict()) for sample in samples()]
    (tmp_path / "soak.jsonl").write_text("\n".join([*lines, lines[0][:40]]))
    assert read_samples(tmp_path) == samples()
    assert report(tmp_path, ["compiled"]) == []
    assert "| compiled | 9.83" in capsys.readouterr().out and (tmp_path / "soak.png").stat().st_size


@pytest.mark.nightly
def test_a_minute_of_soaking(tmp_path):
    # Breaks if the runs cannot be begun, be stopped and go on, or if nothing is sampled.
    assert run_soak(tmp_path, 0.01, 0.5, 5.0) == []
    steps = {name: max(s.step for s in read_samples(tmp_path) if s.run == name) for name in RUNS}
    assert run_soak(tmp_path, 0.02, 0.5, 5.0) == []
    for name, before in steps.items():
        assert max(s.step for s in read_samples(tmp_path) if s.run == name) > before
