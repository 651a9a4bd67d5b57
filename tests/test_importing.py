"""Results of other libraries as runs: read as their own code writes them, and taken where curves are."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from tensorboardX import SummaryWriter

import covey
from covey.cli import main
from covey.config.config import Config
from covey.errors import UserError
from covey.runs import records

STEPS = [10_000, 20_050, 30_100]


def pymarl_seed(root: Path, number: int, returns: list[float], **config) -> None:
    """What PyMARL's logger leaves in a folder of sacred's; some numbers as NumPy's, pickled by it."""
    folder = root / str(number)
    folder.mkdir(parents=True)
    told = {"name": "qmix", "env": "sc2", "env_args": {"map_name": "3m", "seed": number}, "lr": 5e-4}
    told |= {"seed": number, "local_results_path": f"results{number}"} | config
    info = {
        "test_return_mean": [{"dtype": "float64", "py/object": "numpy.float64", "value": x} for x in returns],
        "test_return_mean_T": STEPS,
        "test_battle_won_mean": [0.0, 0.25, 0.5],
        "test_battle_won_mean_T": STEPS,
        "return_mean": [1.0, 2.0, 4.0, 6.0],
        "return_mean_T": [5_000, 15_000, 18_000, 29_000],
        "episode": [1],
        "episode_T": [100],
    }
    (folder / "config.json").write_text(json.dumps(told))
    if number == 2:  # its returns are pickled beyond recognition, and stand in metrics.json alone
        (folder / "metrics.json").write_text(
            json.dumps({"test_return_mean": {"steps": STEPS, "timestamps": [""] * 3, "values": returns}})
        )
        info["test_return_mean"] = [{"py/reduce": []}] * 3
    (folder / "info.json").write_text(json.dumps(info))


def xuance_seed(root: Path, seed: int, returns: list[float]) -> None:
    folder = root / f"qmix/simple_spread_v3/seed_{seed}"
    folder.mkdir(parents=True)
    with open(folder / "learning_curve.csv", "w", newline="") as file:
        rows = zip(STEPS, returns, strict=True)
        csv.writer(file).writerows([["step", "avg_return"], *rows])
    told = {"algo": "QMIX", "env_name": "mpe", "env_id": "simple_spread_v3", "seed": seed, "gamma": 0.99}
    (folder / "config.json").write_text(json.dumps(told))


@pytest.fixture(scope="module")
def imported(tmp_path_factory) -> dict[str, Path]:
    """Four seeds of PyMARL, three of XuanCe; and TensorBoard's files of one."""
    root = tmp_path_factory.mktemp("results")
    for i in range(4):
        pymarl_seed(root / "pymarl/sacred", i + 1, [1.0 + i, 5.0 + i, 10.0 + i])
    for i in range(3):
        xuance_seed(root / "xuance/results", i + 1, [-90.0, -60.0, -45.0 - 3 * i])
    with SummaryWriter(str(root / "board/mappo/simple_spread_v3/seed_7_now"), write_to_disk=True) as board:
        for step, x in zip(STEPS, (-30.0, -20.0, -18.0), strict=True):
            board.add_scalar("Test-Episode-Rewards/Mean-Score", x, step)
            board.add_scalar("actor_loss", 0.1, step)
    out = root / "runs"
    made = {
        "pymarl": covey.import_results(root / "pymarl", out=out),
        "xuance": covey.import_results(root / "xuance", out=out, environment="spread", divide=np.int64(3)),
        "board": covey.import_results(root / "board", out=out),
    }
    return {name: result.runs[0] for name, result in made.items() if len(result.runs) == 1}


def test_rows_are_what_the_library_recorded(imported):
    # Breaks where a number of NumPy's is lost, a step belongs to another value, or means cross evaluations.
    rows = covey.Run(imported["pymarl"]).metrics
    assert [row["step"] for row in rows if row["seed"] == 0] == STEPS
    assert [row["eval/return/team"] for row in rows if row["seed"] == 3] == [4.0, 8.0, 13.0]
    assert [row["eval/won"] for row in rows if row["seed"] == 1] == [0.0, 0.25, 0.5]
    assert [row["train/return/team"] for row in rows if row["seed"] == 0] == [1.0, 3.0, 6.0]
    board = covey.Run(imported["board"])
    assert [row["eval/return/team"] for row in board.metrics] == [-30.0, -20.0, -18.0]
    assert all(row["seconds"] >= 0 for row in board.metrics)


