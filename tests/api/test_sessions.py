"""Sessions: training in pieces has the bits of training at once; what stops one, and what is left of it."""

import json
from pathlib import Path

import numpy as np
import pytest

import covey
from covey.errors import UserError
from runs.folders import assert_same, rows

pytestmark = pytest.mark.slow  # runs are trained here

SETTINGS = {
    "agent.hidden": 8, "mixer.embed": 4, "mixer.hyper": 8,
    "experience.capacity": 64, "experience.batch_size": 8,
}  # fmt: skip
RUN = {"seeds": 3, "steps": 800, "eval_every": 240, "eval_episodes": 4, "report_every": 80, "quiet": True}


def session(path: Path, **options) -> covey.Session:
    return covey.Session("qmix", "two_step", settings=SETTINGS, out=path, **RUN | options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> covey.Run:
    """A run that was trained at once."""
    path = tmp_path_factory.mktemp("runs") / "whole"
    return covey.train("qmix", "two_step", settings=SETTINGS, out=path, report=False, **RUN)


def test_in_pieces_saved_and_reopened(whole, tmp_path):
    # Breaks where an evaluation, a copy or a pause draws a key of training, or where a row is written twice.
    with session(tmp_path / "pieces") as own:
        newest = own.advance(300)
        assert own.step >= 300 and [row["seed"] for row in newest] == [0, 1, 2] and not own.over
        assert own.evaluate(episodes=np.int64(6)).episodes == 6
        copy = own.save(tmp_path / "copy")
        assert own.policy(2).act(np.eye(3)[[0, 0]]).shape == (2,)
        assert own.advance(10_000)[0]["step"] >= 800 and own.over
    assert_same(whole.path, own.path)
    assert own.run.summary["status"] == "finished" and not own.run.folder.report.exists()
    with covey.Session.open(copy, quiet=True) as again:
        assert again.step == newest[0]["step"]
        again.advance()
    assert_same(whole.path, copy.path)
    with pytest.raises(UserError, match="this session is closed"):
        again.advance()


def test_a_callback_sees_every_report_and_stops_the_run(whole, tmp_path):
    # Breaks where a report is kept from the callback, its answer is ignored, or what it stops is lost.
    seen = []

    def stop(report):
        seen.append(report)
        return report[0]["step"] >= 240

    options = RUN | {"report": False}
    run = covey.train("qmix", "two_step", settings=SETTINGS, out=tmp_path, callback=stop, **options)
    assert [row for report in seen for row in report] == run.metrics and len(seen) == 3
    assert run.summary["status"] == run.folder.read_run()["status"] == "stopped"
    assert rows(run.path) == rows(whole.path)[: len(run.metrics)]
    assert run.folder.last.exists()  # from which `covey.resume` goes on


@pytest.mark.nightly
def test_errors_and_early_ends(tmp_path):
    # Breaks where a callback's fault is swallowed, or a session that is left early says that it has finished.
    def fail(report):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), session(tmp_path / "failed", callback=fail) as own:
        own.advance()
    assert json.loads((own.path / "run.json").read_text())["status"] == "failed"
    early = session(tmp_path / "early")
    early.advance(100)
    assert "of 800" in repr(early)
    run = early.close()
    assert run.summary["status"] == "stopped" and run.summary["steps"] == early.step < 800
    assert early.close().path == run.path
    assert covey.resume(run, quiet=True, report=False).summary["status"] == "finished"
