"""Results of other libraries as series of numbers: sacred's folders, XuanCe's CSV, TensorBoard's files.

Formats: PyMARL c971afdc and EPyMARL cbc38c09 (`src/utils/logging.py`, `plot_results.py`), XuanCe 4f0b05b2
(`xuance/engine/run_marl.py`), TensorBoard's event files (TFRecord: a length, its checksum, an event, its
checksum).
"""

import csv
import json
import math
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ..config import catalogue
from ..errors import UserError

_SEED = re.compile(r"seed_?(\d+)")
_ALGORITHMS = {
    **{name: name for name in catalogue.ALGORITHMS},
    "rmappo": "mappo",
    "cwqmix": "cw_qmix",
    "owqmix": "ow_qmix",
}
_UNTOLD = ("seed", "env_args", "name", "env", "algo", "agent", "env_name", "env_id", "env_seed", "method")


class SeriesPoint(NamedTuple):
    """A number that was recorded after so many environment steps."""

    step: int
    value: float
    time: float | None = None  # seconds, from any start


@dataclass(frozen=True)
class ForeignRun:
    """One seed's results in another library."""

    library: str
    path: Path
    algorithm: str
    world: tuple[
        str, str
    ]  # the kind of world and its name, as the library has them; "" where it does not tell
    seed: int | None
    series: Mapping[str, list[SeriesPoint]]
    settings: Mapping[str, Any] = field(default_factory=dict)


def find_results(root: Path) -> list[ForeignRun]:
    """Return all results at or below a path, seed by seed."""
    if not root.exists():
        raise UserError(f"there is nothing at {root}: name a file or a folder of results")
    files = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
    found = [_read_sacred(path) for path in files if path.name == "info.json"]
    found += [_read_learning_curve(path) for path in files if path.name == "learning_curve.csv"]
    if not found:
        events = [path for path in files if "tfevents" in path.name]
        found = [_read_events(folder, own) for folder, own in _by_run(events).items()]
    if not found:
        raise UserError(
            f"{root} holds no results that are known: sacred's info.json (PyMARL, EPyMARL), XuanCe's "
            "learning_curve.csv, or TensorBoard's event files"
        )
    return found


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    return content if isinstance(content, dict) else {}


def _read_sacred(path: Path) -> ForeignRun:
    """Read a folder of sacred's: info.json, config.json and, where EPyMARL wrote it, metrics.json."""
    info = _read_json(path)
    config = _read_json(path.with_name("config.json")) if path.with_name("config.json").exists() else {}
    series = {
        name: _points(info[f"{name}_T"], values)
        for name, values in info.items()
        if isinstance(values, list) and isinstance(info.get(f"{name}_T"), list)
    }
    metrics = _read_json(path.with_name("metrics.json")) if path.with_name("metrics.json").exists() else {}
    for name, told in metrics.items():
        if isinstance(told, dict) and not series.get(name):
            series[name] = _points(told.get("steps") or [], told.get("values") or [])
    world = config.get("env_args") or {}
    return ForeignRun(
        library="EPyMARL" if "common_reward" in config else "PyMARL",
        path=path.parent,
        algorithm=str(config.get("name") or _algorithm_in(path)),
        world=(str(config.get("env", "")), str(world.get("map_name") or world.get("key") or "")),
        seed=_whole(config.get("seed")),
        series=series,
        settings=_told(config) | {f"env_args.{name}": x for name, x in world.items() if name != "seed"},
    )


def _points(steps: list[Any], values: list[Any]) -> list[SeriesPoint]:
    pairs = zip(map(_number, steps), map(_number, values), strict=False)
    return [SeriesPoint(int(step), value) for step, value in pairs if step is not None and value is not None]


def _number(x: Any) -> float | None:
    """Return a number, also as sacred writes one of NumPy's: {"py/object": …, "value": …}."""
    x = x.get("value") if isinstance(x, dict) else x
    is_number = isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x)
    return float(x) if is_number else None


def _whole(x: Any) -> int | None:
    number = _number(x)
    return None if number is None else int(number)


