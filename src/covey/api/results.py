"""Results that the functions of the package return; each prints itself."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..commands import as_called
from ..config.trust import heeds_trust
from ..runs import launch
from ..runs.folder import RunFolder

if TYPE_CHECKING:
    from ..lab import Study
    from ..runs.policy import Policy

RunPath = str | Path


class Run:
    """A run on disk: its summary, its metrics, its policy."""

    def __init__(self, path: RunPath):
        self.folder = RunFolder.existing(path)
        self.path = self.folder.path

    def __fspath__(self) -> str:
        return str(self.path)

    @property
    def config(self) -> dict[str, Any]:
        """The run's whole configuration, as `train(config=...)` takes it: `run.config | {"seed": 7}`."""
        launch.prepare()
        from ..config.config import Config

        return Config.from_yaml(self.folder.config).to_tree()

    @property
    def summary(self) -> dict[str, Any]:
        """The content of summary.json; empty while training goes on."""
        return self.folder.read_summary()

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """A row per report and seed."""
        return list(self.folder.rows())

    @property
    def checkpoints(self) -> list[int]:
        """The steps of the checkpoints that `--keep` kept."""
        return list(self.folder.kept)

    def policy(self, seed: int = 0, at: int | str | None = None, *, trust: bool = False) -> "Policy":
        """Return the trained policy of a seed, or its policy at a step that was kept."""
        return load(self.path, seed, at, trust=trust)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def __str__(self) -> str:
        """Return nothing to print: training has printed its last lines already."""
        return ""


class Film:
    """A film or picture that `watch` has written."""

    def __init__(self, path: Path, text: str):
        self.path = path
        self.text = text

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return f"{self.text}\n{'picture' if self.path.suffix == '.png' else 'film'}: {self.path}"


class WrittenFile:
    """A file that a command has written, and what it is."""

    def __init__(self, path: Path, what: str):
        self.path = path
        self.what = what

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return f"{self.what}: {self.path}"


class LabReport:
    """A study of the operator lab, and the picture of it, if it fits into one."""

    def __init__(self, study: "Study", picture: Path | None):
        self.study = study
        self.picture = picture

    def __str__(self) -> str:
        picture = f"picture: {self.picture}" if self.picture else "too large to be drawn"
        return f"{self.study}\n\n{picture}"


@as_called
@heeds_trust
def load(run: RunPath, seed: int = 0, at: int | str | None = None, *, trust: bool = False) -> "Policy":
    """Return a trained policy, for plain inference: `load(run).act(observations)`.

    `at` names a checkpoint: the step of one that was kept, `best` or `last`. `trust` runs the Python code
    that somebody else's run names.
    """
    launch.prepare()
    from ..runs.policy import Policy

    return Policy.load(run, seed, at)
