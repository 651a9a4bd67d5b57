"""Blame for an unexpected error: a user's own file gets a sentence, covey's own faults a traceback."""

import atexit
import errno
import os
import re
import sys
import sysconfig
import traceback
from contextlib import suppress
from pathlib import Path

from ..errors import OWN_CODE

_LIBRARIES = tuple(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib"))
_COVEY = Path(__file__).parents[1].resolve()
_FRAME = re.compile(r'File "([^"]+)", line (\d+)')
_INSTALLED = (*_LIBRARIES, _COVEY, Path(sys.prefix))


def is_users_file(path: str) -> bool:
    """Return whether a file is neither covey's nor an installed library's."""
    if path.startswith("<"):
        return False
    place = Path(path).resolve()
    return place.is_file() and not any(place.is_relative_to(home) for home in _INSTALLED)


def blame_sentence(error: BaseException) -> str | None:
    """Return which line of the user's file failed and how; None if no such file is involved."""
    if os.environ.get("COVEY_TRACEBACK"):
        return None
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return f"'{str(error.filename)[:40]}…' is longer than the name of a file may be"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if is_users_file(frame.filename)]
    places = [(frame.filename, str(frame.lineno)) for frame in frames]
    lines = str(error).strip().splitlines() or [""]
    reason = "it called sys.exit" if isinstance(error, SystemExit) else f"{type(error).__name__}: {lines[0]}"
    called_back = [match for match in _FRAME.findall(str(error)) if is_users_file(match[0])]
    if called_back:  # by a compiled program: JAX writes the whole traceback into its message
        places = called_back
        reason = lines[-1]
        _let_jax_end_quietly()
    if not places:
        return _blame_on_own_code(error, reason)
    place = f"{Path(places[-1][0]).name}, line {places[-1][1]}"
    return f"{place}: {reason} (COVEY_TRACEBACK=1 shows the whole traceback)"


def _blame_on_own_code(error: BaseException, reason: str) -> str | None:
    """Return that the user's code most likely returned what covey cannot use; None where a run has none."""
    notes = getattr(error, "__notes__", [])
    names = [note.removeprefix(OWN_CODE) for note in notes if note.startswith(OWN_CODE)]
    if not names:
        return None
    return (
        f"{names[0]} does not fit where covey uses it: {reason} (`covey check {names[0]}` tries it alone; "
        "COVEY_TRACEBACK=1 shows the whole traceback)"
    )


def _let_jax_end_quietly() -> None:
    """Keep JAX from raising a failed callback once more when this process ends."""
    with suppress(ImportError, AttributeError):
        from jax._src import api

        atexit.unregister(api.clean_up)
