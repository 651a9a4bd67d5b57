"""Sweeps: plans, searches, schedules, and trials that are ordinary runs."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

import covey
from covey.analysis.sweep import findings, schedule
from covey.analysis.sweep.findings import Sweep, TrialResult, read_sweep
from covey.analysis.sweep.jobs import Job, Outcome
from covey.analysis.sweep.plan import Plan, TrialBook, read_plan
from covey.analysis.sweep.search import GridSearch, RandomSearch
from covey.config.trust import trusting
from covey.errors import UserError
from covey.runs.folder import RunFolder
from runs.folders import assert_same_arrays

SMALL = {
    "agent": ["feed_forward"], "agent.hidden": [8], "experience.batch_size": [4], "experience.capacity": [32],
}  # fmt: skip
OPTIONS = {"seeds": 1, "steps": 120, "envs": 2, "eval_episodes": 2, "report_every": 24, "audit": False}

QUIET = {"quiet": True, "report": False}


def plan(axes=None, **rest):
    axes = {"gamma": [0.9, 0.5]} if axes is None else axes
    return Plan(["iql"], ["two_step"], axes, **{"options": OPTIONS} | rest)


class FakeEngine:
    """Trials that end at once, with a score that is the settings' own gamma."""

    slots = 2

    def __init__(self, root: Path, fails=(), dies=None):
        self.root = root
        self.jobs = []
        self.done = []
        self.fails = fails
        self.dies = dies

    def submit(self, job: Job) -> None:
        self.jobs.append(job)
        self.done.append(job)

    def wait(self, seconds: float) -> Outcome | None:
        job = self.done.pop(0)
        if self.dies is not None and len(self.jobs) > self.dies:
            raise KeyboardInterrupt
        if job.number in self.fails:
            return Outcome(job.number, "it could not be")
        trial = TrialBook(self.root).trials[job.number]
        folder = trial.run_folder(self.root)
        folder.path.mkdir(parents=True, exist_ok=True)
        score = trial.settings["gamma"]
        returns = {"iqm": score, "ci95": [score, score], "per_seed": [score]}
        summary = {
            "steps": job.steps,
            "eval": {"team": "team", "team_return": returns},
            "train": {"wall_seconds": 1.0},
        }
        folder.summary.write_text(json.dumps(summary))
        row = {"report": job.steps, "seed": 0, "step": job.steps, "eval/return/team": score}
        row = {"eval/return/another": -score} | row
        folder.append([row])
        return Outcome(job.number, None)

    def close(self) -> None:
        pass


@pytest.fixture
def sweep_with(monkeypatch, tmp_path):
    """Return a function that runs a plan on a fake engine."""

    def run(plan, **engine):
        fake = FakeEngine(tmp_path / "sweep", **engine)
        monkeypatch.setattr(schedule, "make_sweep_engine", lambda on, per, root: fake)
        args = (fake.root, lambda line: None)
        go_on = fake.root.exists()
        return (schedule.continue_sweep(*args) if go_on else schedule.start_sweep(plan, *args)), fake

    return run


# Fails if a combination is left out or tried twice, or if the winner is not the best or has no fresh seeds.
def test_a_grid(sweep_with):
    result, engine = sweep_with(plan({"gamma": [0.9, 0.5], "lam": [0.0, 0.5]}, fresh=3))
    assert [job.number for job in engine.jobs] == [0, 1, 2, 3, 4]
    best = result.best("two_step")
    assert best.settings["gamma"] == 0.9
    assert result.winners["two_step"].settings == best.settings
    winner = TrialBook(engine.root).trials[-1].config(result.plan)
    assert (winner.seed, winner.seeds) == (1, 3)  # the trials had seed 0
    assert result.importance["two_step"] == {"gamma": pytest.approx(1.0), "lam": pytest.approx(0.0)}


