"""Archives of arrays: a zip of plain `.npy` arrays and one JSON file. Nothing in them is executed.

Nothing in them is believed, either: what is not as covey writes it becomes a sentence.
"""

import json
import math
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from ..errors import UserError
from . import records

# Whatever reading a file can raise that is none of covey's.
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, LookupError, SyntaxError),
    *(MemoryError, OverflowError, RecursionError, NotImplementedError, tokenize.TokenError),
)


class Archive(zipfile.ZipFile):
    """An archive opened for reading; damage becomes the sentence `damaged`."""

    def __init__(self, path: Path, damaged: UserError):
        self.where = path
        self.damaged = damaged
        try:
            records.refuse_device(path)
            super().__init__(path)
            self._refuse_packed()
        except _DAMAGE as error:
            raise damaged from error

    def __exit__(self, kind, error, trace):
        super().__exit__(kind, error, trace)
        if isinstance(error, _DAMAGE):
            raise self.damaged from error

    def _refuse_packed(self) -> None:
        """Refuse entries that covey never writes: packed ones, which may be endless, and encrypted ones."""
        entries = self.infolist()
        plain_size = lambda x: x.file_size == x.compress_size and not x.compress_type
        packed = [x for x in entries if not plain_size(x) or x.flag_bits & 1]
        if packed:
            what = "is encrypted" if packed[0].flag_bits & 1 else "is packed"
            raise UserError(f"{self.where}: its entry {packed[0].filename} {what}, and covey's never are")
        if sum(x.file_size for x in entries) > self.where.stat().st_size:
            raise zipfile.BadZipFile("entries overlap")

    def record(self, name: str, version: int, form: dict[str, Any], remedy: str) -> dict[str, Any]:
        """Return the content of a JSON file, of this version of its format and of this form."""
        content = json.loads(self.read(name))
        problem = records.fault(content, {"format": int})
        if not problem and content["format"] != version:
            raise UserError(
                f"{self.where} has format {content['format']}, and this covey reads format {version}"
            )
        problem = problem or records.fault(content, form)
        if problem:
            raise UserError(f"{self.where}: in its {name} {problem}; {remedy}")
        return content

    def array(self, name: str) -> Shaped[np.ndarray, "..."]:
        """Return an array."""
        self.header(name)
        with self.open(name) as entry:
            return np.lib.format.read_array(entry, allow_pickle=False)

    def header(self, name: str) -> tuple[tuple[int, ...], np.dtype]:
        """Return an array's shape and type; refuse a header that claims another size than its entry has."""
        with self.open(name) as entry:
            major, _ = np.lib.format.read_magic(entry)
            read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
            shape, _, dtype = read[major](entry)
            left = self.getinfo(name).file_size - entry.tell()
        if dtype.hasobject or math.prod(shape) * dtype.itemsize != left:
            raise ValueError(f"{name} claims {shape} of {dtype}")
        return shape, dtype


def undated(name: str) -> zipfile.ZipInfo:
    """Return an entry without the time of day: a zip has none before 1980, where a wrong clock may stand."""
    return zipfile.ZipInfo(name)


def write_array(archive: zipfile.ZipFile, name: str, x: Shaped[np.ndarray, "..."]) -> None:
    """Add an array to an archive that is written."""
    with archive.open(undated(name), "w", force_zip64=True) as entry:
        np.lib.format.write_array(entry, x, allow_pickle=False)
