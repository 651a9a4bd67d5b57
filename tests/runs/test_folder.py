"""A run's folder: metrics are cut back, torn lines passed over, one process holds it, files are its own."""

import json
from pathlib import Path

import pytest

from covey.config.config import Config
from covey.errors import UserError
from covey.files import atomic
from covey.runs.folder import RunFolder
from covey.runs.run import copy_user_files

MIXER = """
from covey.networks import SumMixer

class Mine(SumMixer):
    pass
"""


def row(report: int) -> dict:
    return {"report": report, "seed": 0, "step": 8 * report}


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    return RunFolder.new(tmp_path / "run", "unused")


def test_metrics_are_cut_back_to_a_checkpoint(folder):
    # Breaks if a resumed run keeps rows that were written after its checkpoint, or loses earlier ones.
    size = folder.append([row(1), row(2)])
    folder.append([row(3)])
    folder.cut(size)
    folder.append([row(4)])
    assert [row["report"] for row in folder.rows()] == [1, 2, 4]


def test_a_torn_last_line_is_no_row(folder):
    # Breaks if a line that a sudden end left unfinished is read, or stops the reading.
    folder.append([row(1)])
    with open(folder.metrics, "a") as file:
        file.write('{"report": 2')
    assert [row["report"] for row in folder.rows()] == [1]


def test_a_second_process_is_refused(folder):
    # Breaks if two processes may train one run, and write over each other's metrics and checkpoints.
    with folder.locked():
        with pytest.raises(UserError, match="another process is training"), RunFolder(folder.path).locked():
            pass
        assert folder.path.is_dir()
    with RunFolder(folder.path).locked():
        pass


def test_a_failed_write_leaves_the_old_file(folder):
    # Breaks if a file is written in place, so that a stop in the middle leaves half of it.
    def stopped():
        with atomic(folder.summary, "summary.json") as file:
            file.write(b'{"new"')
            raise KeyboardInterrupt

    folder.write_json(folder.summary, {"old": 1})
    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert json.loads(folder.summary.read_text()) == {"old": 1}
    assert [path.name for path in folder.path.iterdir() if path.is_file()] == ["summary.json"]


def test_a_run_uses_its_own_copies(folder, tmp_path, monkeypatch):
    # Breaks if a run reads the user's file later on, though it may have changed or gone.
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "mine.py"
    mine.write_text(MIXER)
    config = Config.parse("qmix", "two_step", ["mixer=mine.py:Mine"], {"steps": 100})
    kept = copy_user_files(config, folder)
    assert [path.resolve() for path in kept.files] == [folder.path / "files" / "mine.py"]
    assert Path(kept.files[0]).read_text() == MIXER
