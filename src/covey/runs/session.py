"""A run in progress: chunk after chunk, reports, evaluations and checkpoints between them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..audit.audit import Audit
from ..config.config import Config
from ..config.keeping import Keeping, read_keeping
from ..text import count, signed
from ..training.costs import HasNotes
from ..training.host_report import HostReport
from . import checkpoint, kept, warm_start
from .engine import Engine, States
from .folder import RunFolder
from .metrics import Numbers, check_numbers, convention, report_rows
from .pools import PoolKeeper
from .progress import Progress
from .python_worlds import added, step_line
from .records import Row
from .sinks import Sink, close_sinks
from .stationarity import StationarityMeter
from .tensorboard import TensorBoard

Callback = Callable[
    [list[Row]], Any
]  # receives a report's rows; training stops where it returns something true


@dataclass
class ResumePoint:
    """The position of a run: what a checkpoint holds besides arrays."""

    clock: int = 0  # iterations
    reports: int = 0
    best: float | None = None  # the first learning team's greedy return, mean over seeds
    metrics_size: int = 0  # bytes, of all parts
    seconds: float = 0.0  # since training began, compilation included
    busy: float = 0.0  # of them, those spent on collecting and learning
    done: int = 0  # steps taken in these seconds, of all seeds
    spent: dict[str, float] = field(default_factory=dict)  # where the busy seconds went, in a Python world
    faults: dict[str, int] = field(default_factory=dict)  # of its worker processes


class Training:
    """A run in progress."""

    def __init__(self, config: Config, folder: RunFolder, quiet: bool, lenders: Sequence[Engine] = ()):
        self.config = config
        self.folder = folder
        self.began = time.perf_counter()
        self.engine = Engine(config, lenders)
        self.keeping = None if config.keep is None else read_keeping(config.keep)
        self.spec = self.engine.trainer.spec
        self.team = self.engine.learning_team
        self.progress = Progress(config.steps, quiet)
        self.point = ResumePoint()
        self.states: States = []
        self.compile_seconds = 0.0
        self.results: Numbers | None = None  # of the newest evaluation, if no step was taken since
        self.greedy: float | None = None  # the newest evaluation's return
        self.saved = time.perf_counter()
        self.save_seconds = 0.0
        self.stop = False
        self.status = "failed"  # until it ends otherwise
        self.audit: Audit | None = None
        self.sinks: list[Sink] = []  # that receive every row, too
        self.callback: Callback | None = None
        self.meter: StationarityMeter | None = None
        self.boards: TensorBoard | None = None
        self.rows: list[Row] = []  # of the newest report
        self.unsaved = False
        self.pools = PoolKeeper(self.engine)

    def prepare(self, new: bool = True) -> None:
        """Print what will be done and how much memory it takes, and compile it.

        A run that is not new needs no first state, and compiles no program for it.
        """
        config = self.config
        say = self.progress.say
        seeds = f"{count(config.seeds, 'seed')} × {count(config.steps, 'step')}"
        work = f"{seeds}, {count(config.envs, 'copy', 'copies')}"
        say(f"{config.title} ({config.preset}), {work}")
        for note in config.notes:
            say(note)
        say(f"returns: {convention(self.spec)}")
        for note in [*self.pools.open(new), *self._algorithm_notes()]:
            say(note)
        say(self.engine.memory())
        if config.workers is None and (workers := self.engine.wanted_workers()):
            self.engine.start_workers(workers)
            say(f"{workers} processes step the copies of the world (--workers 0: none)")
        self.audit = Audit(config, self.engine) if config.audit else None
        for note in self.audit.findings.told if self.audit else ():
            say(f"effect audit, possible defect: {note}")
        if config.measure:
            self.meter = StationarityMeter(self.engine)
            for note in self.meter.notes():
                say(note)
        began = time.perf_counter()
        self.engine.compile_together("chunk", *["init"] * new)
        self.compile_seconds = time.perf_counter() - began

    def _algorithm_notes(self) -> list[str]:
        """Return what the algorithms note before training, each line once."""
        trainer = self.engine.trainer
        notes = []
        for slot in trainer.slots:
            if isinstance(slot.algorithm, HasNotes):
                notes += slot.algorithm.notes(slot.spec(self.spec), trainer.copies, trainer.length)
        return list(dict.fromkeys(notes))

    def start(self) -> None:
        """Begin with new states, or with another run's weights."""
        self.states = self.engine.start()
        if self.config.source:
            self.states = warm_start.with_weights(self.config.source, self.engine, self.states)
        self.states = self.pools.begin(self.states)

    def restore(self) -> None:
        """Begin with the last checkpoint; with new states where there is none that holds all of it."""
        if self.folder.last.exists() and not self.config.light:
            shapes = self.engine.all_seeds(self.engine.shapes)
            states, facts = checkpoint.restore_state(self.folder.last, shapes)
            self.states = self.engine.lanes(states)
            self.point = ResumePoint(**checkpoint.resume_point(self.folder.last, facts))
        else:
            self.start()
        if self.folder.cut(self.point.metrics_size):
            self.progress.say(
                f"{self.folder.metrics} has lost its last rows: it goes on after the last whole one"
            )
        kept.cut(self.folder, self.steps())

    def steps(self) -> int:
        """Return the steps that every seed has taken at least."""
        return min(int(np.asarray(state.steps).min()) for state in self.states)

    def over(self) -> bool:
        return self.steps() >= self.config.steps

    def elapsed(self) -> float:
        """Return the seconds since the run's first start, less the time in which it stood still."""
        return self.point.seconds + time.perf_counter() - self.began

    def begin(self) -> None:
        """Keep what the audit and the measurements compare with; call it once, before the first chunk."""
        if self.config.tensorboard:
            self.boards = TensorBoard(self.folder.tensorboard, self.config.seeds, self.steps() + 1)
        if self.audit:
            self.audit.begin(self.states, self.point.clock)
        if self.meter:
            self.meter.begin(self.states)

    def advance(self, until: int | None = None) -> None:
        """Train chunk after chunk until every seed has taken `until` steps, or a signal or callback stops it.

        By default that is the end, and nothing goes beyond it.
        """
        end = self.config.steps if until is None else min(until, self.config.steps)
        while not self.stop and self.steps() < end:
            before = self.steps()
            metrics, fingerprints, rate = self._advance()
            self.unsaved = True
            check_numbers(metrics, self.config.environment)
            if self.audit:
                half = 2 * self.steps() >= self.config.steps
                self.audit.after_chunk(self.states, metrics, self.point.clock, half)
            metrics |= self.meter.after_chunk(self.states, self.point.clock) if self.meter else {}
            self.rows = self._report(metrics | self.pools.metrics(self.states), fingerprints)
            self._keep(before)
            self.states = self.pools.after_report(self.states, self._is_kept(before, self._is_evaluated()))
            self._send()
            self.show_progress(self.rows, rate)
            if self.audit:
                self.audit.after_report(self.states)
            wait = seconds_between_saves(self.config.save_every, self.save_seconds)
            if self.over() or self.stop or time.perf_counter() - self.saved >= wait:
                self.save()

    def _send(self) -> None:
        """Give the newest rows to whoever asked for them."""
        if self.boards is not None:
            self.boards.write(self.rows)
        for sink in self.sinks:
            for row in self.rows:
                sink.write(row)
        if self.callback is not None and self.callback(self.rows):
            self.stop = True
            self.status = "stopped"

    def close(self) -> None:
        """End what is open: worker processes, TensorBoard's files, sinks."""
        self.engine.close()
        close_sinks([self.boards, *self.sinks])

    def _advance(self) -> tuple[Numbers, tuple[Any, ...], float]:
        """Run a chunk; return its metrics, the fingerprints, and the steps a second."""
        began = time.perf_counter()
        before = int(self.engine.join([state.steps for state in self.states]).sum())
        self.states, metrics, fingerprints = self.engine.advance(self.states, self.point.clock)
        spent = time.perf_counter() - began
        taken = int(metrics["steps"][:, -1].sum()) - before
        self.point.clock += self.engine.iterations
        self.point.reports += 1
        self.point.busy += spent
        self.point.done += taken
        if self.engine.hosted:
            self._note_python_world(self.engine.host_report())
        return metrics, fingerprints, taken / spent

    def _note_python_world(self, happened: HostReport) -> None:
        """Add up where the time went and what went wrong; say it, and at first what a step takes."""
        if not self.point.spent or self.point.reports == 1:
            self.progress.say(step_line(self.config, happened))
        self.point.spent = added(self.point.spent, happened.seconds)
        self.point.faults = added(self.point.faults, happened.faults)
        for line in happened.news:
            self.progress.say(line)

    def _report(self, metrics: Numbers, fingerprints: tuple[Any, ...]) -> list[Row]:
        """Evaluate where an evaluation is due, and write a row for each seed."""
        due = self._is_evaluated() or self.over()
        self.results = self.engine.evaluate(self.states) if due else None
        reports = self.point.reports
        updates = self.engine.updates(self.point.clock)
        rows = report_rows(self.spec, reports, metrics, fingerprints, self.results, self.elapsed(), updates)
        self.point.metrics_size = self.folder.append(rows)
        self._save_if_best()
        return rows

    def _is_evaluated(self) -> bool:
        """Return whether this report has an evaluation, wherever the run ends."""
        chunk_steps = self.engine.iterations * self.engine.iteration_steps
        return self.point.reports % max(1, round(self.config.eval_every / chunk_steps)) == 0

    def _score(self) -> float | None:
        """Return the first learning team's greedy return of this report, if it was evaluated."""
        if self.results is None:
            return None
        return float(self.results["teams"][..., self.spec.teams.index(self.team)].mean())

    def _save_if_best(self) -> None:
        score = self._score()
        if score is not None and (self.point.best is None or score > self.point.best):
            self.point.best = score
            self._save_learners(self.folder.best)

    def _keep(self, before: int) -> None:
        """Keep a checkpoint by its step where one is due; `before` is the step of the report before."""
        if self.keeping and self._is_kept(before, self.results is not None):
            self._save_learners(self.folder.numbered(self.steps()))
            kept.prune(self.folder, self.keeping.newest)

    def _is_kept(self, before: int, evaluated: bool) -> bool:
        """Return whether this report's checkpoint is one to keep, without --keep that of each evaluation."""
        return (self.keeping or Keeping()).is_due(before, self.steps(), evaluated)

    def _save_learners(self, path: Path) -> None:
        learners = [{"learners": state.learners} for state in self.engine.layout.own(self.states)]
        checkpoint.save(path, learners, {"score": self._score(), "step": self.steps()})

    def show_progress(self, rows: list[Row], rate: float) -> None:
        """Show the newest returns beside the progress."""
        values = [row[f"train/return/{self.team}"] for row in rows]
        known = [value for value in values if value is not None]
        returns = [signed(np.mean(known))] if known else []
        if self.results is not None:
            self.greedy = float(np.mean([row[f"eval/return/{self.team}"] for row in rows]))
        if self.greedy is not None:
            returns.append(f"greedy {signed(self.greedy)}")
        over = count(self.spec.horizon, "step")
        news = f"{self.team} return over ≤ {over}: {', '.join(returns)}" if returns else ""
        self.progress.update(min(row["step"] for row in rows), rate, news)

    def save(self) -> None:
        """Write the checkpoint from which a run is resumed: everything, replay buffers included.

        That of a light run holds its learners alone.
        """
        began = time.perf_counter()
        if self.config.light:
            self._save_learners(self.folder.last)
        else:
            facts = {"resume_point": asdict(replace(self.point, seconds=self.elapsed()))}
            checkpoint.save(self.folder.last, self.engine.layout.own(self.states), facts)
        self.saved = time.perf_counter()
        self.save_seconds = self.saved - began
        self.unsaved = False


def seconds_between_saves(least: int, writing: float) -> float:
    """Return the seconds between checkpoints, such that writing takes at most one in twenty; 0: always."""
    return max(float(least), 19 * writing) if least else 0.0
