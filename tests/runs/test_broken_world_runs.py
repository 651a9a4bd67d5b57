"""Runs in worlds that misbehave end in a sentence, status 2, what was saved before; at night all of them."""

import json
from pathlib import Path

import pytest

from covey.cli import main
from toys import broken

TINY = (
    "preset=original agent=feed_forward agent.hidden=4 experience.capacity=32 experience.batch_size=4 "
    "--steps=400 --seeds=1 --envs=2 --report-every=80 --eval-every=400 --eval-episodes=2 --save-every=0 "
    "--no-audit --no-report"
)
FINE = ("", "at once", "endless", "double")
AT_FIRST = ("init", "names", "horizon", "flag array", "flag of one")
PYTHON = (
    *(*FINE, *AT_FIRST, "reset", "reset none", "stuck"),
    *(*broken.LATE_OBSERVATIONS, *broken.LATE_REWARDS, *broken.LATE_COUNTS, *broken.ENDS),
)
TRACED = (
    "reset",
    "exit",
    "raises",
    "if",
    "none",
    "width",
    "legal",
    "axis",
    "dtype",
    "structure",
    "flag",
    "reward",
)
RUNNING = ("nan", "callback", *broken.HUGE)
usual = lambda faults, some: [x if x in some else pytest.param(x, marks=pytest.mark.nightly) for x in faults]


def train(capsys, name: str, out: Path, *settings: str) -> tuple[int, str]:
    status = main(["train", "iql", name, *settings, *TINY.split(), f"--out={out}"])
    return status, capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("fault", usual(PYTHON, ("raises",)))
def test_a_python_world(fault, tmp_path, capsys):
    # Breaks if such a run ends in a traceback, with status 0, or loses what it had trained before.
    name = f"{Path(broken.__file__)}:Python"
    status, said = train(capsys, name, tmp_path / "run", f"env.fault={fault or repr('')}", "env.after=25")
    if fault in FINE:
        assert status == 0 and not said
        return
    assert status == 2 and said.startswith("covey: ") and said.count("\n") == 1 and "Traceback" not in said
    if fault not in AT_FIRST:
        assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"
        assert (tmp_path / "run" / "checkpoints" / "last.npz").exists()
        assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) >= 1


@pytest.mark.slow
@pytest.mark.parametrize("fault", usual((*FINE[:3], *TRACED, *RUNNING), ("exit", "dtype")))
def test_a_compiled_world(fault, tmp_path, capsys):
    # Breaks likewise; before anything is compiled where the fault is one of shapes.
    name = f"{Path(broken.__file__)}:Compiled"
    status, said = train(capsys, name, tmp_path / "run", f"env.fault={fault or repr('')}")
    if fault in FINE:
        assert status == 0 and not said
        return
    assert status == 2 and said.startswith("covey: ") and said.count("\n") == 1 and "Traceback" not in said
    assert (tmp_path / "run").exists() == (fault in RUNNING)
    if fault == "callback":
        assert "broken.py, line" in said and "RuntimeError: the simulator has gone" in said
    if fault == "reward huge":
        assert "scale rewards down" in said


MIXER = """
import sys
from covey.networks import SumMixer


class Mine(SumMixer):
    def __call__(self, choices, world):
        {fault}
        return super().__call__(choices, world)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("sys.exit(0)", "it called sys.exit"),
        ("float(world.sum())", "ConcretizationTypeError"),
        ("return None", "mine.py:Mine does not fit where covey uses it: "),
    ],
)
def test_a_mixer_that_fails_when_it_is_traced(fault, said, tmp_path, capsys, monkeypatch):
    # Breaks if JAX's traceback, or nothing at all, stands where the line of the user's file belongs.
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(MIXER.format(fault=fault))
    words = ["train", "vdn", "two_step", "mixer=mine.py:Mine", *TINY.split(), "--out=run"]
    status = main(words)
    err = capsys.readouterr().err
    assert status == 2 and err.startswith("covey: ") and err.count("\n") == 1
    assert said in err and ("mine.py, line 8" in err or "fit" in said)
