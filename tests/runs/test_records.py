"""What a run folder holds is checked as it is read: damage gives a sentence with file, place and remedy."""

import io
import json
import zipfile
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import pytest

from covey import yaml_text
from covey.config.config import Config
from covey.errors import UserError
from covey.runs import checkpoint, records
from covey.runs.folder import RunFolder
from covey.runs.session import ResumePoint

ROW = {"report": 1, "seed": 0, "step": 8, "seconds": 1.5, "loss": None, "fingerprint": ["0a"], "seen": "0b"}
SCORES = {"per_seed": [1.0], "mean": 1.0, "iqm": 1.0, "ci95": [1.0, 1.0]}
SUMMARY = {"status": "finished", "eval": {"convention": "", "team": "team", "team_return": SCORES}}
RUN = {"status": "finished", "versions": {"jax": None}, "git": None}
POINT = {"clock": 1, "reports": 1, "best": None, "metrics_size": 0, "seconds": 1.0, "busy": 1, "done": 8}


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    folder = RunFolder.new(tmp_path / "run", "unused")
    Config.parse("qmix", "two_step").to_yaml(folder.config)
    folder.write_json(folder.summary, SUMMARY)
    folder.write_json(folder.run, RUN)
    folder.append([ROW, {**ROW, "report": 2}, {**ROW, "report": 3}])
    checkpoint.save(folder.last, [STATE], {"resume_point": POINT})
    return folder


STATE = {"learners": {"w": np.ones((2, 3), np.float32)}, "steps": np.ones(2, np.int32)}
READ = {
    "config.yaml": lambda folder: Config.from_yaml(folder.config).build(),
    "summary.json": lambda folder: folder.read_summary(),
    "run.json": lambda folder: folder.read_run(),
    "metrics.jsonl": lambda folder: list(folder.rows()),
    "checkpoints/last.npz": lambda folder: checkpoint.restore_state(folder.last, STATE),
}
DAMAGED = {
    "empty": b"",
    "null": b"null",
    "a list": b"[1, 2]",
    "a number": b"7\n",
    "no text": b"\xff\xfe\x00\x81" * 50,
    "zeros": bytes(4000),
    "half of it": None,
    "deep": b"[" * 100_000,
    "deep and closed": b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"\n",
    "a foreign file": b'{"learners": 5, "eval": {"team_return": []}, "versions": 1, "report": "x"}\n',
}


# Catches a link to what has no end, which a folder from elsewhere may hold: reading it would never end.
@pytest.mark.parametrize("name", [name for name in READ if name != "config.yaml"])
def test_a_device_is_no_file(folder, name):
    path = folder.path / name
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(UserError, match=path.name):
        READ[name](folder)


# Catches a traceback, and a sentence that does not say which file it is about.
@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("damage", [*DAMAGED, "a folder in its place"])
def test_damage_is_told(folder, name, damage):
    path = folder.path / name
    READ[name](folder)
    whole = path.read_bytes()
    path.unlink()
    if damage == "a folder in its place":
        path.mkdir()
    else:
        content = DAMAGED[damage]
        path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    if name == "metrics.jsonl" and damage in ("empty", "half of it"):  # what a sudden end leaves
        assert len(READ[name](folder)) < 3
        return
    with pytest.raises(UserError) as error:
        READ[name](folder)
    assert Path(name).name in str(error.value)
    assert len(str(error.value)) < 500


def returns(**changes):
    """Return a summary whose returns are changed."""
    return {"eval": SUMMARY["eval"] | {"team_return": SCORES | changes}}


WRONG = [
    ("summary.json", returns(mean="1"), "eval.team_return.mean is text, and should be a number"),
    ("summary.json", returns(per_seed=[None]), r"eval.team_return.per_seed\[0\] is null, and should"),
    ("summary.json", {"eval": {"team": "team"}}, "eval.convention is missing"),
    ("summary.json", {"audit": {"settings": []}}, "audit.settings is a list, and should be keys and values"),
    ("summary.json", {"audit": "none"}, "audit is text, and should be keys and values"),
    ("run.json", {"status": 5}, "status is a whole number, and should be text"),
    ("run.json", RUN | {"versions": []}, "versions is a list, and should be keys and values"),
]


