"""Whether two folders hold the same run, to the bit.

They do if these are equal: the settings, every array of the last and best checkpoints and of those kept by
their steps, the position in the run, every row of metrics, the summary. Seconds are exempt. The curve and the
report must be there, and no half-written file.
"""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from covey.runs.folder import RunFolder

_SECONDS = ("seconds", "busy", "spent", "wall_seconds", "compile_seconds", "env_steps_per_second")


def difference(whole: Path, path: Path) -> str:
    """Return what differs between two folders of runs, or of sweeps; nothing where all is equal."""
    if (whole / "sweep.yaml").exists():
        return next(filter(None, _differences_of_sweeps(whole, path)), "")
    return next(filter(None, _differences(whole, path)), "")


def _differences(whole: Path, path: Path) -> Iterator[str]:
    yield _if_different("config.yaml", *(_text(p / "config.yaml") for p in (whole, path)))
    names = [sorted(p.name for p in (f / "checkpoints").glob("*.npz")) for f in (whole, path)]
    yield _if_different("the names of checkpoints", *names)
    for name in names[0]:
        yield _difference_of_arrays(*(p / "checkpoints" / name for p in (whole, path)))
    rows = [[untimed(row) for row in RunFolder(p).rows()] for p in (whole, path)]
    yield _if_different("metrics.jsonl", *rows)
    yield _if_different("summary.json", *(untimed(RunFolder(p).read_summary()) for p in (whole, path)))
    yield _if_different("the status in run.json", *(RunFolder(p).read_run()["status"] for p in (whole, path)))
    for name in ("curve.png", "report.html"):
        yield f"there is no {name}" if (whole / name).exists() and not (path / name).exists() else ""
    yield from (f"{p.name} is left" for p in path.rglob("*.part"))


def _differences_of_sweeps(whole: Path, path: Path) -> Iterator[str]:
    runs = [sorted(str(p.parent.relative_to(f)) for p in f.rglob("config.yaml")) for f in (whole, path)]
    yield _if_different("the trials", *runs)
    for name in runs[0]:
        yield from (f"{name}: {text}" for text in _differences(whole / name, path / name) if text)
    yield from (f"{p.name} is left" for p in path.rglob("*.part"))


def untimed(tree: Any) -> Any:
    """Return data without its seconds."""
    if isinstance(tree, dict):
        return {key: untimed(value) for key, value in tree.items() if key not in _SECONDS}
    return [untimed(x) for x in tree] if isinstance(tree, list) else tree


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _if_different(what: str, a: Any, b: Any) -> str:
    return "" if a == b else f"{what} differs"


def _difference_of_arrays(a: Path, b: Path) -> str:
    """Return what differs between two checkpoints; their metrics' size holds the digits of seconds."""
    with zipfile.ZipFile(a) as first, zipfile.ZipFile(b) as second:
        if first.namelist() != second.namelist():
            return f"{a.name} has other entries"
        for name in first.namelist():
            if name.endswith(".npy"):
                pair = [np.lib.format.read_array(z.open(name)) for z in (first, second)]
                if pair[0].tobytes() != pair[1].tobytes() or pair[0].dtype != pair[1].dtype:
                    return f"{a.name} differs in {name}"
            else:
                facts = [untimed(json.loads(z.read(name))) for z in (first, second)]
                for fact in facts:
                    fact.get("resume_point", {}).pop("metrics_size", None)
                if facts[0] != facts[1]:
                    return f"{a.name} differs in {name}"
    return ""
