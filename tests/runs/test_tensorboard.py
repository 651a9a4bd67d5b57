"""TensorBoard's files: every number of a row under its name and step, and a full disk in a sentence."""

import errno
import struct

import pytest
from tensorboardX.proto import event_pb2

from covey.errors import UserError
from covey.runs.tensorboard import TensorBoard

ROW = {
    "report": 1,
    "seed": 0,
    "step": 80,
    "seconds": 0.5,
    "updates": 3,
    "train/return/team": 2.5,
    "loss": None,
}


def events(path) -> list:
    """Read a file of TensorBoard's: a length, its checksum, an event, its checksum, and so on."""
    content = path.read_bytes()
    found = []
    at = 0
    while at < len(content):
        (length,) = struct.unpack("<Q", content[at : at + 8])
        event = event_pb2.Event()  # pyright: ignore
        event.ParseFromString(content[at + 12 : at + 12 + length])
        found.append(event)
        at += length + 16
    return found


def test_rows_are_events(tmp_path):
    # Breaks if a curve has another name, step or value, a count becomes a curve, or rows of an unfinished run
    # stay beside those that replace them.
    board = TensorBoard(tmp_path, 2, 41)
    board.write([ROW, ROW | {"seed": 1, "an agent's name": 1.0}])
    board.close()
    first, second = (next((tmp_path / f"seed_{seed}").glob("events*")) for seed in (0, 1))
    version, start, event = events(first)
    assert version.file_version == "brain.Event:2"
    assert start.session_log.status == event_pb2.SessionLog.START and start.step == 41  # pyright: ignore
    values = {value.tag: value.simple_value for value in event.summary.value}
    assert values == {"seconds": 0.5, "train/return/team": 2.5} and event.step == 80
    assert "an_agent_s_name" in {value.tag for value in events(second)[2].summary.value}


def test_a_full_disk(tmp_path, monkeypatch):
    # Breaks if a full disk kills a thread that nobody listens to, and training waits for it for ever.
    board = TensorBoard(tmp_path, 1, 1)

    def full(event):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(board.writers[0], "write_event", full)
    with pytest.raises(UserError, match="the disk is full: TensorBoard's files"):
        board.write([ROW])
    board.close()
