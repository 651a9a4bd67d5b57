"""Grids of runs: what is refused, what is left and what goes on."""

import json
import os
import signal
from pathlib import Path

import pytest

import covey
from covey.analysis import ablation
from covey.cli import main
from covey.config import grid
from covey.errors import UserError
from covey.runs import run
from covey.show.plot import learning_curve

pytestmark = pytest.mark.slow  # runs are trained here

SMALL = ["agent=feed_forward", "agent.hidden=4", "experience.capacity=64", "experience.batch_size=4"]
SHORT = ["--seeds=2", "--steps=64", "--report-every=32", "--eval-every=32", "--eval-episodes=2"]
COMMAND = ["ablate", "vdn", "two_step", "gamma=.5,.9", *SMALL, *SHORT]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["gama=.5,.9"], r"gama=0\.5: .*did you mean gamma"),
        (["gamma=.5,high"], r"gamma=high: gamma takes a number"),
        (["gamma=.5,0.50"], r"gamma is given 0\.5 twice"),
        (["gamma=.5", "gamma=.9"], r"gamma is given twice"),
        (["gamma=.5"], r"nothing varies.*covey train"),
        (["gamma=.5,[.9"], r"no list of values"),
        (["gamma=.5,.9", "env.agnets=2"], r"gamma=0\.5: .*agnets"),
    ],
)
def test_refused_before_anything_trains(words, says, tmp_path, monkeypatch, capsys):
    # Would break: a mistake in the last cell that is found after a day.
    monkeypatch.setattr(run, "train_run", None)
    with pytest.raises(UserError, match=says):
        ablation.train_grid("vdn", "two_step", grid.parse_axes(words), {}, learning_curve, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_names_are_checked_at_once(capsys):
    assert main(["ablate", "qmix,vnd", "two_step", "gamma=.5,.9"]) == 2
    assert "unknown algorithm 'vnd' (did you mean vdn?)" in capsys.readouterr().err
    assert main(["ablate", "gamma=.5,.9"]) == 2
    assert "covey ablate ALGO ENV" in capsys.readouterr().err


@pytest.fixture(scope="module")
def job(tmp_path_factory) -> Path:
    """A whole grid."""
    root = tmp_path_factory.mktemp("jobs") / "job"
    assert main([*COMMAND, f"--out={root}", "--quiet"]) == 0
    return root


def test_a_job(job, capsys):
    # Would break: a cell without its run, a table without a row, the first cell set against itself.
    table = json.loads((job / "ablation.json").read_text())
    assert [cell["name"] for cell in table["cells"]] == ["gamma=0.5", "gamma=0.9"]
    for cell in table["cells"]:
        summary = json.loads((job / cell["name"] / "summary.json").read_text())
        assert cell["status"] == "finished" and cell["team_return"] == summary["eval"]["team_return"]
        assert cell["settings"]["gamma"] == float(cell["name"][6:])
    assert table["cells"][0]["over_first"] is None
    assert 0 <= table["cells"][1]["over_first"]["probability_of_improvement"] <= 1
    assert (job / "ablation.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_command_again_trains_nothing(job, capsys, monkeypatch):
    # Would break: finished cells trained twice.
    monkeypatch.setattr(run, "train_run", None)
    monkeypatch.setattr(run, "resume_run", None)
    assert main([*COMMAND, f"--out={job}"]) == 0
    said = capsys.readouterr().out
    assert "[1/2] gamma=0.5: finished before" in said
    assert "gamma=0.9 " in said and "[" in said and "beats the first" in said and "team reward summed" in said


def test_another_job_in_its_folder_is_refused(job, capsys):
    # Would break: cells of two experiments in one table.
    before = (job / "ablation.json").read_bytes()
    assert main([*(word for word in COMMAND if "--steps" not in word), "--steps=128", f"--out={job}"]) == 2
    assert "holds a run with --steps 64, not 128: choose another --out" in capsys.readouterr().err
    assert (job / "ablation.json").read_bytes() == before


def test_a_grid_can_grow(job, tmp_path):
    # Would break: a value added that has all of them trained again; another result from Python.
    options = {"seeds": 2, "steps": 64, "report_every": 32, "eval_every": 32, "eval_episodes": 2}
    fixed = {"agent": ["feed_forward"], "agent.hidden": [4]}
    fixed |= {"experience.capacity": [64], "experience.batch_size": [4]}
    seen = (job / "gamma=0.5" / "metrics.jsonl").stat().st_mtime_ns
    axes = {"gamma": [0.5, 0.9, 0.7]} | fixed
    result = covey.ablate("vdn", "two_step", axes, out=job, quiet=True, **options)
    assert [cell.status for cell in result.cells] == ["finished"] * 3
    assert json.loads((job / "ablation.json").read_text()) == json.loads(json.dumps(result.to_json()))
    assert (job / "gamma=0.5" / "metrics.jsonl").stat().st_mtime_ns == seen


def test_stopped_and_gone_on(tmp_path, monkeypatch, capsys):
    # Would break: Ctrl-C that loses a cell or the job; a second call that starts the broken cell from zero.
    first_steps = []
    real = run.Training.show_progress

    def tell(training, rows, rate):
        if not first_steps:
            first_steps.append(rows[0]["step"])
            os.kill(os.getpid(), signal.SIGINT)
        real(training, rows, rate)

    monkeypatch.setattr(run.Training, "show_progress", tell)
    command = [*COMMAND, f"--out={tmp_path}"]
    assert main(command) == 130
    assert "the same command goes on" in capsys.readouterr().out
    cells = json.loads((tmp_path / "ablation.json").read_text())["cells"]
    assert [cell["status"] for cell in cells] == ["interrupted", "not begun"]
    assert main([*command, "--quiet"]) == 0
    cells = json.loads((tmp_path / "ablation.json").read_text())["cells"]
    assert [cell["status"] for cell in cells] == ["finished"] * 2
    reports = [row["report"] for row in covey.Run(tmp_path / "gamma=0.5").metrics]
    assert reports == [1, 1, 2, 2]


def test_a_cell_that_fails_does_not_stop_the_others(tmp_path, monkeypatch, capsys):
    # Would break: a night lost to the first cell's NaN; a failure that nobody hears of.
    real = run.train_run

    def train(config, out, quiet, *more):
        if "gamma=0.5" in str(out):
            raise UserError("loss became NaN")
        return real(config, out, quiet, *more)

    monkeypatch.setattr(run, "train_run", train)
    assert main([*COMMAND, f"--out={tmp_path}"]) == 2
    said = capsys.readouterr()
    assert "1 cell of 2 failed, first gamma=0.5: loss became NaN; the same command tries again" in said.err
    assert "gamma=0.5  failed" in said.out
    assert json.loads((tmp_path / "ablation.json").read_text())["cells"][1]["status"] == "finished"