# Fails if the command of the best settings is one that cannot be typed.
def test_the_command_of_the_best(sweep_with):
    options = {"light": True, "tensorboard": True, "source": "runs/a b", "keep": None}
    result, _ = sweep_with(plan({"gamma": [0.9, 0.5]}, fresh=0, options=OPTIONS | options))
    command = result.command("two_step")
    assert command.startswith("covey train iql two_step gamma=0.9 --seeds 1 --steps 120 --envs 2")
    assert command.endswith("--report-every 24 --no-audit --light --from 'runs/a b'")


# Fails if an early stop trains the worse ones on, or stops the best.
def test_asha(sweep_with):
    gammas = [0.1, 0.9, 0.2, 0.3, 0.8, 0.4, 0.7, 0.5, 0.6]
    result, engine = sweep_with(plan({"gamma": gammas}, stop="asha", fresh=0))
    ended = {t.settings["gamma"]: t.steps for t in result.trials}
    assert ended[0.9] == 120
    assert sum(steps == 120 for steps in ended.values()) <= 3
    assert sum(steps == 13 for steps in ended.values()) >= 5
    assert {job.steps for job in engine.jobs} == {13, 40, 120}
    assert {t.status for t in result.trials} == {"finished", "stopped early"}


# Fails if two processes ask for trials of one sweep, and write over each other's runs.
def test_one_process_at_a_time(sweep_with):
    result, engine = sweep_with(plan({"gamma": [0.9, 0.5]}))
    with RunFolder(engine.root).locked(), pytest.raises(UserError, match=r"another process .* `covey sweep "):
        sweep_with(result.plan)


# Fails if a failed trial ends the sweep, or is passed over in silence.
def test_a_failed_trial(sweep_with):
    result, _ = sweep_with(plan({"gamma": [0.9, 0.5, 0.7]}), fails=(0,))
    assert [t.status for t in result.trials] == ["failed", "finished", "finished"]
    assert "1 trial of 3 failed" in result.failure and "it could not be" in result.failure


# Fails if a sweep that was stopped forgets a trial, or trains one again.
def test_go_on(sweep_with):
    with pytest.raises(KeyboardInterrupt):
        sweep_with(plan({"gamma": [0.9, 0.5, 0.7, 0.6]}, fresh=0), dies=3)
    result, engine = sweep_with(None)
    assert len(result.trials) == 4 and {t.status for t in result.trials} == {"finished"}
    assert len(engine.jobs) == 2  # the others had ended


# Fails if a draw depends on what was drawn before: a sweep that goes on would try other settings.
def test_random_search():
    random = plan({"gamma": ["uniform(0.1,0.9)"], "lam": [0.0, 0.5]}, search="random", trials=20)
    draws = [RandomSearch(random, "two_step").ask(number) for number in range(20)]
    again = RandomSearch(random, "two_step")
    assert [again.ask(number) for number in reversed(range(20))] == draws[::-1]
    assert RandomSearch(random, "matrix").ask(0) != draws[0]
    assert again.ask(20) is None
    assert {draw["lam"] for draw in draws} == {0.0, 0.5}
    assert all(0.1 <= draw["gamma"] <= 0.9 for draw in draws)


def test_grid_search_takes_the_first():
    """Fails if --trials is not heeded by a grid."""
    search = GridSearch(plan({"gamma": [0.9, 0.5, 0.7]}, trials=2))
    assert [search.ask(number) is None for number in range(3)] == [False, False, True]


# Fails if a plan that cannot be would begin to train.
@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"axes": {"gamma": ["uniform(0,1)"]}}, "no grid can hold"),
        ({"axes": {"gamma": ["uniform(0,1)"]}, "search": "random"}, "--trials"),
        ({"axes": {"gamma": [0.9]}}, "nothing varies"),
        ({"options": {"device": "gpu"}}, "--on sequential, or --per"),
    ],
)
def test_bad_plans(settings, says):
    with pytest.raises(UserError, match=says):
        plan(**settings)


# Fails if a plan's file would begin another sweep.
def test_plan_file(tmp_path):
    first = plan({"gamma": ["log(0.1,0.9)"], "lam": [0.0, 0.5]}, search="random", trials=3, stop="asha")
    first.write(tmp_path)
    assert Plan.read(tmp_path / "sweep.yaml") == first


