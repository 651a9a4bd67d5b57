"""Whose fault an unexpected error is: a user's own file gets a sentence, covey's own faults a traceback."""

import os
import sys
import sysconfig
import traceback
from pathlib import Path

LIBRARIES = tuple(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib"))
OURS = Path(__file__).parents[1].resolve()


def foreign(path: str) -> bool:
    """Whether a file is neither covey's nor an installed library's."""
    if path.startswith("<"):
        return False
    place = Path(path).resolve()
    return place.is_file() and not any(
        place.is_relative_to(home) for home in (*LIBRARIES, OURS, Path(sys.prefix))
    )


def sentence(error: Exception) -> str | None:
    """What went wrong in the user's file, and where; None if no such file had a part in it."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if foreign(frame.filename)]
    if not frames or os.environ.get("COVEY_TRACEBACK"):
        return None
    what = str(error).strip().split("\n")[0]
    where = f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}"
    return f"{where}: {type(error).__name__}: {what} (COVEY_TRACEBACK=1 shows how it came to that)"
