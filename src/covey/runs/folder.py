"""The folder of a run: its name, its files, and a lock for the process that trains it."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from ..config.paths import CONFIG_FILE, find_config
from ..errors import UserError
from ..files import atomic, write_errors_explained
from . import records

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None


class RunFolder:
    """The files of one run."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.config = self.path / CONFIG_FILE
        self.run = self.path / "run.json"
        self.metrics = self.path / "metrics.jsonl"
        self.summary = self.path / "summary.json"
        self.curve = self.path / "curve.png"
        self.report = self.path / "report.html"
        self.film = self.path / "film.gif"
        self.game = self.path / "game.png"
        self.tensorboard = self.path / "tensorboard"
        self.last = self.path / "checkpoints" / "last.npz"
        self.best = self.path / "checkpoints" / "best.npz"

    def numbered(self, step: int) -> Path:
        """Return the path of the checkpoint that is kept of a step."""
        return self.last.with_name(f"{step:09d}.npz")

    @property
    def kept(self) -> dict[int, Path]:
        """The checkpoints that are kept by their steps, in order."""
        files = [path for path in self.last.parent.glob("*.npz") if path.stem.isdecimal()]
        return dict(sorted((int(path.stem), path) for path in files))

    @staticmethod
    def new(out: str | Path | None, name: str) -> "RunFolder":
        """Make the folder of a new run: `out`, or one under runs/ with the name and the time."""
        now = datetime.now().strftime("%Y-%m-%d_%H%M%S")
        folder = RunFolder(out or Path("runs") / f"{name}_{now}")
        if out is None:
            for number in range(2, 1000):
                if not folder.path.exists():
                    break
                folder = RunFolder(Path("runs") / f"{name}_{now}_{number}")
        if folder.config.exists():
            raise UserError(
                f"--out {out} already holds a run: continue it with `covey resume {out}`, or name another"
            )
        with write_errors_explained("the run", folder.config):
            (folder.path / "checkpoints").mkdir(parents=True, exist_ok=True)
        return folder

    @staticmethod
    def existing(path: str | Path) -> "RunFolder":
        find_config(Path(path))
        return RunFolder(path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process until it ends in any way, if the file system has locks."""
        if fcntl is None:
            yield
            return
        with write_errors_explained("the run", self.config):
            handle = os.open(self.path, os.O_RDONLY)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UserError(
                    f"another process is training {self.path}: wait for its end, or stop it (Ctrl-C "
                    "saves what it has) and `covey resume` the run"
                ) from error
            except OSError:  # a file system without locks
                pass
            yield
        finally:
            os.close(handle)

    def discard(self) -> None:
        """Remove the folders of a run that never began, unless they hold files."""
        for path in (self.last.parent, self.path):
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()

    def write_json(self, path: Path, content: dict[str, Any]) -> None:
        with atomic(path, path.name) as file:
            file.write(json.dumps(content, indent=1).encode() + b"\n")

    def read_json(self, path: Path) -> dict[str, Any]:
        """Return a file's content, or nothing where it is missing, cut short, or no mapping."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return content if isinstance(content, dict) else {}

    def append(self, rows: list[dict[str, Any]]) -> int:
        """Add rows to the metrics; return the size of the file."""
        with write_errors_explained("metrics.jsonl", self.metrics), open(self.metrics, "ab") as file:
            file.write("".join(json.dumps(row) + "\n" for row in rows).encode())
            file.flush()
            return file.tell()

    def cut(self, size: int) -> int:
        """Cut the metrics back to their size when a checkpoint was made; return the bytes that are missing.

        Where a power cut took their tail, they end with the last whole row before.
        """
        end = records.end_of_rows(self.metrics, size)
        with write_errors_explained("metrics.jsonl", self.metrics), open(self.metrics, "ab") as file:
            file.truncate(end)
        return size - end

    def read_summary(self) -> dict[str, Any]:
        """Return summary.json, checked; nothing where there is none yet."""
        remedy = "`covey resume` writes it again, and `covey eval` does without it"
        return records.read_record(self.summary, records.SUMMARY, remedy)

    def read_run(self) -> dict[str, Any]:
        """Return run.json, checked; nothing where there is none yet."""
        remedy = "take it away: `covey resume` writes it again, and `covey eval` does without it"
        return records.read_record(self.run, records.PROVENANCE, remedy)

    def rows(self) -> Iterator[records.Row]:
        """Yield the metrics, checked, without a tail that a sudden end left unfinished."""
        return records.read_rows(self.metrics)
