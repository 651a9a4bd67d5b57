"""Training: from a configuration to a finished run folder, and from a checkpoint on."""

import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..audit.audit import Audit
from ..config.config import Config
from ..errors import UserError
from ..files import write_errors_explained
from ..text import count, signed
from ..training.costs import Noted
from . import checkpoint, frozen_opponents, provenance, warm_start
from .engine import Engine, States
from .folder import RunFolder
from .metrics import Boards, Numbers, convention, report_rows
from .progress import Progress
from .summary import RunResult, finish


@dataclass
class Mark:
    """Where a run stands: what a checkpoint holds beside arrays."""

    clock: int = 0  # iterations
    reports: int = 0
    best: float | None = None  # the first learning team's greedy return, mean over seeds
    metrics_size: int = 0  # bytes
    seconds: float = 0.0  # since training began, compilation included
    busy: float = 0.0  # of them, those in which steps were taken and learnt from
    done: int = 0  # the steps of these, of all seeds


class Training:
    """One run under way."""

    def __init__(self, config: Config, folder: RunFolder, quiet: bool):
        self.config, self.folder = config, folder
        self.began = time.perf_counter()
        self.engine = Engine(config)
        self.spec = self.engine.trainer.spec
        self.progress = Progress(config.steps, quiet)
        self.mark, self.states = Mark(), []
        self.compile_seconds = 0.0
        self.results: Numbers | None = None  # of the newest evaluation, if no step was taken since
        self.greedy: float | None = None  # the newest evaluation's return
        self.saved, self.save_seconds = time.perf_counter(), 0.0
        self.stop = False
        self.audit: Audit | None = None

    @property
    def team(self) -> str:
        """The team whose return is told first: the first that learns."""
        return learning_team(self.engine)

    def prepare(self) -> None:
        """Says what will be done and what it takes, and compiles it."""
        c, say = self.config, self.progress.say
        work = f"{count(c.seeds, 'seed')} × {count(c.steps, 'step')}, {count(c.envs, 'copy', 'copies')}"
        say(f"{c.algorithm} on {c.environment} ({c.preset}), {work}")
        for note in c.notes:
            say(note)
        say(f"returns: {convention(self.spec)}")
        for note in self.notes():
            say(note)
        say(self.engine.memory())
        self.audit = Audit(c, self.engine) if c.audit else None
        began = time.perf_counter()
        _ = self.engine.chunk
        self.compile_seconds = time.perf_counter() - began

    def notes(self) -> list[str]:
        """What the algorithms themselves have to say beforehand."""
        trainer, told = self.engine.trainer, []
        for slot in trainer.slots:
            if isinstance(slot.algorithm, Noted):
                told += slot.algorithm.notes(slot.spec(self.spec), trainer.copies, trainer.length)
        return list(dict.fromkeys(told))

    def start(self) -> None:
        """From nothing, or from another run's weights."""
        self.states = self.engine.start()
        if self.config.source:
            self.states = warm_start.begun(self.config.source, self.engine, self.states)

    def restore(self) -> None:
        """From the last checkpoint; from nothing where there is none yet."""
        if self.folder.last.exists():
            like = self.engine.everybody(self.engine.shapes)
            found, facts = checkpoint.load(self.folder.last, like)
            self.states = self.engine.lanes(found)
            self.mark = Mark(**facts["mark"])
        else:
            self.start()
        self.folder.cut(self.mark.metrics_size)

    def steps(self, states: States) -> int:
        """What every seed has done at least."""
        return min(int(np.min(state.steps)) for state in states)

    def run(self) -> None:
        """Chunk after chunk until every seed has done its steps, or somebody asks to stop."""
        boards = Boards(self.folder.tensorboard, self.config.seeds, self.steps(self.states) + 1)
        if self.audit:
            self.audit.begin(self.states, self.mark.clock)
        while not self.stop and self.steps(self.states) < self.config.steps:
            began = time.perf_counter()
            before = int(self.engine.joined([state.steps for state in self.states]).sum())
            self.states, metrics, prints = self.engine.advance(self.states, self.mark.clock)
            now = time.perf_counter()
            taken, spent = int(metrics["steps"][:, -1].sum()) - before, now - began
            self.mark.clock += self.engine.iterations
            self.mark.reports += 1
            self.mark.busy, self.mark.done = self.mark.busy + spent, self.mark.done + taken
            self.check(metrics)
            if self.audit:
                half = 2 * self.steps(self.states) >= self.config.steps
                self.audit.after_chunk(self.states, metrics, self.mark.clock, half)
            rows = self.report(metrics, prints)
            boards.write(rows)
            self.tell(rows, taken / spent)
            wait = patience(self.config.save_every, self.save_seconds)
            if self.over() or self.stop or now - self.saved >= wait:
                self.save()
        boards.close()

    def elapsed(self) -> float:
        """Seconds since the run's first start, less the time in which it stood still."""
        return self.mark.seconds + time.perf_counter() - self.began

    def over(self) -> bool:
        return self.steps(self.states) >= self.config.steps

    def check(self, metrics: Numbers) -> None:
        """Stops at numbers that nothing good can come of."""
        bad = ~metrics["finite"].all(axis=1)
        told = {name: x for name, x in metrics.items() if name.endswith("loss")}
        where = f"before step {int(metrics['steps'].max()):,}; what was saved before is intact"
        if bad.any():
            raise UserError(
                f"{self.config.environment} gave observations or rewards that are not finite (NaN or "
                f"infinite) in seed {int(np.argmax(bad))} {where}: mend the environment; "
                "`covey.testing.check_environment` helps to find it"
            )
        for name, value in told.items():
            before, last = np.isnan(value[:, :-1]), np.isnan(value[:, -1])
            wrong = np.isinf(value).any(axis=1) | (last & ~before.all(axis=1))
            if wrong.any():
                raise UserError(
                    f"{name} became infinite or NaN in seed {int(np.argmax(wrong))} {where}: "
                    "lower optimiser.lr, or optimiser.clip"
                )

    def report(self, metrics: Numbers, prints: tuple[Any, ...]) -> list[dict[str, Any]]:
        """Evaluates where it is time to, and writes a row a seed."""
        every = max(1, round(self.config.eval_every / (self.engine.iterations * self.engine.iteration_steps)))
        due = self.mark.reports % every == 0 or self.over()
        self.results = self.engine.evaluate(self.states) if due else None
        rows = report_rows(self.spec, self.mark.reports, metrics, prints, self.results, self.elapsed())
        self.mark.metrics_size = self.folder.append(rows)
        if self.results is not None:
            self.keep_best(float(self.results["teams"][..., self.spec.teams.index(self.team)].mean()))
        return rows

    def keep_best(self, score: float) -> None:
        if self.mark.best is None or score > self.mark.best:
            self.mark.best = score
            learners = [{"learners": state.learners} for state in self.engine.layout.own(self.states)]
            checkpoint.save(self.folder.best, learners, {"score": score, "step": self.steps(self.states)})

    def tell(self, rows: list[dict[str, Any]], rate: float) -> None:
        known = [r for row in rows if (r := row[f"train/return/{self.team}"]) is not None]
        told = [signed(np.mean(known))] if known else []
        if self.results is not None:
            self.greedy = float(np.mean([row[f"eval/return/{self.team}"] for row in rows]))
        told += [f"greedy {signed(self.greedy)}"] if self.greedy is not None else []
        over = count(self.spec.horizon, "step")
        news = f"{self.team} return over ≤ {over}: {', '.join(told)}" if told else ""
        self.progress.update(min(row["step"] for row in rows), rate, news)

    def save(self) -> None:
        """The checkpoint a run is resumed from: everything, replay included."""
        began = time.perf_counter()
        mark = replace(self.mark, seconds=self.elapsed())
        checkpoint.save(self.folder.last, self.engine.layout.own(self.states), {"mark": asdict(mark)})
        self.saved = time.perf_counter()
        self.save_seconds = self.saved - began