# Fails if the importance of a range is not that of its thirds.
def test_importance_of_a_range():
    space = plan({"gamma": ["uniform(0,1)"], "lam": [0.0, 0.5]}, search="random", trials=6)
    lows = [0.1, 0.2, 0.4, 0.5, 0.8, 0.9]
    trial = lambda i, settings: TrialResult(
        i, "", "two_step", settings, "", "finished", team_return={"iqm": float(i // 2)}
    )
    settings = [{"algorithm": "iql", "gamma": x, "lam": 0.5 * (i % 2)} for i, x in enumerate(lows)]
    trials = tuple(trial(i, own) for i, own in enumerate(settings))
    shares = findings._importance(space, trials, "two_step")
    np.testing.assert_allclose([shares["gamma"], shares["lam"]], [1.0, 0.0], atol=1e-12)


# Fails if a trial is not the run that `covey train` would have made, to the bit, or if its process
# compiles for another number, or if a killed process loses its trial.
@pytest.mark.slow
def test_trials_are_runs(tmp_path):
    root = tmp_path / "sweep"
    result = covey.sweep(
        "iql",
        "two_step",
        {"gamma": [0.9, 0.8]} | SMALL,
        out=root,
        fresh=0,
        quiet=True,
        report=False,
        **OPTIONS,
    )
    assert isinstance(result, Sweep)
    assert [trial.status for trial in result.trials] == ["finished"] * 2
    assert read_sweep(root).to_json() == json.loads((root / "sweep.json").read_text())
    assert (root / "two_step.png").stat().st_size > 5000
    settings = {key: values[0] for key, values in SMALL.items()} | {"gamma": 0.8}
    alone = covey.train("iql", "two_step", settings=settings, out=tmp_path / "alone", **QUIET, **OPTIONS)
    assert RunFolder(result.trials[1].run).config.exists()
    assert alone.summary["steps"] == result.trials[1].steps
    if len(os.sched_getaffinity(0)) == 1:  # the number of devices is a part of the bits
        assert_same_arrays(alone.path, Path(result.trials[1].run))
    command = covey.sweep(str(root), best=True)
    assert isinstance(command, str) and command.startswith("covey train iql two_step gamma=")


# Fails if a look at somebody else's sweep runs the code that it names, in its plan or among its trials.
def test_a_sweep_from_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "mine"))
    named = plan({"gamma": [0.9, 0.5], "mixer": ["mine.py:Mixer"]})
    named.write(tmp_path / "sweep")
    assert read_plan(tmp_path / "sweep").axes == named.axes
    trial = TrialBook(tmp_path / "sweep").add(named, "two_step", {"algorithm": "iql", "mixer": "other.py:M"})
    with pytest.raises(UserError, match=r"names other\.py:M, which is not in the sweep's sweep\.yaml"):
        trial.config(named)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "theirs"))
    with pytest.raises(UserError, match=r"names mine\.py:Mixer.*add --trust"):
        covey.sweep(str(tmp_path / "sweep"), status=True)
    with trusting():
        assert read_plan(tmp_path / "sweep").axes == named.axes
    plan().write(tmp_path / "plain")
    assert read_plan(tmp_path / "plain") == plan()


# Fails if a sweep goes on with other devices than it began with, which would change its bits unseen.
def test_a_sweep_keeps_its_share(tmp_path):
    first = plan(per="2 cpu")
    first.write(tmp_path)
    first.move(tmp_path, "slurm", "2 cpu")
    assert Plan.read(tmp_path / "sweep.yaml") == plan(on="slurm", per="2 cpu")
    for place in ((None, "1 cpu"), ("sequential", None)):
        with pytest.raises(UserError, match="a trial of this sweep has 2 cpu"):
            first.move(tmp_path, *place)


def test_a_place_that_is_none_leaves_no_folder(tmp_path):
    """Fails if a sweep that cannot begin leaves a plan, which would be gone on with and keep its share."""
    with pytest.raises(UserError, match="more than the"):
        schedule.start_sweep(plan(per="4096 cpu"), tmp_path / "sweep", lambda line: None)
    assert not (tmp_path / "sweep").exists()
