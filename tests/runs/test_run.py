"""Runs: the same bits from the same command, killed and resumed; what a folder holds."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import covey
from covey.config.config import Config
from covey.errors import UserError
from covey.runs import checkpoint, run, session
from covey.show.plot import learning_curve
from runs.folders import arrays, assert_same, assert_same_arrays, rows

pytestmark = pytest.mark.slow  # runs are trained here

SETTINGS = "agent.hidden=8 mixer.embed=4 mixer.hyper=8 experience.capacity=64 experience.batch_size=8"
SMALL = ["qmix", "two_step", *SETTINGS.split()]
OPTIONS = {"seeds": "3", "steps": "1200", "eval_every": "240", "eval_episodes": "4", "report_every": "80"}


def config(**options: str) -> Config:
    return Config.parse(SMALL[0], SMALL[1], SMALL[2:], OPTIONS | options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """An unbroken run."""
    result = run.train_run(config(), tmp_path_factory.mktemp("runs") / "whole", quiet=True)
    return result.close(learning_curve).path


def test_same_command_same_bits(whole, tmp_path):
    """Any draw from the clock, the process or a set's order would part the two."""
    again = run.train_run(config(), tmp_path / "again", quiet=True).folder.path
    assert_same(whole, again)


def test_longer_by_resuming(whole, tmp_path):
    """Half a run, then `resume --steps`: lost replay, memory, clocks or schedules would show. The
    evaluation at the half's own end is the one row that an unbroken run has not."""
    path = run.train_run(config(steps="560"), tmp_path / "half", quiet=True).folder.path
    run.resume_run(path, 1200, quiet=True)
    assert_same_arrays(whole, path)


def test_measuring_changes_nothing(whole, tmp_path):
    """A measurement that draws a key of training, keeps donated memory, or is lost by resuming would show."""
    path = run.train_run(
        config(steps="560", measure="stationarity"), tmp_path / "half", quiet=True
    ).folder.path
    run.resume_run(path, 1200, quiet=True)
    assert_same_arrays(whole, path)
    measured = [{k: x for k, x in row.items() if k.startswith("stationarity/")} for row in rows(path)]
    assert len(measured) == len(rows(whole))
    assert all(row["stationarity/action_change/agent_1"] is not None for row in measured)
    assert all(-1 <= row["stationarity/interference"] <= 1.001 for row in measured)
    assert {row["stationarity/updates"] for row in measured[-3:]} == {5.0}
    assert any(row["stationarity/action_change"] > 0 for row in measured)
    summary = json.loads((path / "summary.json").read_text())["stationarity"]
    assert summary["mean"]["interference"] == np.mean([row["stationarity/interference"] for row in measured])
    assert summary["cost"]["reports"] and summary["cost"]["seconds"] > 0
    assert [line for line in summary["not_measured"] if "no kl" in line]


def test_one_network_of_policy_and_value(tmp_path):
    """Half a run of PPO with `trunk=shared`, resumed; and it acts."""
    settings = ["trunk=shared", "actor.hidden=8", "epochs=2"]
    short = {"seeds": "2", "envs": "4", "report_every": "24", "eval_episodes": "4"}
    parse = lambda steps: Config.parse("ippo", "two_step", settings, short | {"steps": steps})
    unbroken = run.train_run(parse("240"), tmp_path / "whole", quiet=True).folder.path
    path = run.train_run(parse("120"), tmp_path / "half", quiet=True).folder.path
    run.resume_run(path, 240, quiet=True)
    assert_same_arrays(unbroken, path)
    assert not any("critic" in name for name in arrays(path) if "carry" not in name)
    policy = covey.load(path)
    assert np.asarray(policy.act(np.zeros((2, policy.spec.features), np.float32))).shape == (2,)


def test_folder(whole):
    """What users are promised: these files, these keys."""
    summary = json.loads((whole / "summary.json").read_text())
    promised = "algorithm environment steps seeds updates status eval train"
    assert set(promised.split()) <= summary.keys()
    assert summary["status"] == "finished" == json.loads((whole / "run.json").read_text())["status"]
    assert summary["steps"] >= 1200 and summary["updates"] > 0
    told = summary["eval"]["team_return"]
    assert len(told["per_seed"]) == 3 and told["ci95"][0] <= told["iqm"] <= told["ci95"][1]
    assert summary["eval"]["teams"]["team"] == told and "agent_0" in summary["eval"]["agent_return"]
    assert {"env_steps_per_second", "compile_seconds", "wall_seconds"} == summary["train"].keys()
    for name in ("config.yaml", "curve.png", "checkpoints/last.npz", "checkpoints/best.npz"):
        assert (whole / name).stat().st_size > 0
    assert len(list((whole / "tensorboard").glob("seed_*/events*"))) == 3
    assert [row["seed"] for row in rows(whole)[:3]] == [0, 1, 2]


def test_evaluation_again(whole):
    """`covey eval RUN` finds what the run's own summary says: same policies, same beginnings."""
    told = covey.evaluate(whole)
    summary = json.loads((whole / "summary.json").read_text())["eval"]
    assert told.team_return == summary["team_return"]


def test_policy(whole):
    """`covey.load(run).act`: legal actions, in the form observations came in; memory kept and laid anew."""
    policy = covey.load(whole)
    seen = np.eye(3, dtype=np.float32)[[0, 0]]
    first, second = policy.act(seen), policy.act(seen)
    policy.reset()
    assert np.array_equal(policy.act(seen), first) and np.array_equal(policy.act(seen), second)
    policy.reset()
    named = policy.act(dict(zip(policy.spec.names, seen, strict=True)))
    assert list(named.values()) == first.tolist()


