"""Metrics of very long runs: parts of a bounded size that are read, and cut back, as one file."""

import json

import pytest

from covey.errors import UserError
from covey.runs import metrics_files
from covey.runs.folder import RunFolder


@pytest.fixture
def folder(tmp_path, monkeypatch) -> RunFolder:
    monkeypatch.setattr(metrics_files, "LARGEST", 100)
    return RunFolder.new(tmp_path / "run", "unused")


def reports(folder: RunFolder, first: int, last: int) -> list[int]:
    """Append reports of two seeds; return the place of the end of each."""
    rows = lambda report: [{"report": report, "seed": seed, "step": 8 * report} for seed in (0, 1)]
    return [folder.append(rows(report)) for report in range(first, last)]


def numbers(folder: RunFolder) -> list[int]:
    return [row["report"] for row in folder.rows()]


def test_parts_are_one_file(folder):
    # Breaks if a part grows without bound, a row is lost between two parts, or they are read out of order.
    places = reports(folder, 0, 30)
    parts = metrics_files.metrics_parts(folder.metrics)
    assert len(parts) > 10 and parts[-1] == folder.metrics and parts[0].name == "metrics.0001.jsonl"
    assert all(part.stat().st_size < 250 for part in parts)
    assert numbers(folder) == [report for report in range(30) for _ in (0, 1)]
    assert places[-1] == sum(part.stat().st_size for part in parts)


@pytest.mark.parametrize("kept", [1, 2, 3, 7, 8, 29, 30])
def test_cut_back_over_parts(folder, kept):
    # Breaks if a resumed run keeps rows that are to come again, loses earlier ones, or grows other parts than
    # the unbroken run does.
    places = reports(folder, 0, 30)
    whole = {path.name: path.read_text() for path in folder.path.glob("metrics*")}
    assert folder.cut(places[kept - 1]) == 0
    assert numbers(folder) == [report for report in range(kept) for _ in (0, 1)]
    assert reports(folder, kept, 30) == places[kept:]
    assert {path.name: path.read_text() for path in folder.path.glob("metrics*")} == whole


def test_a_lost_tail_of_the_newest_part(folder):
    # Breaks if a power cut, which takes the end of the newest part, stops the reading or the resuming.
    places = reports(folder, 0, 9)
    text = folder.metrics.read_bytes()
    folder.metrics.write_bytes(text[:-5])
    assert numbers(folder)[-1] == 8 and len(numbers(folder)) == 17
    last = len(text.splitlines(keepends=True)[-1])
    assert folder.cut(places[-1]) == last
    assert reports(folder, 9, 10)
    assert numbers(folder)[-3:] == [8, 9, 9]


def test_damage_in_an_old_part_is_told(folder):
    # Breaks if rows in the middle of a long run are passed over without a word.
    reports(folder, 0, 9)
    first = metrics_files.metrics_parts(folder.metrics)[0]
    first.write_bytes(first.read_bytes()[:-5])
    with pytest.raises(UserError, match=r"metrics\.0001\.jsonl: after byte \d+ it is damaged or cut short"):
        numbers(folder)


def test_other_files_are_no_parts(folder):
    # Breaks if a copy that somebody left beside the metrics is read as a part of them.
    (folder.path / "metrics.old.jsonl").write_text(json.dumps({"report": 9, "seed": 0, "step": 1}) + "\n")
    reports(folder, 0, 1)
    assert numbers(folder) == [0, 0]
