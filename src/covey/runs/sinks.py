"""Where a run's rows of metrics go beside its folder: Weights & Biases, MLflow, or a class of the user's.

A sink is made with a `TrackedRun`, and its `write` receives a row of metrics.jsonl at a time. It may have a
`close`. What goes wrong in a sink ends the sink and not the training: metrics.jsonl has every row, and
`covey sync RUN NAME` sends them later.
"""

import importlib.util
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ..config.catalogue import resolve
from ..config.config import Config
from ..errors import UserError
from ..text import nearest
from .folder import RunFolder

MetricsRow = dict[str, Any]
_NO_METRICS = ("report", "seed", "step", "fingerprint", "seen")


@dataclass(frozen=True)
class TrackedRun:
    """The facts of a run that a sink may want."""

    name: str
    path: Path
    algorithm: str
    environment: str
    settings: dict[str, Any] = field(default_factory=dict)
    first_seed: int = 0
    offline: bool = True  # whether nothing may leave this machine yet


@runtime_checkable
class Sink(Protocol):
    """A place for rows of metrics."""

    def write(self, row: MetricsRow) -> None: ...


def track(config: Config, folder: RunFolder, offline: bool = True) -> TrackedRun:
    """Return a run's facts."""
    settings = {"algorithm": config.algorithm, "environment": config.environment} | config.learners
    facts = settings | {"env": config.env, "steps": config.steps, "seeds": config.seeds, "envs": config.envs}
    return TrackedRun(
        name=folder.path.resolve().name,
        path=folder.path,
        algorithm=config.algorithm,
        environment=config.environment,
        settings=facts,
        first_seed=config.seed,
        offline=offline,
    )


def make_sinks(names: Sequence[str], tracked: TrackedRun, say: Callable[[str], None]) -> list[Sink]:
    """Make sinks by their names: wandb, mlflow, or file.py:Name."""
    return [_Guarded(_begin_sink(name, tracked), name, tracked.path, say) for name in names]


def _begin_sink(name: str, tracked: TrackedRun) -> Sink:
    try:
        return find_sink(name)(tracked)
    except UserError:
        raise
    except Exception as error:  # of a service, or of the user's class
        raise UserError(f"--track {name} cannot begin: {type(error).__name__}: {error}") from error


def find_sink(name: str) -> Callable[[TrackedRun], Sink]:
    """Return what makes a sink; refuse a name that is none, and a package that is missing."""
    if ":" in name:
        return resolve(name)
    if name not in SINKS:
        raise UserError(
            f"--track {name}: there is no sink '{name}'{nearest(name, SINKS)}: there are {', '.join(SINKS)}, "
            "and your own, as file.py:Name"
        )
    if importlib.util.find_spec(name) is None:
        raise UserError(
            f"--track {name} needs {name}, which is not installed: run pip install 'covey[{name}]'"
        )
    return SINKS[name]


class _Guarded:
    """A sink whose faults end the sink alone."""

    def __init__(self, sink: Sink, name: str, path: Path, say: Callable[[str], None]):
        self.sink: Sink | None = sink
        self.name = name
        self.path = path
        self.say = say

    def write(self, row: MetricsRow) -> None:
        self._try(lambda sink: sink.write(row))

    def close(self) -> None:
        self._try(lambda sink: getattr(sink, "close", lambda: None)())

    def _try(self, act: Callable[[Any], None]) -> None:
        if self.sink is None:
            return
        try:
            act(self.sink)
        except Exception as error:  # a service that is away, a disk that is full, a fault of the user's
            self.sink = None
            reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            self.say(f"{self.name} receives no more ({reason}); later: covey sync {self.path} {self.name}")


def _numbers(row: MetricsRow) -> dict[str, float]:
    """Return a row's metrics, without those that have no value."""
    kept = ((name, x) for name, x in row.items() if name not in _NO_METRICS)
    return {name: float(x) for name, x in kept if isinstance(x, int | float) and not isinstance(x, bool)}


def close_sinks(sinks: Iterable[Any]) -> None:
    """Let sinks finish."""
    for sink in sinks:
        getattr(sink, "close", lambda: None)()


class WandbSink:
    """Weights & Biases: a run for each seed, in a group of the run's name.

    Offline first: `wandb sync` sends what it wrote into the run's folder.
    """

    def __init__(self, run: TrackedRun):
        import wandb  # pyright: ignore[reportMissingImports]

        self.wandb: Any = wandb
        self.run = run
        self.mode = os.environ.get("WANDB_MODE") or ("offline" if run.offline else "online")
        self.seeds: dict[int, Any] = {}

    def write(self, row: MetricsRow) -> None:
        seed = row["seed"]
        if seed not in self.seeds:
            self.seeds[seed] = self.wandb.init(
                project=os.environ.get("WANDB_PROJECT") or "covey",
                group=self.run.name,
                name=f"{self.run.name} seed {self.run.first_seed + seed}",
                config=self.run.settings | {"seed": self.run.first_seed + seed},
                dir=str(self.run.path),
                mode=self.mode,
                reinit="create_new",
            )
        self.seeds[seed].log(_numbers(row), step=row["step"])

    def close(self) -> None:
        for run in self.seeds.values():
            run.finish()


class MlflowSink:
    """MLflow: a run for each seed, in an experiment of the world's name.

    Offline first: it writes into the run's folder. MLFLOW_TRACKING_URI names a server.
    """

    def __init__(self, run: TrackedRun):
        from mlflow import MlflowClient  # pyright: ignore[reportMissingImports]

        place = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{run.path.resolve()}/mlflow.db"
        self.client: Any = MlflowClient(tracking_uri=place)
        self.run = run
        found = self.client.get_experiment_by_name(run.environment)
        self.experiment = found.experiment_id if found else self.client.create_experiment(run.environment)
        self.seeds: dict[int, str] = {}

    def write(self, row: MetricsRow) -> None:
        seed = row["seed"]
        if seed not in self.seeds:
            self.seeds[seed] = self._begin(self.run.first_seed + seed)
        for name, value in _numbers(row).items():
            self.client.log_metric(self.seeds[seed], name, value, step=row["step"])

    def _begin(self, seed: int) -> str:
        tags = {"covey.run": self.run.name, "seed": str(seed)}
        begun = self.client.create_run(self.experiment, tags=tags, run_name=f"{self.run.name} seed {seed}")
        for name, value in self.run.settings.items():
            self.client.log_param(begun.info.run_id, name, str(value)[:500])
        return begun.info.run_id

    def close(self) -> None:
        for run in self.seeds.values():
            self.client.set_terminated(run)


SINKS: dict[str, Callable[[TrackedRun], Sink]] = {"wandb": WandbSink, "mlflow": MlflowSink}


def send_run(folder: RunFolder, name: str, say: Callable[[str], None]) -> int:
    """Send all rows of a run to a sink, in order; return their number."""
    (sink,) = make_sinks([name], track(Config.from_yaml(folder.config), folder, offline=False), say)
    rows = list(folder.rows())
    for row in rows:
        sink.write(row)
    close_sinks([sink])
    return len(rows)
