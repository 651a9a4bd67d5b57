"""Every example runs by the command in its docstring, and keeps the protocol."""

import ast
import re
import shlex
from pathlib import Path

import pytest

from covey.cli import main
from covey.config.catalogue import resolve
from covey.environments import TwoStep
from covey.experience import Replay
from covey.testing import check_algorithm, check_environment

ROOT = Path(__file__).parents[1]
TINY = "--seeds=1 --steps=60 --report-every=30 --envs=2 --eval-episodes=2 --quiet"
BATCH = "experience.capacity=512 experience.batch_size=4 experience.updates=1"


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_the_command_at_its_top(path, tmp_path, monkeypatch):
    # Breaks where a name or a setting is gone, or where a run does not keep a copy of the user's file.
    monkeypatch.chdir(ROOT)
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    (command,) = [line.strip() for line in docstring.splitlines() if line.startswith("    covey ")]
    own = {option.partition("=")[0] for option in TINY.split()}
    shortened = re.sub(r" (--[\w-]+) \d+", lambda m: "" if m[1] in own else m[0], command)
    assert main(shlex.split(f"{shortened} {TINY} {BATCH} --out={tmp_path / 'run'}")[1:]) == 0
    assert (tmp_path / "run" / "files" / path.name).read_text() == path.read_text()
    assert (tmp_path / "run" / "summary.json").exists()


def test_the_world_keeps_the_protocol():
    # Breaks where an end is not one, where a walker leaves the line, and wherever `check_environment` looks.
    check_environment(resolve(f"{ROOT}/examples/my_environment.py:rendezvous")())


@pytest.mark.slow
def test_the_algorithm_keeps_the_protocol():
    # Breaks where a key is used twice, where a learner changes shape, and wherever `check_algorithm` looks.
    small = Replay(capacity=64, batch_size=4, window=1, steps=4)
    check_algorithm(
        resolve(f"{ROOT}/examples/my_algorithm.py:Independent")(experience=small, hidden=4), TwoStep()
    )