def _told(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are plain values, without those that name the run."""
    plain = (bool, int, float, str)
    return {name: x for name, x in config.items() if isinstance(x, plain) and name not in _UNTOLD}


def _read_learning_curve(path: Path) -> ForeignRun:
    """Read XuanCe's curve, a row for each evaluation: the step, and the mean return of its episodes."""
    config = path.with_name("config.json")
    told = _read_json(config) if config.exists() else {}
    with open(path, newline="", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if len(row) >= 2]
    try:
        points = [SeriesPoint(int(float(row[0])), float(row[1])) for row in rows[1:]]
    except ValueError as error:
        raise UserError(f"{path} is no learning curve of XuanCe's: {error}") from error
    seed = _whole(told.get("seed"))
    return ForeignRun(
        library="XuanCe",
        path=path.parent,
        algorithm=_known_algorithm(str(told.get("algo") or told.get("agent") or "")) or _algorithm_in(path),
        world=(str(told.get("env_name", "")), str(told.get("env_id") or path.parent.name)),
        seed=_seed_in(path) if seed is None else seed,
        series={"avg_return": points},
        settings=_told(told),
    )


def _seed_in(path: Path) -> int | None:
    match = _SEED.search(str(path))
    return int(match[1]) if match else None


def _known_algorithm(name: str) -> str:
    """Return covey's name of an algorithm, or nothing."""
    plain = name.lower().removesuffix("_agents").partition("__")[0]
    return _ALGORITHMS.get(plain, _ALGORITHMS.get(plain.replace("-", "").replace("_", ""), ""))


def _algorithm_in(path: Path) -> str:
    """Return the algorithm that a path names, or its folder's name."""
    known = [name for part in reversed(path.parts) if (name := _known_algorithm(part))]
    return known[0] if known else path.parent.name


def _by_run(files: list[Path]) -> dict[Path, list[Path]]:
    """Return event files by run: those in a folder, and below it those of single curves."""
    runs: dict[Path, list[Path]] = {}
    for path in sorted(files, key=lambda path: len(path.parts)):
        root = next((folder for folder in runs if path.is_relative_to(folder)), path.parent)
        runs.setdefault(root, []).append(path)
    return runs


def _read_events(folder: Path, files: list[Path]) -> ForeignRun:
    """Read the scalars of a run's event files."""
    series: dict[str, list[SeriesPoint]] = {}
    for path in sorted(files):
        for tag, point in _scalars(path):
            series.setdefault(tag, []).append(point)
    world = next((part for part in reversed(folder.parts) if part.startswith("simple_")), "")
    return ForeignRun(
        library="TensorBoard",
        path=folder,
        algorithm=_algorithm_in(folder / "events"),
        world=("mpe" if world else "", world),
        seed=_seed_in(folder),
        series={tag: sorted(points) for tag, points in series.items()},
    )


def _scalars(path: Path) -> Iterator[tuple[str, SeriesPoint]]:
    """Yield the scalars of an event file, up to where it is cut short."""
    from tensorboardX.proto import event_pb2

    raw = path.read_bytes()
    at = 0
    while at + 12 <= len(raw):
        (length,) = struct.unpack_from("<Q", raw, at)
        content = raw[at + 12 : at + 12 + length]
        at += 16 + length
        if len(content) < length:
            return
        event = event_pb2.Event()  # pyright: ignore[reportAttributeAccessIssue]
        try:
            event.ParseFromString(content)
        except Exception as error:  # of protobuf, which has a class of its own for it
            raise UserError(f"{path} is damaged, or no event file of TensorBoard's") from error
        for value in event.summary.value:
            number = _scalar(value)
            if number is not None:
                yield value.tag, SeriesPoint(int(event.step), number, event.wall_time)


def _scalar(value: Any) -> float | None:
    """Return a value's number: plain, or in a tensor, as newer writers have it."""
    if value.HasField("simple_value"):
        return float(value.simple_value)
    tensor = value.tensor
    if list(tensor.float_val):
        return float(tensor.float_val[0])
    sizes = {1: "<f", 2: "<d"}  # of its types: float, double
    form = sizes.get(tensor.dtype)
    whole = form is not None and len(tensor.tensor_content) == struct.calcsize(form)
    return float(struct.unpack(form, tensor.tensor_content)[0]) if whole and form else None
