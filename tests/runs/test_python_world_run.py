"""A run in a world in plain Python: where its time went, and its policy where the world is gone."""

import json
import sys
import time

import numpy as np
import pytest

import covey
from covey.cli import main
from covey.runs import python_worlds
from toys.worlds import HostRecall

WORLD = """
import numpy as np
from covey.core import AbstractHostEnvironment, HostObservation, HostStep, Spec


class Guess(AbstractHostEnvironment):
    counts = ("won",)

    def __init__(self, horizon: int = 4, fails: int = 0):
        self.spec = Spec(("left", "right"), features=2, actions=2, horizon=horizon)
        self.left = fails

    def look(self):
        agents = np.array([[bit, 1.0] for bit in self.bits], np.float32)
        return HostObservation(agents, np.zeros(0, np.float32), np.ones((2, 2), bool), np.ones(2, bool))

    def reset(self, seed):
        self.rng = np.random.default_rng(seed)
        self.bits = self.rng.integers(0, 2, 2)
        return self.look()

    def step(self, action):
        self.left -= 1
        if self.left == 0:
            raise ZeroDivisionError("no fuel")
        won = float((action == self.bits).all())
        self.bits = self.rng.integers(0, 2, 2)
        return HostStep(self.look(), np.full(2, won, np.float32), False, False, counts={"won": won})

    def render(self):
        picture = np.zeros((40, 60, 3), np.uint8)
        picture[:, :30] = (200, 40 * int(self.bits[0]), 30)
        picture[:, 30:] = (20, 90, 200 * int(self.bits[1]))
        return picture
"""
TINY = ["--seeds=1", "--steps=64", "--report-every=32", "--envs=2", "--eval-episodes=2", "--no-audit"]
SMALL = ["agent=feed_forward", "agent.hidden=4", "experience.capacity=64", "experience.batch_size=4"]


@pytest.fixture
def world(tmp_path, monkeypatch):
    """The world in a module of its own, which can be taken away."""
    home = tmp_path / "package"
    home.mkdir()
    (home / "guessing_world.py").write_text(WORLD)
    monkeypatch.syspath_prepend(home)
    monkeypatch.delitem(sys.modules, "guessing_world", raising=False)
    monkeypatch.chdir(tmp_path)
    return home / "guessing_world.py"


@pytest.mark.slow
def test_a_run_in_a_python_world(world, tmp_path, monkeypatch, capsys):
    # Breaks where the time is not told, or where inference needs the package of the run's world.
    assert main(["train", "iql", "guessing_world:Guess", *TINY, *SMALL, "--out=run"]) == 0
    said = capsys.readouterr().out
    assert "a step of one copy takes" in said
    assert "time while training: world" in said
    train = json.loads((tmp_path / "run" / "summary.json").read_text())["train"]
    assert {"world_seconds", "acting_seconds", "learning_seconds"} <= train.keys()
    assert "workers" not in train

    film = covey.watch("run", out=tmp_path / "film.gif", episodes=1)
    assert film.path.stat().st_size > 0
    rows = np.array([[0.0, 1.0], [1.0, 1.0]], np.float32)
    before = covey.load("run").act(rows)
    world.unlink()
    monkeypatch.delitem(sys.modules, "guessing_world")
    np.testing.assert_array_equal(covey.load("run").act(rows), before)
    assert covey.load("run").agent("left").act(rows[0]) == before[0]
    kept = json.loads((tmp_path / "run" / "run.json").read_text())
    del kept["spec"]  # an older run makes its world
    (tmp_path / "run" / "run.json").write_text(json.dumps(kept))
    with pytest.raises(covey.UserError, match="guessing_world"):
        covey.load("run")


@pytest.mark.slow
def test_a_failure_of_the_world_is_its_own(world, capsys):
    # Breaks where a user reads a traceback through this package, or no place at all.
    train = ["train", "random", "guessing_world:Guess", "env.fails=3", *TINY, "--out=run"]
    assert main(train) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("covey: Guess failed at step 3 of an episode (guessing_world.py, line ")
    assert ": ZeroDivisionError: no fuel" in said


def test_workers_are_for_python_worlds(capsys):
    # Breaks where an option without effect is taken in silence.
    for option in ("--workers=2", "--ahead"):
        assert main(["train", "random", "two_step", option, "--steps=8"]) == 2
        name = option.removesuffix("=2")
        told = f"{name} is for worlds that are Python programs, and two_step is compiled"
        assert told in capsys.readouterr().err


def test_slow_worlds_get_processes(monkeypatch):
    # Breaks where a fast world pays for an exchange, where a script is run again by its own workers, where
    # processes outnumber copies, or where a world that fails in the trial ends the run.
    class Slow(HostRecall):
        def step(self, action):
            time.sleep(0.002)
            return super().step(action)

    class Failing(HostRecall):
        def reset(self, seed):
            raise ValueError("no")

    monkeypatch.setattr(python_worlds.launch, "cores", lambda: 4)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "/usr/bin/covey", raising=False)
    wanted = python_worlds.useful_workers
    assert [wanted(Slow(), copies) for copies in (1, 3, 8)] == [0, 3, 4]
    assert [wanted(world, 8) for world in (HostRecall(), Failing())] == [0, 0]
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "/home/me/mine.py", raising=False)
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    assert wanted(Slow(), 8) == 0
