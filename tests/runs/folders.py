"""What two runs' folders have in common."""

import json
import zipfile
from pathlib import Path

import numpy as np

TIMES = ("seconds",)


def rows(path: Path) -> list[dict]:
    """The metrics without times, which are exempt."""
    found = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key not in TIMES} for row in found]


def arrays(path: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(path / "checkpoints" / "last.npz") as archive:
        names = [name for name in archive.namelist() if name.endswith(".npy")]
        return {name: np.lib.format.read_array(archive.open(name)) for name in names}


def assert_same_arrays(a: Path, b: Path) -> None:
    first = arrays(a)
    second = arrays(b)
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)


def assert_same(a: Path, b: Path) -> None:
    assert rows(a) == rows(b)
    assert_same_arrays(a, b)
