"""The rows of metrics on disk: metrics.jsonl, and where a run is very long the parts before it.

A part that has grown to 200 MB gets a number, as metrics.0001.jsonl, and never changes again; metrics.jsonl
begins anew. Together they are one long file, and a place in it counts bytes from the first part's beginning.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from ..files import write_errors_explained
from . import records

LARGEST = 200_000_000  # bytes of a part


def metrics_parts(newest: Path) -> list[Path]:
    """Return all parts, the oldest first; `newest` is metrics.jsonl, whether it is there or not."""
    numbered = newest.parent.glob(f"{newest.stem}.*{newest.suffix}")
    old = [path for path in numbered if path.name.split(".")[1].isdecimal()]
    return [*sorted(old, key=_number), newest]


def _number(part: Path) -> int:
    return int(part.name.split(".")[1])


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def metrics_rows(newest: Path) -> Iterator[records.Row]:
    """Yield the rows of all parts, checked, without a tail that a sudden end left unfinished."""
    return records.read_rows(metrics_parts(newest))


def append_rows(newest: Path, text: bytes) -> int:
    """Add whole rows; return the place of their end."""
    with write_errors_explained("metrics.jsonl", newest):
        if _size(newest) >= LARGEST:
            _close_part(newest)
        before = sum(map(_size, metrics_parts(newest)[:-1]))
        with open(newest, "ab") as file:
            file.write(text)
            file.flush()
            return before + file.tell()


def _close_part(newest: Path) -> None:
    """Give metrics.jsonl a number, once it is safe on the disk."""
    with open(newest, "rb") as file:
        os.fsync(file.fileno())
    number = max(map(_number, metrics_parts(newest)[:-1]), default=0) + 1
    os.replace(newest, newest.with_name(f"{newest.stem}.{number:04d}{newest.suffix}"))


def cut_rows(newest: Path, place: int) -> int:
    """Cut the rows back to a place; return the bytes that are missing before it.

    Where a power cut took their tail, they end with the last whole row before.
    """
    every = metrics_parts(newest)
    starts = [sum(map(_size, every[:i])) for i in range(len(every))]
    with write_errors_explained("metrics.jsonl", newest):
        while len(every) > 1 and starts[-1] > place:  # the newest first, so that no gap is ever left
            every.pop().unlink(missing_ok=True)
            starts.pop()
        last = every[-1]
        end = records.end_of_rows(last, place - starts[-1])
        with open(last, "ab") as file:
            file.truncate(end)
        if last != newest:
            os.replace(last, newest)  # it goes on to grow
    return place - starts[-1] - end
