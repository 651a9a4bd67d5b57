"""Checkpoints by their steps: which are kept, also over a resumption, and who plays from them."""

import importlib.util
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import covey
from covey.config.config import Config
from covey.config.keeping import Keeping, read_keeping
from covey.errors import UserError
from covey.runs import checkpoint, kept, run
from covey.runs.folder import RunFolder
from covey.runs.warm_start import split_source

SETTINGS = "agent.hidden=4 mixer.embed=2 mixer.hyper=4 experience.capacity=32 experience.batch_size=4"
OPTIONS = {"seeds": "2", "steps": "480", "eval_every": "120", "eval_episodes": "2", "report_every": "40"}


@pytest.mark.parametrize(
    ("text", "keeping"),
    [("3", Keeping(newest=3)), ("all", Keeping()), ("every=2e5", Keeping(every=200_000)), (7, Keeping(7))],
)
def test_keep_is_read(text, keeping):
    # Would break: a number taken for an interval, or text of Python's numbers refused.
    assert read_keeping(text) == keeping


@pytest.mark.parametrize("text", ["0", "every=", "every=0", "some", "1.5", "-2"])
def test_keep_refuses(text):
    # Would break: a slip of the pen that keeps nothing, or fails when the first checkpoint is due.
    with pytest.raises(UserError, match="keep"):
        Config.parse("qmix", "two_step", (), {"keep": text})


def test_moments_that_are_due():
    # Would break: a multiple of the interval that is missed as reports do not fall on it, or kept twice.
    every = Keeping(every=100)
    moments = [90, 130, 170, 210, 420, 430]
    due = [
        now for before, now in zip([0, *moments], moments, strict=False) if every.is_due(before, now, True)
    ]
    assert due == [130, 210, 420]
    assert [Keeping().is_due(0, 100, evaluated) for evaluated in (False, True)] == [False, True]


def folder_with(path: Path, *steps: int) -> RunFolder:
    folder = RunFolder(path)
    for step in steps:
        checkpoint.save(folder.numbered(step), [{"learners": np.zeros(1)}], {})
    return folder


def test_a_step_names_its_checkpoint(tmp_path):
    # Would break: another checkpoint than the one that was named, without a word.
    folder = folder_with(tmp_path, 1_200_000_000, 90, 800)
    assert list(folder.kept) == [90, 800, 1_200_000_000]
    assert kept.checkpoint_at(folder, "8e2") == kept.checkpoint_at(folder, 800) == folder.numbered(800)
    assert kept.checkpoint_at(folder, None) == kept.checkpoint_at(folder, "last") == folder.last
    assert kept.checkpoint_at(folder, "best") == folder.best
    with pytest.raises(UserError, match=r"no checkpoint of step 700, but 90, 800.*800 is the nearest"):
        kept.checkpoint_at(folder, 700)
    with pytest.raises(UserError, match="takes a step, last or best"):
        kept.checkpoint_at(folder, "bets")
    with pytest.raises(UserError, match="--keep every=STEPS"):
        kept.checkpoint_at(RunFolder(tmp_path / "other"), 90)


def test_the_newest_stay(tmp_path):
    # Would break: the oldest kept in place of the newest; a resumed run that keeps its own future.
    folder = folder_with(tmp_path, 10, 20, 30, 40)
    kept.prune(folder, None)
    kept.prune(folder, 3)
    assert list(folder.kept) == [20, 30, 40]
    kept.cut(folder, 35)
    assert list(folder.kept) == [20, 30]


def test_a_source_with_a_step(tmp_path):
    # Would break: a step taken for a part, a folder's own @ or : taken for one of ours.
    odd = tmp_path / "a@2:b"
    odd.mkdir()
    run_path = str(tmp_path)
    assert split_source(f"{run_path}@120:actor+critic") == (run_path, "120", "actor+critic")
    assert split_source(f"{run_path}@best") == (run_path, "best", "")
    assert split_source(f"{run_path}:actor") == (run_path, None, "actor")
    assert split_source(str(odd)) == (str(odd), None, "")
    assert split_source("nowhere") == ("nowhere", None, "")


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.slow
def test_kept_over_a_resumption(tmp_path):
    # Would break: bits that keeping changes; checkpoints of a future that was cut, or lost ones; a
    # checkpoint that is not the policy of its step.
    config = Config.parse("qmix", "two_step", SETTINGS.split(), OPTIONS | {"keep": "all"})
    whole = RunFolder(run.train_run(config, tmp_path / "whole", quiet=True).folder.path)
    steps = [row["step"] for row in whole.rows() if "eval/return/team" in row and row["seed"] == 0]
    assert list(whole.kept) == covey.Run(whole.path).checkpoints == steps
    half = replace(config, steps=steps[1], keep=2)
    part = RunFolder(run.train_run(half, tmp_path / "part", quiet=True).folder.path)
    folder_with(part.path, 400, 470)  # as if it had gone on after its last checkpoint
    run.resume_run(part.path, 480, quiet=True)
    assert list(part.kept) == steps[-2:]
    for step, path in part.kept.items():
        names = checkpoint.read_facts(path)["leaves"]
        assert all(name.startswith("learners.") for name in names)
        assert contents(path) == contents(whole.kept[step])
    at = covey.evaluate(whole.path, at=steps[1])
    row = [row["eval/return/team"] for row in whole.rows() if row["step"] == steps[1]]
    assert at.team_return["per_seed"] == row
    assert json.loads(json.dumps(at.to_json()))["at"] == steps[1]
    assert_player_is_the_policy(whole.path, steps[1], tmp_path / "robot.safetensors")
    weights = covey.export([whole.path], weights=True, out=tmp_path / "w.safetensors").path.read_bytes()
    names = json.loads(weights[8 : 8 + int.from_bytes(weights[:8], "little")])
    assert "team.online.agents.nets.gru.hidden.0.weight" in names
    assert not any("opt_state" in name for name in names)


def assert_player_is_the_policy(path: Path, step: int, out: Path) -> None:
    """The written file is imported as a user's, beside its weights."""
    written = covey.export([path], player=True, seed=1, at=step, out=out)
    assert written.path == out.with_suffix(".py")
    spec = importlib.util.spec_from_file_location("robot", written.path)
    robot = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(robot)
    player = robot.Player()
    policy = covey.load(path, seed=1, at=step)
    rows = np.random.default_rng(0).normal(size=(20, 2, policy.spec.features)).astype(np.float32)
    assert [player.act(x).tolist() for x in rows] == [np.asarray(policy.act(x)).tolist() for x in rows]
    assert player.facts["environment"] == "two_step"
    with pytest.raises(UserError, match=r"ends in .safetensors"):
        covey.export([path], player=True, out=out.with_suffix(".npz"))
    with pytest.raises(UserError, match="choose among networks"):
        covey.export([path], csv=True, seed=1)
