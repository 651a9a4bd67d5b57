"""Training step by step: `Session`."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..commands import as_called
from ..config import catalogue
from ..config.trust import trusting
from ..errors import UserError
from ..runs import launch
from ..runs.folder import RunFolder
from ..runs.stopping import stop_on_signals
from .options import Choice, TrainOptions
from .results import Run, RunPath

if TYPE_CHECKING:
    from ..runs.policy import Policy
    from ..runs.results import Evaluation, RunResult
    from ..runs.session import Callback, Training


class Session:
    """A run in progress, to be trained as far as one likes:

        with covey.Session("qmix", "spread", seeds=2) as session:
            while session.step < 50_000:
                session.advance(10_000)
                print(session.evaluate(episodes=64))

    It takes what `covey.train` takes, which is a session advanced to its end, and has the same bits. Leaving
    the block saves everything and writes the summary. `Session.open` goes on with a run.
    """

    def __init__(
        self,
        algorithm: Choice = None,
        environment: Choice = None,
        *,
        settings: Mapping[str, Any] | None = None,
        out: RunPath | None = None,
        quiet: bool = False,
        report: bool = False,
        watch: bool = False,
        track: Sequence[str] = (),
        trust: bool = False,
        env: Mapping[str, Any] | None = None,
        callback: "Callback | None" = None,
        **options: Any,
    ):
        device = options.get("device")
        check_names(algorithm, environment)
        launch.prepare(device, _is_python_world(environment))
        from ..runs.run import new_run
        from .choosing import read_config

        launch.check_device(device)
        with trusting(trust):
            own = read_config(
                algorithm, environment, options, settings or {}, env or {}, Session, TrainOptions
            )
            begun = _followers(track, watch, callback)
            self._enter(new_run(own, out, quiet, begun=begun), report, trust)

    @classmethod
    @as_called
    def open(
        cls,
        run: RunPath,
        *,
        steps: int | None = None,
        quiet: bool = False,
        report: bool = False,
        track: Sequence[str] = (),
        trust: bool = False,
        callback: "Callback | None" = None,
    ) -> "Session":
        """Go on with a run, at its last checkpoint; `steps` sets a new end."""
        RunFolder.existing(run)
        launch.prepare()
        from ..runs.run import reopened_run

        session = cls.__new__(cls)
        with trusting(trust):
            begun = _followers(track, False, callback)
            session._enter(reopened_run(run, steps, quiet, begun=begun), report, trust)
        return session

    def _enter(self, opened: Any, report: bool, trust: bool) -> None:
        self._report = report
        self._trust = trust
        self._stack = ExitStack()
        self._training: Training = self._stack.enter_context(opened)
        self._open = True

    @property
    def run(self) -> Run:
        """The run on disk, which has all that was reported so far."""
        return Run(self._training.folder.path)

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self._training.folder.path

    @property
    def step(self) -> int:
        """The steps that every seed has taken."""
        return self._training.steps()

    @property
    def steps(self) -> int:
        """The end: the steps that every seed is to take."""
        return self._training.config.steps

    @property
    def over(self) -> bool:
        """Whether the end is reached, or the callback has stopped the run."""
        return self._training.stop or self._training.over()

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The newest report: a row for each seed. `run.metrics` has them all."""
        return self._training.rows

    @as_called
    def advance(self, steps: int | None = None) -> list[dict[str, Any]]:
        """Train every seed for at least so many steps more, or to the end; return the newest report.

        Training goes from report to report, and never beyond the end. Ctrl-C saves and raises.
        """
        self._check_open()
        training = self._training
        training.stop = False
        training.status = "failed"
        with stop_on_signals(training):
            training.advance(None if steps is None else training.steps() + steps)
        if training.stop and training.status != "stopped":
            raise KeyboardInterrupt
        return self.metrics

    @as_called
    def evaluate(self, episodes: int | None = None) -> "Evaluation":
        """Play greedy episodes of every seed's policy as it is now. Training does not see it."""
        self._check_open()
        from ..runs.evaluation import evaluate_training

        return evaluate_training(self._training, episodes)

    @as_called
    def policy(self, seed: int = 0) -> "Policy":
        """Return a seed's policy as it is now."""
        self._check_open()
        from ..runs.policy import current_policy

        return current_policy(self._training, seed)

    @as_called
    def save(self, path: RunPath | None = None) -> Run:
        """Save everything, into the run's folder or as a run of its own in another; return that run."""
        self._check_open()
        if self._training.config.light:
            raise UserError("a light run keeps weights alone, and cannot go on from them: leave out light")
        from ..runs.run import copy_run

        self._training.save()
        if path is None:
            return self.run
        return Run(copy_run(self._training.folder, Path(path)).path)

    def close(self) -> Run:
        """Save, evaluate, write the summary, and let go of the folder; return the run.

        A run that has not come to its end is then stopped, and `Session.open` or `covey.resume` goes on.
        """
        if self._open:
            self._open = False
            with self._stack:
                result = self._finished() if self._training.point.reports else None
            if result is not None:
                from ..show.plot import learning_curve
                from ..show.report import report_writer

                with trusting(self._trust):
                    result.close(learning_curve, report_writer(self._report))
        return self.run

    def _finished(self) -> "RunResult":
        from ..runs.summary import finish

        training = self._training
        if not training.stop:
            training.status = "stopped"
        if training.unsaved:
            training.save()
        with stop_on_signals(training):
            return finish(training)

    def _check_open(self) -> None:
        if not self._open:
            raise UserError(f"this session is closed: covey.Session.open('{self.path}') goes on with its run")

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: Any) -> None:
        if kind is None or issubclass(kind, KeyboardInterrupt):
            self.close()
        elif self._open:
            self._open = False
            self._stack.__exit__(kind, error, trace)

    def __repr__(self) -> str:
        return f"Session({str(self.path)!r}, step={self.step:,} of {self.steps:,})"


def _followers(
    track: Sequence[str], watch: bool, callback: "Callback | None"
) -> "Callable[[Training], None]":
    """Return what gives a run its sinks, its callback and a page; refuse wrong sinks at once."""
    from ..runs import sinks

    track = [track] if isinstance(track, str) else track
    for name in track:
        sinks.find_sink(name)

    def begin(training: "Training") -> None:
        tracked = sinks.track(training.config, training.folder)
        training.callback = callback
        training.sinks = sinks.make_sinks(track, tracked, training.progress.say)
        if watch:
            _open_live(training.folder)

    return begin


def _open_live(folder: RunFolder) -> None:
    """Serve a page that follows a run, and open it."""
    import webbrowser

    from ..show.report import LiveReport

    address = LiveReport([folder.path]).start()
    print(f"watch: {address}", flush=True)
    webbrowser.open(address)


def _is_python_world(environment: Any) -> bool:
    """Return whether a world is known to be a Python program, before JAX is imported."""
    if isinstance(environment, str):
        return environment.startswith(catalogue.PYTHON_WORLDS)
    cls = environment if isinstance(environment, type) else type(environment)
    return any(base.__name__ == "AbstractHostEnvironment" for base in cls.__mro__)


def check_names(algorithm: Any, environment: Any) -> None:
    """Answer a mistyped name at once, before JAX is imported."""
    for name in catalogue.algorithms_by_team(algorithm).values() if isinstance(algorithm, str) else ():
        catalogue.find("algorithm", name)
    if isinstance(environment, str):
        catalogue.find("environment", environment)
