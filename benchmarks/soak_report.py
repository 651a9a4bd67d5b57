"""Samples of `benchmarks.soak`: taken, read, judged and drawn."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from covey.runs.folder import RunFolder

from .common import print_table

_WARM = 600.0  # seconds of a process, before its memory is taken for its usual one
MOST_MEMORY = 64.0  # MB
MOST_HANDLES = 4
MOST_BYTES = 210_000_000  # a part of the metrics has at most 200 MB and a report's rows


class Sample(NamedTuple):
    """The state of a run's process and folder at a time of the soak."""

    run: str
    seconds: float  # of the soak
    age: float  # seconds of the process
    pid: int
    memory: float  # MB
    handles: int
    threads: int
    step: int
    files: dict[str, int]  # bytes


def take_sample(run: str, folder: Path, pid: int, seconds: float, age: float) -> Sample | None:
    """Return the state of a process, as Linux tells it, and of its folder; None if it has just ended."""
    place = Path("/proc") / str(pid)
    try:
        status = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
        handles = len(list((place / "fd").iterdir()))
        files = {str(p.relative_to(folder)): p.stat().st_size for p in _files(folder)}
    except OSError:
        return None
    if "VmRSS" not in status:
        return None
    return Sample(
        run=run,
        seconds=round(seconds, 1),
        age=round(age, 1),
        pid=pid,
        memory=int(status["VmRSS"].split()[0]) / 1024,
        handles=handles,
        threads=int(status["Threads"]),
        step=last_step(folder),
        files=files,
    )


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".part"]


def last_step(folder: Path) -> int:
    """Return the step of the newest whole row of metrics."""
    metrics = RunFolder(folder).metrics
    if not metrics.exists():
        return 0
    with open(metrics, "rb") as file:
        file.seek(max(0, metrics.stat().st_size - 100_000))
        lines = [line for line in file.read().splitlines(keepends=True) if line.endswith(b"\n")]
    return int(json.loads(lines[-1])["step"]) if lines else 0


def read_samples(out: Path) -> list[Sample]:
    """Return all samples of a soak; a last line that was cut short is none."""
    log = out / "soak.jsonl"
    lines = log.read_text().splitlines(keepends=True) if log.exists() else []
    return [Sample(**json.loads(line)) for line in lines if line.endswith("\n")]


def growth(samples: list[Sample]) -> dict[str, Any]:
    """Return how much a run grew: the worst of its processes, from their first minutes on; and its files."""
    lives: dict[int, list[Sample]] = {}
    for sample in samples:
        if sample.age >= _WARM:
            lives.setdefault(sample.pid, []).append(sample)
    rise = lambda key: max((_rise([getattr(s, key) for s in life]) for life in lives.values()), default=0.0)
    sizes = [size for sample in samples for size in sample.files.values()]
    return {
        "hours": max((s.seconds for s in samples), default=0.0) / 3600,
        "steps": max((s.step for s in samples), default=0),
        "processes": len({s.pid for s in samples}),
        "memory": max((s.memory for s in samples), default=0.0),
        "memory_rise": rise("memory"),
        "handles": max((s.handles for s in samples), default=0),
        "handles_rise": rise("handles"),
        "threads_rise": rise("threads"),
        "largest": max(sizes, default=0),
        "folder": sum(samples[-1].files.values()) if samples else 0,
    }


def _rise(values: list[float]) -> float:
    """Return the median of the last tenth less that of the first; a process that leaks rises steadily."""
    few = max(1, len(values) // 10)
    return float(np.median(values[-few:]) - np.median(values[:few]))


def faults_of(name: str, grown: dict[str, Any]) -> list[str]:
    """Return in sentences what grew beyond its bound."""
    bounds = {
        "memory_rise": (MOST_MEMORY, "MB of memory more than after its first minutes"),
        "handles_rise": (MOST_HANDLES, "handles more"),
        "threads_rise": (MOST_HANDLES, "threads more"),
        "largest": (MOST_BYTES, "bytes in one file"),
    }
    return [f"{name}: {grown[key]:,.0f} {what}" for key, (most, what) in bounds.items() if grown[key] > most]


def report(out: Path, runs: list[str]) -> list[str]:
    """Print what a soak has seen, draw it, and return what is wrong."""
    samples = read_samples(out)
    rows = []
    wrong = []
    for name in runs:
        of_run = [sample for sample in samples if sample.run == name]
        grown = growth(of_run)
        wrong += faults_of(name, grown)
        rows.append(
            {
                "run": name,
                "hours": f"{grown['hours']:.2f}",
                "steps": f"{grown['steps']:,}",
                "processes": str(grown["processes"]),
                "memory MB (rise)": f"{grown['memory']:.0f} ({grown['memory_rise']:+.1f})",
                "handles (rise)": f"{grown['handles']} ({grown['handles_rise']:+.0f})",
                "threads (rise)": f"{grown['threads_rise']:+.0f}",
                "largest file MB": f"{grown['largest'] / 1e6:.1f}",
                "folder MB": f"{grown['folder'] / 1e6:.1f}",
            }
        )
    print_table(rows)
    if samples:
        draw(samples, runs, out / "soak.png")
    return wrong


def draw(samples: list[Sample], runs: list[str], path: Path) -> None:
    """Draw memory, handles and the folder's size over time."""
    from covey.charts import pyplot, save_figure

    figure, panels = pyplot().subplots(3, 1, figsize=(8, 7.5), dpi=120, sharex=True)
    labels = ("resident memory, MB", "open handles", "folder, MB")
    for axes, label in zip(panels, labels, strict=True):
        for name in runs:
            of_run = [sample for sample in samples if sample.run == name]
            series = {
                labels[0]: [s.memory for s in of_run],
                labels[1]: [s.handles for s in of_run],
                labels[2]: [sum(s.files.values()) / 1e6 for s in of_run],
            }
            axes.plot([s.seconds / 3600 for s in of_run], series[label], label=name)
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].legend(frameon=False)
    panels[-1].set_xlabel("hours")
    figure.tight_layout()
    save_figure(figure, path)