def patience(asked: int, writing: float) -> float:
    """The seconds between checkpoints: such that writing them takes one in twenty at most."""
    return max(float(asked), 19 * writing) if asked else 0.0


def learning_team(engine: Engine) -> str:
    spec = engine.trainer.spec
    return engine.trainer.learning[0].spec(spec).teams[0]


@contextmanager
def listening(training: Training) -> Iterator[None]:
    """Ctrl-C or a polite kill lets the chunk under way end, and saves; a second one does not wait."""

    def ask(number, frame):
        if training.stop:
            raise KeyboardInterrupt
        training.stop = True
        training.progress.say("stopping after this chunk …")

    try:
        old = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: nobody can press Ctrl-C here
        old = {}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def train(config: Config, out: str | Path | None = None, quiet: bool = False) -> RunResult:
    """Train a new run; `RunResult.close` finishes it."""
    name = f"{config.algorithm}_{config.environment}".replace("/", "-").replace(":", "-")
    folder = RunFolder.fresh(out, name)
    with folder.held():
        try:
            training = Training(config, folder, quiet)
            frozen_opponents.check_checkpoints(training.engine.trainer.slots)
            training.prepare()
        except BaseException:
            folder.discard()
            raise
        keep_files(config, folder).to_yaml(folder.config)
        return complete(training, training.start)


def keep_files(config: Config, folder: RunFolder) -> Config:
    """Copies the user's own files into the run's folder; the configuration that uses the copies."""
    copies: dict[Path, Path] = {}
    for path in config.files:
        namesakes = sum(path.name == other.name for other in copies)
        copies[path] = folder.path / "files" / (str(namesakes) if namesakes else "") / path.name
        with write_errors_explained("a copy of your file", copies[path]):
            copies[path].parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copies[path])
    return config.with_files(copies.__getitem__)


def resume(path: str | Path, steps: int | None = None, quiet: bool = False) -> RunResult:
    """Continue from the last checkpoint, as if the run had never stopped; `steps` sets a new end."""
    folder = RunFolder.existing(path)
    with folder.held():
        config = Config.from_yaml(folder.config)
        if steps is not None and steps != config.steps:
            config = replace(config, steps=steps)
            config.to_yaml(folder.config)
        training = Training(config, folder, quiet)
        training.prepare()
        return complete(training, training.restore)


def complete(training: Training, begin: Callable[[], None]) -> RunResult:
    """Begin, train, and write down how it ended, however it ends."""
    folder = training.folder
    status = "failed"
    provenance.write(folder, "running")
    try:
        with listening(training):
            begin()
            training.run()
        end: Literal["finished", "interrupted"] = "finished" if training.over() else "interrupted"
        status = end
        return finish(training, end)
    finally:
        provenance.write(folder, status)
