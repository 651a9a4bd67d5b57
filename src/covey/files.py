"""Files that appear whole or not at all, and refusals of the file system as a sentence."""

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
    """Turn what the file system refuses into a sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = shutil.disk_usage(path.parent).free / 1e6 if path.parent.exists() else 0
            raise UserError(
                f"the disk is full: {what} does not fit at {path} ({free:,.0f} MB free); nothing written "
                "before is lost: free some space, then `covey resume` the run"
            ) from error
        if error.errno == errno.ENOENT and not path.parent.exists():
            raise UserError(
                f"cannot write {what}: the folder {path.parent} has gone. If it was moved while this ran, "
                "what was saved went with it: `covey resume` it where it is now"
            ) from error
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise UserError(
            f"cannot write {what} at {path}: {reason}; choose another place with --out"
        ) from error


@contextmanager
def atomic(path: Path, what: str) -> Iterator[BinaryIO]:
    """Open a file that appears whole or not at all, even if the program or the machine stops."""
    part = path.with_name(path.name + ".part")
    with write_errors_explained(what, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(part, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())  # a rename must not reach the disk before the content
            os.replace(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