# Catches a wrong type that comes to light later, as an error of Python's.
@pytest.mark.parametrize(("name", "content", "said"), WRONG)
def test_a_wrong_type_is_told_with_its_place(folder, name, content, said):
    (folder.path / name).write_text(json.dumps(content))
    with pytest.raises(UserError, match=rf"{name}: {said}.*; .*`covey eval` does without it"):
        READ[name](folder)


# Catches rows that are taken on trust, and a damaged row that silently ends a curve.
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({**ROW, "seed": "0"}, "seed is text, and should be a whole number"),
        ({**ROW, "loss": "low"}, "loss is text, and should be a number or null"),
        ({**ROW, "report": 1e400}, "report is a number, and should be a whole number"),
        ({**ROW, "step": 10**30}, "step is too large a number"),
        ({**ROW, "fingerprint": "0a"}, "fingerprint is text, and should be a list"),
        ({"seed": 0}, "report is missing"),
        ([], "it is a list, and should be keys and values"),
    ],
)
def test_a_row_between_others_is_told_with_its_line(folder, line, said):
    folder.metrics.write_text("".join(json.dumps(x) + "\n" for x in (ROW, line, ROW)))
    with pytest.raises(
        UserError, match=rf"metrics.jsonl: line 2 is no row of metrics: {said}; take the line out"
    ):
        list(folder.rows())


# Catches zeros in metrics.jsonl where a power cut took its tail, and rows that are lost without need.
@pytest.mark.parametrize("left", [b"", b'{"report": 3', bytes(900), b"\xff\n"])
def test_a_lost_tail_ends_with_the_last_whole_row(folder, left):
    whole = folder.metrics.read_bytes()
    lines = whole.splitlines(keepends=True)
    folder.metrics.write_bytes(lines[0] + lines[1] + left)
    assert folder.cut(len(whole)) == len(lines[2])
    assert folder.metrics.read_bytes() == lines[0] + lines[1]
    folder.metrics.write_bytes(whole + lines[0])
    assert folder.cut(len(whole)) == 0
    assert folder.metrics.read_bytes() == whole


def entries(folder) -> dict[str, bytes]:
    with zipfile.ZipFile(folder.last) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(folder, parts, **options) -> None:
    with zipfile.ZipFile(folder.last, "w", **options) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def header(shape, dtype="<f4") -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue()


def facts(**changes):
    known = {"format": 2, "leaves": ["learners.w", "steps"], "resume_point": POINT}
    return json.dumps({key: value for key, value in (known | changes).items() if value != "gone"}).encode()


CHECKPOINTS = {
    "a header that claims 4 TB": ({"0/0.npy": header((10**12,))}, "damaged"),
    "a header of objects": ({"0/0.npy": header((2, 3), "|O") + bytes(48)}, "damaged"),
    "a negative shape": ({"0/0.npy": header((-1, 3)) + bytes(24)}, "damaged"),
    "no header": ({"0/0.npy": b"nothing"}, "damaged"),
    "another type": ({"0/0.npy": header((2, 3), "<f8") + bytes(48)}, "learners.w is float64"),
    "NaN": ({"0/0.npy": header((2, 3)) + np.full(6, np.nan, "<f4").tobytes()}, "NaN"),
    "no array": ({"0/0.npy": None}, "damaged"),
    "a lane with another name": ({"x/0.npy": b""}, "damaged"),
    "facts: a list": ({"facts.json": b"[]"}, "in its facts.json it is a list"),
    "facts: no JSON": ({"facts.json": b"{"}, "damaged"),
    "facts: deep": ({"facts.json": b"[" * 100_000}, "damaged"),
    "facts: a mark of the wrong type": ({"facts.json": facts(format="2")}, "format is text, and should be"),
    "facts: another format": ({"facts.json": facts(format=3)}, "has format 3, and this covey reads format 2"),
    "facts: names that are none": ({"facts.json": facts(leaves=[1, 2])}, r"leaves\[0\] is a whole number"),
    "facts: no names": ({"facts.json": facts(leaves="gone")}, "leaves is missing"),
    "facts: too few names": ({"facts.json": facts(leaves=["steps"])}, "it has no learners.w"),
    "facts: another state": ({"facts.json": facts(leaves=["learners.w", "steps", "x"])}, "it also holds x"),
}  # fmt: skip


