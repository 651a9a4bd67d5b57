"""The files that `covey new` writes pass `covey check`, and train."""

import ast
import re
import shlex

import pytest

import covey
from covey.cli import main

TINY = "--seeds=1 --steps=60 --report-every=30 --envs=2 --eval-episodes=2 --quiet"
BATCH = "experience.capacity=512 experience.batch_size=4 experience.updates=1"


def write(kind, name="my_thing"):
    """Write a file; return the commands that it names."""
    lines = str(covey.new(kind, name)).splitlines()
    return [line.partition("  ")[2] for line in lines[1:]]


@pytest.mark.parametrize("kind", ["world", "python-world", "mixer", "algorithm"])
def test_a_new_file_names_its_commands(kind, tmp_path, monkeypatch):
    # Would break: a placeholder that is left in a file, or a command that names something else.
    monkeypatch.chdir(tmp_path)
    check, train = write(kind)
    text = (tmp_path / "my_thing.py").read_text()
    assert "$" not in text
    assert max(map(len, text.splitlines())) <= 110
    docstring = ast.get_docstring(ast.parse(text)) or ""
    assert check in docstring
    made = re.findall(r"my_thing\.py:(\w+)", train)
    assert re.search(rf"^(class|def) {made[0]}\b", text, re.MULTILINE)


def test_a_new_python_world_passes(tmp_path, monkeypatch, capsys):
    # Would break: a template that does not keep the protocol.
    monkeypatch.chdir(tmp_path)
    check, _ = write("python-world")
    assert main(shlex.split(check)[1:]) == 0
    assert "my_thing.py:MyThing keeps the protocol (a world in plain Python)" in capsys.readouterr().out


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["world", "python-world", "mixer", "algorithm"])
def test_a_new_file_passes_and_trains(kind, tmp_path, monkeypatch):
    # Would break: a template that a change of the protocol has left behind.
    monkeypatch.chdir(tmp_path)
    check, train = write(kind)
    assert main(shlex.split(check)[1:]) == 0
    train = re.sub(r" --\w+[ =]\d+", "", train)  # an option is given once
    assert main(shlex.split(f"{train} {TINY} {BATCH} --out=run")[1:]) == 0


def test_what_cannot_be_written_is_said(tmp_path, monkeypatch, capsys):
    # Would break: a user's file that is overwritten.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("kept")
    assert main(["new", "mixer", "Mine"]) == 2
    assert main(["new", "planet", "earth"]) == 2
    assert main(["new", "mixer", "2fast"]) == 2
    said = capsys.readouterr().err
    assert "mine.py exists already" in said
    assert "no template for 'planet': there are world, python-world, mixer, algorithm" in said
    assert "'2fast' cannot name a class" in said
    assert (tmp_path / "mine.py").read_text() == "kept"


FAULTY = """
import numpy as np
from covey.core import AbstractHostEnvironment, HostObservation, HostStep, Spec

class Faulty(AbstractHostEnvironment):
    spec = Spec(("a",), features=1, actions=2, horizon=3)

    def reset(self, seed):
        return HostObservation(np.zeros((1, 1)), np.zeros(0), np.ones((1, 2), bool), np.ones(1, bool))

    def step(self, action):
        return HostStep(self.reset(0), np.full(1, np.inf), False, False)
"""


def test_check_tells_a_fault_in_one_sentence(tmp_path, monkeypatch, capsys):
    # Would break: a traceback, or a status that says that all is well.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faulty.py").write_text(FAULTY)
    assert main(["check", "faulty.py:Faulty"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("covey: faulty.py:Faulty: ")
    assert said.count("\n") == 1
    assert "rewards of a that are not finite" in said


@pytest.mark.slow
def test_check_tells_what_a_mixer_is(tmp_path, monkeypatch):
    # Would break: a mixer that is tried as something else, or slopes that nobody looks at.
    monkeypatch.chdir(tmp_path)
    write("mixer")
    report = str(covey.check("my_thing.py:MyThing", settings={"hidden": 4}))
    assert "(a mixer)" in report
    assert "monotonic at" in report
