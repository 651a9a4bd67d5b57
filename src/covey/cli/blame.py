"""Blame for an unexpected error: a user's own file gets a sentence, covey's own faults a traceback."""

import os
import sys
import sysconfig
import traceback
from pathlib import Path

_LIBRARIES = tuple(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib"))
_COVEY = Path(__file__).parents[1].resolve()
_INSTALLED = (*_LIBRARIES, _COVEY, Path(sys.prefix))


def is_users_file(path: str) -> bool:
    """Return whether a file is neither covey's nor an installed library's."""
    if path.startswith("<"):
        return False
    place = Path(path).resolve()
    return place.is_file() and not any(place.is_relative_to(home) for home in _INSTALLED)


def blame_sentence(error: Exception) -> str | None:
    """Return which line of the user's file failed and how; None if no such file is involved."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if is_users_file(frame.filename)]
    if not frames or os.environ.get("COVEY_TRACEBACK"):
        return None
    last = frames[-1]
    reason = str(error).strip().split("\n")[0]
    place = f"{Path(last.filename).name}, line {last.lineno}"
    return f"{place}: {type(error).__name__}: {reason} (COVEY_TRACEBACK=1 shows the whole traceback)"