# Catches a checkpoint that is believed: memory that is taken before it is there, types that are not checked.
@pytest.mark.parametrize(("change", "said"), CHECKPOINTS.values(), ids=CHECKPOINTS)
def test_a_checkpoint_is_not_believed(folder, change, said):
    parts = {name: x for name, x in (entries(folder) | change).items() if x is not None}
    written(folder, parts)
    with pytest.raises(UserError, match=rf"last.npz.*{said}"):
        checkpoint.restore_state(folder.last, STATE)


# Catches an entry that is unpacked: a bomb, a method that Python does not know, a password that is asked for.
@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packed_checkpoints_are_refused(folder, method):
    written(folder, entries(folder) | {"0/0.npy": bytes(10**7)}, compression=method)
    with pytest.raises(UserError, match=r"last.npz: its entry .* is packed, and covey's never are"):
        checkpoint.restore_state(folder.last, STATE)


@pytest.mark.parametrize(("place", "value", "said"), [(8, 1, "is encrypted"), (10, 99, "is packed")])
def test_encrypted_and_unknown_entries_are_refused(folder, place, value, said):
    content = bytearray(folder.last.read_bytes())
    directory = content.index(b"PK\x01\x02")
    content[directory + place] |= value
    folder.last.write_bytes(content)
    with pytest.raises(UserError, match=f"last.npz: its entry .* {said}"):
        checkpoint.restore_state(folder.last, STATE)


# Catches a field of the position that checkpoints write and its form does not know, so that nothing resumes.
def test_every_field_of_a_position_has_a_form():
    known = {name.removesuffix("?") for name in records.RESUME_POINT}
    assert known == {field.name for field in fields(ResumePoint)}
    assert records.fault(asdict(ResumePoint()), records.RESUME_POINT) == ""


# Catches a position in the run that is taken on trust.
@pytest.mark.parametrize(
    "point", ["gone", {**POINT, "clock": -1}, {**POINT, "more": 1}, {**POINT, "done": "8"}, [], {}]
)
def test_a_position_is_checked(folder, point):
    written(folder, entries(folder) | {"facts.json": facts(resume_point=point)})
    with pytest.raises(UserError, match=r"last\.npz"):
        checkpoint.resume_point(folder.last, checkpoint.read_facts(folder.last))


# Catches a sentence about a setting that does not name the file in which it stands.
@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("seeds", 0, "seeds takes a whole number between 1"),
        ("envs", "many", "envs takes a whole number"),
        ("learners", {"team": 5}, "learners.team takes keys and values"),
        ("learners", {"team": {"name": "qmix", "gamma": 5}}, "gamma takes a number between 0 and 1, not 5"),
        ("learners", {"team": {"name": "qmix", "epsilon": {"start": 5}}}, "epsilon.start takes a number"),
        ("learners", {}, "learners"),
        ("env", {"horizon": -1}, "two_step has no setting 'env.horizon'"),
        ("env", 5, "env takes keys and values"),
        ("algorithm", ["qmix"], "algorithm takes text"),
        ("device", "tpu", "device takes cpu or gpu or null"),
    ],
)
def test_a_setting_is_told_with_its_file(folder, field, value, said):
    tree = yaml_text.read_file(folder.config) | {field: value}
    folder.config.write_text(yaml_text.to_text(tree))
    with pytest.raises(UserError, match=rf"config.yaml.*{said}"):
        READ["config.yaml"](folder)
