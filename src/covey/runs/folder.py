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
from . import metrics_files, records

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
        folder.refuse_another_run()
        with write_errors_explained("the run", folder.config):
            (folder.path / "checkpoints").mkdir(parents=True, exist_ok=True)
        return folder

    def refuse_another_run(self) -> None:
        """Raise if the folder holds a run."""
        if self.config.exists():
            raise UserError(
                f"--out {self.path} already holds a run: continue it with `covey resume {self.path}`, "
                "or name another"
            )

    @staticmethod
    def existing(path: str | Path) -> "RunFolder":
        find_config(Path(path))
        return RunFolder(path)

    @contextmanager
    def locked(self, again: str = "covey resume") -> Iterator[None]:
        """Hold the folder for this process until it ends in any way, if the file system has locks.

        `again` is the command that goes on from here.
        """
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
                    f"saves what it has) and `{again} {self.path}`"
                ) from error
            except OSError:  # a file system without locks
                pass
            yield
        finally:
            os.close(handle)

    def is_locked(self) -> bool:
        """Return whether a process holds the folder now."""
        if not self.path.is_dir():
            return False
        try:
            with self.locked():
                return False
        except UserError:
            return True

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
        """Add rows to the metrics; return the place of their end."""
        return metrics_files.append_rows(
            self.metrics, "".join(json.dumps(row) + "\n" for row in rows).encode()
        )

    def cut(self, place: int) -> int:
        """Cut the metrics back to where they ended when a checkpoint was made; return the bytes that lack."""
        return metrics_files.cut_rows(self.metrics, place)

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
        return metrics_files.metrics_rows(self.metrics)
