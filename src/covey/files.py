"""Files that appear whole or not at all, and what the file system refuses as a sentence."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .errors import UserError


@contextmanager
def write_errors_explained(what: str, path: Path) -> Iterator[None]:
    """Turns what the file system refuses into a sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = shutil.disk_usage(path.parent).free / 1e6 if path.parent.exists() else 0
            raise UserError(
                f"the disk is full: {what} does not fit at {path} ({free:,.0f} MB free); nothing written "
                "before is lost: free some space, then `covey resume` the run"
            ) from error
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise UserError(
            f"cannot write {what} at {path}: {reason}; choose another folder with --out"
        ) from error


@contextmanager
def atomic(path: Path, what: str) -> Iterator[BinaryIO]:
    """A file that appears whole or not at all, whenever the program or the machine stops."""
    aside = path.with_name(path.name + ".part")
    with write_errors_explained(what, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(aside, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
