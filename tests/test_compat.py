"""XuanCe's runner over covey."""

from argparse import Namespace

import pytest

from covey.compat.xuance import get_runner
from covey.errors import UserError

SMALL = {
    "running_steps": 60, "parallels": 2, "batch_size": 4, "buffer_size": 200, "use_rnn": False,
    "representation_hidden_size": [8], "start_training": 8, "test_episode": 2,
}  # fmt: skip


# Fails if a script of XuanCe's no longer trains, tests, or finds the files that it reads afterwards.
@pytest.mark.slow
def test_a_script_of_xuances(tmp_path, capsys):
    folders = {"model_dir": str(tmp_path / "models"), "result_dir": str(tmp_path / "results")}
    parser = Namespace(**SMALL, **folders)
    runner = get_runner(method="iql", env="mpe", env_id="simple_spread_v3", parser_args=parser)
    folder = runner.run(mode="benchmark")
    assert folder == tmp_path / "results" / "iql" / "simple_spread_v3"
    rows = (folder / "learning_curve.csv").read_text().splitlines()
    assert rows[0] == "step,score" and len(rows) > 1
    assert (folder / "test_scores.csv").exists() and (folder / "meta_data.json").exists()
    again = get_runner("iql", "mpe", "simple_spread_v3", parser_args=parser, is_test=True)
    assert again.run()["episodes"] == 2
    assert "covey train iql spread preset=original" in capsys.readouterr().out


def test_an_unknown_mode():
    """Fails if a mistyped mode trains."""
    with pytest.raises(UserError, match="train, test, benchmark"):
        get_runner("iql", "mpe", "simple_spread_v3").run("play")
