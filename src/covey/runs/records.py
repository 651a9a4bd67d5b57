"""The records in a run's folder, each checked against its form as it is read.

Damage becomes one sentence: the file, the place in it, and what can still be done.
"""

import errno
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, NamedTuple

from ..errors import UserError

Row = dict[str, Any]
_LONGEST = 10_000_000  # bytes of a record's file, or of a row
_REMEDY = "take the line out to go on without it; weights are not touched, and `covey eval` reads them"


class Each(NamedTuple):
    """The form of a mapping whose keys are free."""

    form: Any


class OrNull(NamedTuple):
    """The form of a value that may be null instead."""

    form: Any


_NUMBER = (int, float)
_SCORES = {"per_seed": [_NUMBER], "mean": _NUMBER, "iqm": _NUMBER, "ci95": [_NUMBER]}
SUMMARY = {
    "status?": str,
    "steps?": int,
    "eval?": {"convention": str, "team": str, "team_return": _SCORES, "teams?": Each(_SCORES)},
    "train?": {"wall_seconds?": _NUMBER},
    "audit?": OrNull({"settings?": {"idle?": dict}}),
}
PROVENANCE = {
    "status": str,
    "time?": str,
    "command?": [str],
    "versions?": Each((str, NoneType)),
    "git?": (dict, NoneType),
    "machine?": dict,
    "spec?": dict,
    "signature?": str,
}
RESUME_POINT = {
    "clock": int,
    "reports": int,
    "best": (*_NUMBER, NoneType),
    "metrics_size": int,
    "seconds": _NUMBER,
    "busy": _NUMBER,
    "done": int,
    "spent?": Each(_NUMBER),
    "faults?": Each(int),
}
FACTS = {"format": int, "leaves": [str], "resume_point?": RESUME_POINT, "score?": _NUMBER, "step?": int}
_ROW = {"report": int, "seed": int, "step": int, "fingerprint?": [str], "seen?": str}
_ROW_TEXTS = ("fingerprint", "seen")
_VALUE = (*_NUMBER, NoneType)  # of everything else in a row
_WORDS = {int: "a whole number", float: "a number", str: "text", dict: "keys and values", NoneType: "null"}
_SEEN_AS = {**_WORDS, list: "a list", bool: "true or false"}


def fault(value: Any, form: Any, place: str = "it") -> str:
    """Return where a value differs from its form, and how; nothing where it does not."""
    if isinstance(form, OrNull):
        return "" if value is None else fault(value, form.form, place)
    if isinstance(form, Each | dict):
        return _fault_in_mapping(value, form, place)
    if isinstance(form, list):
        if not isinstance(value, list):
            return _wrong(place, value, "a list")
        return next(filter(None, (fault(x, form[0], f"{place}[{i}]") for i, x in enumerate(value))), "")
    kinds = form if isinstance(form, tuple) else (form,)
    if isinstance(value, kinds) and not isinstance(value, bool):
        return "" if not isinstance(value, int) or abs(value) < 2**63 else f"{place} is too large a number"
    right = [_WORDS[kind] for kind in kinds if kind is not int or float not in kinds]
    return _wrong(place, value, " or ".join(right))


def _fault_in_mapping(value: Any, form: Any, place: str) -> str:
    if not isinstance(value, dict):
        return _wrong(place, value, "keys and values")
    below = lambda key: f"{place}.{key}" if place != "it" else str(key)
    if isinstance(form, Each):
        return next(filter(None, (fault(x, form.form, below(key)) for key, x in value.items())), "")
    for key, inner in form.items():
        name = key.removesuffix("?")
        if name not in value and not key.endswith("?"):
            return f"{below(name)} is missing"
        if name in value and (wrong := fault(value[name], inner, below(name))):
            return wrong
    return ""


def _wrong(place: str, value: Any, right: str) -> str:
    return f"{place} is {_SEEN_AS.get(type(value), type(value).__name__)}, and should be {right}"


def read_record(path: Path, form: Any, remedy: str) -> dict[str, Any]:
    """Return a record of the run; nothing where there is none yet."""
    if not path.exists():
        return {}
    content: dict[str, Any] = {}
    try:
        refuse_device(path)
        if path.stat().st_size > _LONGEST:
            raise ValueError("it is far larger than any that covey writes")
        content = json.loads(path.read_bytes().decode("utf-8"))
        problem = fault(content, form)
    except (OSError, ValueError, RecursionError) as error:
        problem = _damage(error)
    if problem:
        raise UserError(f"{path}: {problem}; {remedy}")
    return content


def refuse_device(path: Path) -> None:
    """Refuse what has no end, or no content: a link to a device, a pipe."""
    if not path.is_file() and not path.is_dir():
        raise OSError(errno.EINVAL, "it is no file, but a device or a pipe")


def _damage(error: Exception) -> str:
    """Return in words why a text cannot be read as JSON."""
    if isinstance(error, json.JSONDecodeError):
        if not error.doc.strip():
            return "it is empty"
        return f"it is damaged or cut short in line {error.lineno}, column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return f"it is no text from byte {error.start} on"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return f"it cannot be read: {getattr(error, 'strerror', None) or error}"


def read_rows(paths: Sequence[Path]) -> Iterator[Row]:
    """Yield the rows of metrics up to a tail that a sudden end left; refuse damage between whole rows.

    Only the last of several files may have such a tail.
    """
    for path in paths:
        size = path.stat().st_size if path.exists() else 0
        whole = 0
        for row, end in _rows_and_ends(path):
            whole = end
            yield row
        if whole < size and path != paths[-1]:
            raise UserError(f"{path}: after byte {whole:,} it is damaged or cut short; {_REMEDY}")


def end_of_rows(path: Path, size: int) -> int:
    """Return where the last whole row ends within the first `size` bytes."""
    if not path.exists():
        return 0
    if path.is_file() and path.stat().st_size >= size and _ends_whole(path, size):
        return size
    return max((end for _, end in _rows_and_ends(path) if end <= size), default=0)


def _ends_whole(path: Path, size: int) -> bool:
    """Return whether a whole row ends at a place of the file: the usual case, told without reading it all."""
    with open(path, "rb") as file:
        file.seek(max(0, size - _LONGEST))
        lines = file.read(size - file.tell()).splitlines(keepends=True)
    return not lines or _read_row(lines[-1])[0] is not None


def _rows_and_ends(path: Path) -> Iterator[tuple[Row, int]]:
    """Yield each row and the place of its end."""
    if not path.exists():
        return
    damage = ""
    whole = False
    foreign = False
    try:
        refuse_device(path)
        with open(path, "rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(_LONGEST), b""), 1):
                row, problem = _read_row(line)
                if row and damage:
                    raise UserError(f"{path}: {damage}; {_REMEDY}")
                if row:
                    whole = True
                    yield row, file.tell()
                elif not damage:
                    damage = f"line {number} is no row of metrics: {problem}"
                    foreign = line.endswith(b"\n") or not line.startswith(b"{")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}; `covey eval` does without it") from error
    if damage and foreign and not whole:
        raise UserError(f"{path}: {damage}; {_REMEDY}")


def _read_row(line: bytes) -> tuple[Row | None, str]:
    """Return a line's row, or None and the reason why it is none."""
    if not line.endswith(b"\n"):
        return None, "it is cut short"
    try:
        row = json.loads(line.decode("utf-8"))
        problem = fault(row, _ROW) or fault({x: row[x] for x in row if x not in _ROW_TEXTS}, Each(_VALUE))
    except (ValueError, RecursionError) as error:
        return None, _damage(error)
    return (None, problem) if problem else (row, "")
