"""The examples do what their first lines say, and keep the protocol."""

import ast
import shlex
from pathlib import Path

import pytest

from covey.cli import main
from covey.config.catalogue import resolve
from covey.environments.games import TwoStep
from covey.experience import Replay
from covey.testing import check_algorithm, check_environment

ROOT = Path(__file__).parents[1]
TINY = "--seeds=1 --steps=60 --report-every=30 --envs=2 --eval-episodes=2 --quiet"
BATCH = "experience.capacity=512 experience.batch_size=4 experience.updates=1"


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_the_command_at_its_top(path, tmp_path, monkeypatch):
    # Would break: a name or a setting that is no longer there; a user's file that its run does not keep.
    monkeypatch.chdir(ROOT)
    told = ast.get_docstring(ast.parse(path.read_text())) or ""
    (command,) = [line.strip() for line in told.splitlines() if line.startswith("    covey ")]
    assert main(shlex.split(f"{command} {TINY} {BATCH} --out={tmp_path / 'run'}")[1:]) == 0
    assert (tmp_path / "run" / "files" / path.name).read_text() == path.read_text()
    assert (tmp_path / "run" / "summary.json").exists()


def test_the_world_keeps_the_protocol():
    # Would break: an end that is not one, a walker off the line, anything `check_environment` looks for.
    check_environment(resolve(f"{ROOT}/examples/my_environment.py:rendezvous")())


def test_the_algorithm_keeps_the_protocol():
    # Would break: a draw from a used key, a learner that changes shape, anything `check_algorithm` looks for.
    small = Replay(capacity=64, batch_size=4, window=1, steps=4)
    check_algorithm(
        resolve(f"{ROOT}/examples/my_algorithm.py:Independent")(experience=small, hidden=4), TwoStep()
    )
