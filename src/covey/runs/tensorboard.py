"""TensorBoard's files: the rows of metrics once more, a folder for each seed."""

import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..files import write_errors_explained

_COUNTS = ("report", "seed", "step", "updates")  # columns that are no curves
_NOT_IN_TAGS = re.compile(r"[^-/\w.]")


class TensorBoard:
    """The files of a run. Rows from step `purge` on belong to an interrupted run.

    They are written in this thread: a writer with a thread of its own, as tensorboardX's, dies of a full disk
    without a word, and the run would wait for it.
    """

    def __init__(self, path: Path, seeds: int, purge: int):
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto import event_pb2, summary_pb2

        self.path = path
        self.events: Any = event_pb2
        self.summaries: Any = summary_pb2
        start = self.events.SessionLog(status=self.events.SessionLog.START)
        with write_errors_explained("TensorBoard's files", path):
            folders = [path / f"seed_{seed}" for seed in range(seeds)]
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True)
            self.writers = [EventsWriter(str(folder / "events")) for folder in folders]
            for writer in self.writers:
                writer.write_event(self.events.Event(wall_time=time.time(), step=purge, session_log=start))
                writer.flush()

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Write an event for each row."""
        with write_errors_explained("TensorBoard's files", self.path):
            for row in rows:
                values = [
                    self.summaries.Summary.Value(tag=_NOT_IN_TAGS.sub("_", name), simple_value=value)
                    for name, value in row.items()
                    if isinstance(value, int | float) and name not in _COUNTS
                ]
                summary = self.summaries.Summary(value=values)
                event = self.events.Event(wall_time=time.time(), step=row["step"], summary=summary)
                writer = self.writers[row["seed"]]
                writer.write_event(event)
                writer.flush()

    def close(self) -> None:
        for writer in self.writers:
            with suppress(OSError):  # of a disk that is full; everything was written before, or this was said
                writer.close()