def test_a_run_of_ones_own_files_can_be_moved(tmp_path):
    """Two files of one name, then gone; the run's folder elsewhere: it holds all that it needs."""
    own = {"world": "from covey.environments.games import TwoStep as Mine"}
    own |= {"mixer": "from covey.networks.mixers import MonotonicMixer\n\nclass Mine(MonotonicMixer): ..."}
    for name, text in own.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.py").write_text(text)
    settings = [f"mixer={tmp_path}/mixer/mine.py:Mine", *SMALL[2:]]
    options = OPTIONS | {"steps": "80"}
    path = run.train_run(
        Config.parse("qmix", f"{tmp_path}/world/mine.py:Mine", settings, options), tmp_path / "run"
    ).folder.path
    for name in own:
        shutil.rmtree(tmp_path / name)
    moved = path.rename(tmp_path / "moved")
    told = covey.evaluate(moved)
    assert told.team_return == json.loads((moved / "summary.json").read_text())["eval"]["team_return"]
    run.resume_run(moved, 160, quiet=True)
    assert str(tmp_path) not in (moved / "config.yaml").read_text()


def test_an_interrupted_run_gets_its_curve(tmp_path, monkeypatch, capsys):
    # Would break: no picture of a run that was stopped; a script that takes it for a finished one.
    monkeypatch.setattr(run.Training, "advance", lambda training: None)
    result = run.train_run(config(), tmp_path / "stopped")
    with pytest.raises(KeyboardInterrupt):
        result.close(lambda path, rows, key, title, label: key == "eval/return/team")
    *_, curve, where = capsys.readouterr().out.splitlines()
    assert curve == f"curve: {tmp_path}/stopped/curve.png" and where == f"run: {tmp_path}/stopped"
    assert json.loads((tmp_path / "stopped" / "run.json").read_text())["status"] == "interrupted"


def test_start_from_weights(whole, tmp_path):
    """`--from`: another run's weights, seeds it had not starting from the first again; its optimiser's
    moments and counts, by which learning rates fall, would be somebody else's past."""
    late = Config.parse(
        SMALL[0], SMALL[1], [*SMALL[2:], "experience.start=1000"], OPTIONS | {"steps": "80", "seeds": "4"}
    )
    path = run.train_run(replace(late, source=str(whole)), tmp_path / "more", quiet=True).folder.path
    old, new = (checkpoint_of(p) for p in (whole, path))
    for name, value in new.items():
        if "online" in name and "opt_state" not in name:
            np.testing.assert_array_equal(value, old[name][[0, 1, 2, 0]], err_msg=name)
        if "opt_state" in name or name.endswith("updates"):
            assert not value.any() and old[name].any(), name


def checkpoint_of(path: Path) -> dict[str, np.ndarray]:
    """A run's learners, by where each array stands, seeds first."""
    names = checkpoint.read_facts(path / "checkpoints" / "last.npz")["leaves"]
    stored = arrays(path)
    lanes = sorted({int(name.split("/")[0]) for name in stored})
    whole = {leaf: np.concatenate([stored[f"{i}/{j}.npy"] for i in lanes]) for j, leaf in enumerate(names)}
    return {leaf: value for leaf, value in whole.items() if leaf.startswith("learners")}


def test_one_process_at_a_time(whole):
    # Would break: a run resumed twice, whose two processes write over each other's metrics and checkpoints.
    before = (whole / "config.yaml").read_text()
    with run.RunFolder(whole).locked(), pytest.raises(UserError, match="another process is training"):
        run.resume_run(whole, 5000, quiet=True)
    assert (whole / "config.yaml").read_text() == before
    run.resume_run(whole, quiet=True)


@pytest.mark.parametrize(("asked", "took", "waits"), [(60, 0.1, 60), (60, 24.0, 456), (0, 24.0, 0)])
def test_large_checkpoints_are_written_less_often(asked, took, waits):
    # Would break: a replay of gigabytes, written every minute, that takes a third of the training's time.
    assert session.seconds_between_saves(asked, took) == waits


@pytest.mark.nightly
def test_killed_five_times(whole, tmp_path):
    """kill -9 at random moments, then resume: the end is that of the unbroken run, to the bit.

    A checkpoint written in place, metrics that were not cut back, a draw that depends on how often
    the program started: each would show.
    """
    path, rng = tmp_path / "killed", random.Random(0)
    options = [f"--{key.replace('_', '-')}={value}" for key, value in OPTIONS.items()]
    command = [sys.executable, "-m", "covey.cli"]
    start = [*command, "train", *SMALL, *options, "--save-every=0", f"--out={path}"]
    again = [*command, "resume", str(path)]
    for _ in range(5):
        process = subprocess.Popen(again if (path / "config.yaml").exists() else start, env=os.environ)
        seen, deadline = size(path), time.monotonic() + 120
        while process.poll() is None and size(path) == seen and time.monotonic() < deadline:
            time.sleep(0.005)  # until it reports
        time.sleep(rng.uniform(0.0, 0.15))
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(again, check=True, env=os.environ)
    assert_same(whole, path)


def size(path: Path) -> int:
    metrics = path / "metrics.jsonl"
    return metrics.stat().st_size if metrics.exists() else -1
