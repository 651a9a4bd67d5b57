"""The schedule of a sweep: ask for trials, hand them out, stop the worse ones early, re-run the winner."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...config.paths import PLAN_FILE
from ...config.space import SearchRange
from ...errors import UserError
from ...runs import launch
from ...runs.folder import RunFolder
from ...text import clock, count, signed
from .findings import Sweep, collect, score_of, steps_of, summary_of
from .plan import Plan, Trial, TrialBook, read_plan
from .search import Search, make_search
from .workers import Job, Outcome, SweepEngine, make_sweep_engine

_Say = Callable[[str], None]
_REDUCTION = 3  # asha goes on with a third of the trials of each rung (Li et al., 2020)
_RUNGS = 3
_WAIT = 1.0  # seconds


def start_sweep(plan: Plan, root: Path, say: _Say) -> Sweep:
    """Begin a sweep in a new folder; a wrong name or setting is told before anything trains."""
    if (root / PLAN_FILE).exists():
        raise UserError(f"{root} holds a sweep: go on with `covey sweep {root}`, or name another --out")
    if plan.on != "sequential":
        launch.stay_on_cpu()
    for environment in plan.environments:
        for settings in _each_value(plan):
            name = plan.settings_name(settings, environment)
            Trial(0, environment, settings, "", name).config(plan).build()
    engine = make_sweep_engine(plan.on, plan.per, root)
    plan.write(root)
    return continue_sweep(root, say, engine)


def _middle(plan: Plan) -> dict[str, Any]:
    """Return some settings of the space."""
    return {
        key: axis.at(0.5) if isinstance(axis, SearchRange) else axis[0] for key, axis in plan.space.items()
    }


def _each_value(plan: Plan) -> list[dict[str, Any]]:
    """Return settings in which every value, and every bound of a range, occurs."""
    first = _middle(plan)
    found = [first]
    for key, axis in plan.space.items():
        values = [axis.at(0.0), axis.at(1.0)] if isinstance(axis, SearchRange) else axis[1:]
        found += [first | {key: value} for value in values]
    return found


def continue_sweep(
    root: Path,
    say: _Say,
    engine: SweepEngine | None = None,
    ended: Callable[[dict[int, str]], None] = lambda failures: None,
    command: str = "",
) -> Sweep:
    """Go on with a sweep: what has ended is left alone, the rest goes on from its checkpoints.

    `ended` is called with all failures whenever a job ends. `command` is what goes on after Ctrl-C.
    """
    plan = read_plan(root)
    if plan.on != "sequential":
        launch.stay_on_cpu()
    with RunFolder(root).locked("covey sweep"):
        engine = engine or make_sweep_engine(plan.on, plan.per, root)
        return _complete(_Schedule(plan, root, engine, say, ended), command or f"`covey sweep {root}`")


def _complete(schedule: "_Schedule", command: str) -> Sweep:
    """Train what is left, and write down what was found, however it ends."""
    try:
        schedule.search()
        schedule.run_winners()
    except KeyboardInterrupt:
        schedule.say(f"stopped: {command} goes on from here")
        raise
    finally:
        schedule.engine.close()
        result = collect(schedule.plan, schedule.root, schedule.failures)
        result.write()
    return result


class _Schedule:
    """A sweep in progress."""

    def __init__(
        self,
        plan: Plan,
        root: Path,
        engine: SweepEngine,
        say: _Say,
        ended: Callable[[dict[int, str]], None],
    ):
        self.plan = plan
        self.root = root
        self.engine = engine
        self.say = say
        self.tell_end = ended
        self.book = TrialBook(root)
        self.searches: dict[str, Search] = {e: make_search(plan, e, root) for e in plan.environments}
        self.ends = {e: Trial(0, e, _middle(plan), "", e).config(plan).steps for e in plan.environments}
        self.running: dict[int, Job] = {}
        self.failures: dict[int, str] = {}
        self.scores: dict[tuple[int, int], float] = {}  # by trial and rung
        self.told: set[int] = set()
        self.began = time.monotonic()
        self.ended = 0  # jobs, since then
        for trial in self.book.trials:
            self._learn(trial)

    def folder(self, trial: Trial) -> RunFolder:
        return trial.run_folder(self.root)

    def rungs(self, trial: Trial) -> list[int]:
        """Return the steps after which a trial may be stopped; the last of them are its end."""
        end = self.ends[trial.environment]
        if self.plan.stop is None or trial.is_winner:
            return [end]
        return [max(1, end // _REDUCTION**i) for i in reversed(range(_RUNGS))]

    def search(self) -> None:
        """Train trials until the search has no more."""
        total = self.plan.planned * len(self.plan.environments)
        jobs = count(self.engine.slots, "job")
        self.say(f"{count(total, 'trial')} by {self.plan.search} search, {jobs} at a time, in {self.root}")
        self._train(self._next)

    def run_winners(self) -> None:
        """Train each environment's best settings with fresh seeds: the choice favoured its own."""
        found = collect(self.plan, self.root, self.failures)
        for environment in self.plan.environments if self.plan.fresh else ():
            best = found.best(environment)
            winner = self.book.winner(environment)
            if best is None or (winner is not None and winner.settings == best.settings):
                continue
            config = self.book.trials[best.number].config(self.plan)
            options = {"seed": config.seed + config.seeds, "seeds": self.plan.fresh}
            self.book.add(self.plan, environment, best.settings, options)
            self.say(f"{best.name} again, with {count(self.plan.fresh, 'fresh seed')}")
        self._train(self._unfinished)

    def _train(self, next_job: Callable[[], Job | None]) -> None:
        """Hand out jobs, as many at a time as the engine takes, until there are none."""
        while True:
            while len(self.running) < self.engine.slots and (job := next_job()) is not None:
                self.running[job.number] = job
                self.engine.submit(job)
            if not self.running:
                return
            outcome = self.engine.wait(_WAIT)
            if outcome is not None:
                self._note(outcome)

    def _unfinished(self) -> Job | None:
        """Return a job that was interrupted, or that is worth going on with."""
        for trial in self.book.trials:
            if trial.number not in self.running and trial.number not in self.failures:
                steps = self._due(trial)
                if steps is not None:
                    return Job(trial.number, steps)
        return None

    def _next(self) -> Job | None:
        """Return a job to go on with, else a new trial."""
        job = self._unfinished()
        if job is not None:
            return job
        for environment, search in self.searches.items():
            settings = search.ask(len(self.book.of(environment)))
            if settings is not None:
                trial = self.book.add(self.plan, environment, settings)
                return Job(trial.number, self.rungs(trial)[0])
        return None

    def _due(self, trial: Trial) -> int | None:
        """Return the steps to which a trial should be trained now; None: it rests, or is at its end."""
        rungs = self.rungs(trial)
        reached = [rung for rung in rungs if (trial.number, rung) in self.scores]
        if len(reached) == len(rungs):
            return None
        if reached and not self._is_promoted(trial, reached[-1]):
            return None
        return rungs[len(reached)]

    def _is_promoted(self, trial: Trial, rung: int) -> bool:
        """Return whether a trial is among the best third of those that have reached a rung."""
        rivals = {other.number for other in self.book.of(trial.environment)}
        scores = {n: score for (n, at), score in self.scores.items() if at == rung and n in rivals}
        best = sorted(scores, key=lambda number: -scores[number])[: len(scores) // _REDUCTION]
        return trial.number in best

    def _note(self, outcome: Outcome) -> None:
        """Write down how a job ended."""
        del self.running[outcome.number]
        self.ended += 1
        trial = self.book.trials[outcome.number]
        if outcome.error == "interrupted":
            raise KeyboardInterrupt
        if outcome.error is not None:
            self.failures[trial.number] = outcome.error
            self.say(f"{trial.name} failed: {outcome.error}")
        self._learn(trial)
        self.tell_end(self.failures)
        self._say_progress(trial)

    def _learn(self, trial: Trial) -> None:
        """Keep a trial's scores, and tell the search how it ended."""
        folder = self.folder(trial)
        done = steps_of(folder)
        for rung in self.rungs(trial):
            score = score_at(folder, rung) if done >= rung else None
            if score is not None:
                self.scores.setdefault((trial.number, rung), score)
        failed = trial.number in self.failures
        if trial.is_winner or trial.number in self.told or not (done or failed):
            return
        self.told.add(trial.number)
        place = [other.number for other in self.book.of(trial.environment)].index(trial.number)
        self.searches[trial.environment].tell(place, None if failed else score_of(folder))

    def _say_progress(self, trial: Trial) -> None:
        """Print a line: the trial that ended, the best so far, the time that is left."""
        total = self.plan.planned * len(self.plan.environments)
        done = sum(1 for t in self.book.trials if self._due(t) is None and not t.is_winner)
        spent = time.monotonic() - self.began
        left = clock(spent / self.ended * max(0, total - done))
        score = score_of(self.folder(trial))
        got = "" if score is None else f": {signed(score)} after {steps_of(self.folder(trial)):,} steps"
        rivals = [(score_of(self.folder(t)), t.name) for t in self.book.of(trial.environment)]
        best = max(((s, name) for s, name in rivals if s is not None), default=None)
        leader = f"; best {signed(best[0])} ({best[1]})" if best else ""
        self.say(f"[{done}/{total}] {trial.name}{got}{leader}; ETA {left}")


def score_at(folder: RunFolder, rung: int) -> float | None:
    """Return the mean greedy return of a run's seeds at its first evaluation from a rung on."""
    summary = summary_of(folder)
    key = f"eval/return/{summary['eval']['team']}" if summary else ""
    reports: dict[int, list[float]] = {}
    for row in folder.rows() if summary else ():
        if key in row and row["step"] >= rung:
            reports.setdefault(row["report"], []).append(row[key])
    if not reports:
        return None
    first = reports[min(reports)]
    return sum(first) / len(first)