def test_seeds_are_one_run(imported):
    # Breaks where seeds that differ in their folder alone are runs apart, or statistics are not over seeds.
    run = covey.Run(imported["pymarl"])
    assert run.summary["eval"]["team_return"]["per_seed"] == [10.0, 11.0, 12.0, 13.0]
    assert run.summary["environment"] == "smac:3m"
    assert run.folder.read_run()["imported"]["seeds"] == [1, 2, 3, 4]
    assert records.fault(run.summary, records.SUMMARY) == ""
    assert (run.path / "curve.png").exists()
    xuance = covey.Run(imported["xuance"]).summary
    assert xuance["eval"]["team_return"]["per_seed"] == [-15.0, -16.0, -17.0]
    assert "divided by 3" in xuance["eval"]["convention"]


def test_it_stands_beside_a_run_of_ours(imported, tmp_path, capsys):
    # Breaks where comparing, plotting or reporting asks an imported run for a policy, or takes it for
    # another world.
    own = own_run(tmp_path / "own")
    found = covey.compare(imported["xuance"], own, out=tmp_path / "both.png")
    assert found.verdict == "indistinguishable" and found.returns.b["per_seed"] == [-14.0, -14.5, -15.5]
    text = str(found)
    assert "qmix (XuanCe) on spread" in text and "an imported run has curves alone" in text
    assert (tmp_path / "both.png").exists()
    assert main(["plot", str(imported["xuance"]), str(own), f"--out={tmp_path}/figure.png"]) == 0
    assert main(["export", str(imported["xuance"]), str(own), "--csv", f"--out={tmp_path}/data.csv"]) == 0
    with open(tmp_path / "data.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert {row["group"] for row in table} == {"qmix (XuanCe)", "qmix"}
    assert {row["environment"] for row in table} == {"spread"}
    page = tmp_path / "page.html"
    assert main(["report", str(imported["xuance"]), str(own), "--no-replay", f"--out={page}"]) == 0
    assert "qmix (XuanCe)" in page.read_text()
    with pytest.raises(UserError, match="different worlds"):
        covey.compare(imported["pymarl"], own)


def own_run(path: Path) -> Path:
    """A run's folder as training would leave it, with three seeds."""
    path.mkdir()
    Config.parse("qmix", "spread", {}, {"seeds": 3, "steps": 30_000}).to_yaml(path / "config.yaml")
    scores = [-14.0, -14.5, -15.5]
    rows = [
        {"report": k, "seed": i, "step": step, "eval/return/team": score - 3 + k}
        for k, step in enumerate(STEPS, 1)
        for i, score in enumerate(scores)
    ]
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (path / "run.json").write_text(json.dumps({"status": "finished"}))
    told = {"per_seed": scores, "mean": -14.7, "iqm": -14.7, "ci95": [-15.0, -14.0]}
    told = {"convention": "team reward", "team": "team", "team_return": told}
    (path / "summary.json").write_text(json.dumps({"status": "finished", "eval": told}))
    return path


@pytest.mark.parametrize("command", ["eval", "resume", "watch"])
def test_it_has_no_policy(imported, command, capsys):
    # Breaks where a command that needs weights ends in a traceback, or trains a run that was another's.
    assert main([command, str(imported["pymarl"])]) == 2
    assert "was imported from PyMARL: it has curves and no policy" in capsys.readouterr().err


def test_refusals(tmp_path, imported):
    # Breaks where results that do not tell their world, or have no evaluation, are imported all the same.
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no results that are known"):
        covey.import_results(tmp_path / "empty")
    with SummaryWriter(str(tmp_path / "board/mystery"), write_to_disk=True) as board:
        board.add_scalar("average_episode_rewards", 1.0, 10)
    with pytest.raises(UserError, match="does not say in which world"):
        covey.import_results(tmp_path / "board", out=tmp_path / "runs", metric="average_episode_rewards")
    with pytest.raises(UserError, match=r"no series 'average_rewards' \(did you mean average_"):
        covey.import_results(tmp_path, out=tmp_path, environment="spread", metric="average_rewards")
    with pytest.raises(UserError, match="choose one with --metric; there are average_episode_rewards"):
        covey.import_results(tmp_path, out=tmp_path, environment="spread")
    made = covey.import_results(
        tmp_path, out=tmp_path, environment="spread", metric="average_episode_rewards", algorithm="mappo"
    )
    assert math.isclose(covey.Run(made.runs[0]).metrics[0]["eval/return/team"], 1.0)
