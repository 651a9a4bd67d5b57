"""What the command line does, from Python."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .runs import launch
from .runs.folder import RunFolder
from .runs.policy import Policy


class Run:
    """A run on disk: its summary, its metrics, its policy."""

    def __init__(self, path: str | Path):
        self.folder = RunFolder.existing(path)
        self.path = self.folder.path

    @property
    def summary(self) -> dict[str, Any]:
        """What summary.json holds; empty while training goes on."""
        return self.folder.read_json(self.folder.summary)

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """A row per report and seed."""
        return list(self.folder.rows())

    def policy(self, seed: int = 0) -> Policy:
        return load(self.path, seed)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"


def train(
    algorithm: str,
    environment: str,
    *,
    out: str | Path | None = None,
    env: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None,
    quiet: bool = False,
    **options: Any,
) -> Run:
    """Trains, and returns the finished run.

    Options of the command line (`seeds`, `seed`, `steps`, `envs`, `eval_every`, …) and settings of the
    algorithm are keywords: `train("qmix", "spread", seeds=10, gamma=.95)`. Those of parts go into
    `settings`, by their dotted names: `settings={"mixer.embed": 64}`; the environment's into `env`.
    """
    launch.prepare(options.get("device"))
    from .config.config import OPTIONS, Config
    from .runs import run
    from .show.plot import learning_curve

    of_run = {name: options.pop(name) for name in list(options) if name in OPTIONS}
    world = {f"env.{name}": value for name, value in (env or {}).items()}
    config = Config.parse(algorithm, environment, options | (settings or {}) | world, of_run)
    return Run(run.train(config, out, quiet).close(learning_curve).path)


def resume(path: str | Path, steps: int | None = None, quiet: bool = False) -> Run:
    """Goes on from a run's last checkpoint, as if it had never stopped; `steps` sets a new end."""
    launch.prepare()
    from .runs import run
    from .show.plot import learning_curve

    return Run(run.resume(path, steps, quiet).close(learning_curve).path)


def evaluate(
    path: str | Path,
    episodes: int | None = None,
    environment: str | None = None,
    env: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Greedy episodes of every seed's policy, in its own world or another of the same shape."""
    launch.prepare()
    from .runs import evaluation

    return evaluation.evaluate(path, episodes, environment, env or {})


def versus(
    path: str | Path,
    other: str | Path,
    side: str | None = None,
    episodes: int | None = None,
    every: bool = False,
) -> dict[str, Any]:
    """Greedy episodes of one run's side (its first team) against another run's others.

    Seed plays against seed; with `every`, each against each.
    """
    launch.prepare()
    from .analysis import versus

    return versus.versus(path, other, side, episodes, every)


def crossplay(
    paths: Sequence[str | Path],
    side: str | None = None,
    episodes: int | None = None,
    out: str | Path = "crossplay",
) -> dict[str, Any]:
    """Every run's side against every run's others, as crossplay.json holds it; written to `out`."""
    launch.prepare()
    from .analysis import versus

    return versus.crossplay(paths, side, episodes, out)


def watch(
    path: str | Path,
    out: str | Path | None = None,
    episodes: int = 2,
    seed: int | None = None,
    begin: int = 0,
    follow: str | None = None,
) -> Path:
    """Films greedy episodes of one seed, by default the best, and what it thinks of an agent it may follow;
    returns where the film lies."""
    launch.prepare()
    from .show import watch

    return watch.watch(path, out, episodes, seed, begin, follow)[1]


def compare(
    a: str | Path,
    b: str | Path,
    out: str | Path | None = None,
    trace: int | None = None,
    say: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """What two runs differ in, where they part, returns and a verdict, as `covey compare --json` prints it.

    `trace` is the most steps of a seed that may be re-run to find where they part; `say` is told how it goes.
    """
    launch.prepare()
    from .analysis.compare import compare

    return compare(a, b, out, trace, say or (lambda line: None))


def ablate(
    algorithm: str,
    environment: str,
    grid: Mapping[str, Sequence[Any]],
    *,
    out: str | Path | None = None,
    quiet: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Trains every combination of the values in `grid`, by their dotted names: `{"gamma": [.9, .99]}`.

    Options of the command line are keywords. Called again it goes on; returns what ablation.json holds.
    """
    launch.prepare(options.get("device"))
    from .analysis import ablation

    axes = {name: list(values) for name, values in grid.items()}
    return ablation.ablate(algorithm, environment, axes, options, out, quiet)


def load(path: str | Path, seed: int = 0) -> Policy:
    """A trained policy, for plain inference: `load(path).act(observations)`."""
    launch.prepare()
    return Policy.load(path, seed)
