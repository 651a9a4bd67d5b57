"""A full disk at every kind of write: one sentence, the old file as it was, no half of the new one.

The kernel's own `/dev/full` refuses what is written to it. It stands where a file is written.
"""

from pathlib import Path

import numpy as np
import pytest

from covey.analysis.sweep.plan import Plan, TrialBook
from covey.charts import pyplot, save_figure
from covey.config.config import Config
from covey.errors import UserError
from covey.runs import agent_file, checkpoint
from covey.runs.folder import RunFolder
from covey.runs.run import copy_user_files
from covey.show.film import writers
from covey.show.playback import Playback
from covey.show.report import page

FULL = Path("/dev/full")
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="only Linux has /dev/full")


@pytest.fixture
def folder(tmp_path, monkeypatch) -> RunFolder:
    monkeypatch.chdir(tmp_path)
    return RunFolder.new(tmp_path / "run", "unused")


def config(folder: RunFolder) -> Config:
    Path("mine.py").write_text("from covey.networks import SumMixer\n\nclass Mine(SumMixer): ...\n")
    return Config.parse("qmix", "two_step", ["mixer=mine.py:Mine"], {"steps": 100})


def draw(folder: RunFolder) -> None:
    save_figure(pyplot().figure(), folder.curve)


def agent(folder: RunFolder) -> None:
    one = agent_file.TrainedAgent("a", "team", {"net": [np.zeros((1, 2))]}, "here")
    agent_file._write(folder.path / "a.npz", one, {"format": 1}, [0])


def film(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(writers.WRITERS, ".gif", lambda playback: bytes(10))
    writers.write_film(object.__new__(Playback), folder.film)


def trial(path: Path, meanwhile=lambda: None) -> None:
    plan = Plan(["qmix"], ["two_step"], {"gamma": [0.9, 0.8]})
    book = TrialBook(path)
    meanwhile()
    book.add(plan, "two_step", {"algorithm": "qmix", "gamma": 0.9})


WHOLE = {
    "config.yaml": lambda f, m: config(f).to_yaml(f.config),
    "summary.json": lambda f, m: f.write_json(f.summary, {"status": "finished"}),
    "checkpoints/last.npz": lambda f, m: checkpoint.save(f.last, [{"x": np.zeros(9)}], {}),
    "curve.png": lambda f, m: draw(f),
    "a.npz": lambda f, m: agent(f),
    "film.gif": film,
    "report.html": lambda f, m: page.write_report([], f.report),
    "sweep.yaml": lambda f, m: Plan(["qmix"], ["spread"], {"gamma": [0.9, 0.8]}).write(f.path),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file(folder, monkeypatch, name):
    # Breaks if a full disk ends in a traceback, destroys what was written before, or leaves half a file.
    monkeypatch.setattr(page, "make_report", lambda *args, **options: b"page")
    path = folder.path / name
    path.write_bytes(b"old")
    path.with_name(f"{path.name}.part").symlink_to(FULL)
    with pytest.raises(
        UserError, match=r"the disk is full: .* does not fit at .*nothing written before is lost"
    ):
        WHOLE[name](folder, monkeypatch)
    assert path.read_bytes() == b"old"
    assert not list(folder.path.rglob("*.part"))


GROWING = {
    "metrics.jsonl": lambda f: f.append([{"report": 1, "seed": 0, "step": 8}]),
    "files/mine.py": lambda f: copy_user_files(config(f), f),
}


@pytest.mark.parametrize("name", GROWING)
def test_a_file_that_grows_or_is_copied(folder, name):
    # Breaks if a full disk ends in a traceback where no new file takes an old one's place.
    path = folder.path / name
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(FULL)
    with pytest.raises(UserError, match="the disk is full"):
        GROWING[name](folder)


def test_half_a_trial_is_no_trial(tmp_path):
    # Breaks if a full disk ends a sweep in a traceback, or a line that was cut short spoils the next one.
    file = tmp_path / "trials.jsonl"
    with pytest.raises(UserError, match="the disk is full"):
        trial(tmp_path, lambda: file.symlink_to(FULL))
    file.unlink()
    trial(tmp_path)
    with open(tmp_path / "trials.jsonl", "a") as file:
        file.write('{"number": 1, "envir')
    trial(tmp_path)
    assert [t.number for t in TrialBook(tmp_path).trials] == [0, 1]
    with open(tmp_path / "trials.jsonl", "a") as file:
        file.write('{"number": "two"}\n')
    with pytest.raises(UserError, match=r"trials\.jsonl: line 3 is no trial: number is text"):
        TrialBook(tmp_path)


def test_a_folder_that_moved_away(folder):
    # Breaks if a run whose folder was moved while it trains makes a new folder in its old place.
    folder.config.write_text("")
    folder.path.rename(folder.path.with_name("elsewhere"))
    with pytest.raises(UserError, match=r"the folder .*run has gone.* `covey resume` it where it is now"):
        folder.append([{"report": 1, "seed": 0, "step": 8}])
    assert not folder.path.exists()


def test_an_encoder_without_room(tmp_path, monkeypatch):
    # Breaks if a full disk under ffmpeg, which dies of it, looks like a reader that has gone.
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    dies = tmp_path / "ffmpeg"
    dies.write_text("#!/bin/sh\nexit 1\n")
    dies.chmod(0o700)
    picture = np.zeros((200, 200), np.uint8)
    shot = type("Shot", (), {"picture": picture, "milliseconds": 100 * writers.TICK})
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: str(dies))
    monkeypatch.setattr(writers, "palette_of", lambda playback: np.zeros((256, 3), np.uint8))
    monkeypatch.setattr(writers, "page_size", lambda playback: (200, 200))
    monkeypatch.setattr(writers, "shots", lambda playback: [shot])
    with pytest.raises(UserError, match="ffmpeg could not encode"):
        writers.mp4(object.__new__(Playback))
