"""The end of a run: its last evaluation, summary.json, and a few lines to read."""

from typing import Any

from ..text import count, memory_size
from .results import CurveRequest, Evaluation, RunResult, summarise
from .session import Training


def finish(training: Training) -> RunResult:
    """Evaluate if need be, write summary.json, and say how the run went."""
    status = "finished" if training.over() else "stopped" if training.status == "stopped" else "interrupted"
    results = training.results
    if results is None:
        results = training.engine.evaluate(training.states)
    evaluation = summarise(training.spec, results, training.team)
    wall = training.elapsed()
    report = training.audit.finish(training.states) if training.audit else None
    content = _content(training, status, evaluation, wall)
    content["audit"] = report.to_json() if report else None
    if training.pools.pools:
        content["pools"] = training.pools.summary(training.states)
    meter = training.meter
    if meter:
        content["stationarity"] = meter.summary(training.folder)
    training.folder.write_json(training.folder.summary, content)

    say = training.progress.say
    say(str(evaluation))
    done = training.point.done
    say(f"{done:,} steps in {wall:.0f} s ({_rate(training):,.0f} environment steps/s while training)")
    if training.point.spent:
        say(_spent_line(training))
    if meter:
        say(f"stationarity: measured {meter.reports} times in {meter.seconds:.1f} s of these {wall:.0f} s")
    restarts = training.point.faults.get("restarts", 0)
    if restarts:
        given_up = training.point.faults.get("given_up", 0)
        say(f"{count(restarts, 'worker')} restarted, {count(given_up, 'episode')} given up")
    for line in report.lines() if report else ():
        say(line)
    label = f"greedy {training.team} return\n(sum over ≤ {training.spec.horizon} steps)"
    curve = CurveRequest(f"eval/return/{training.team}", training.config.title, label)
    training.status = status
    return RunResult(training.folder, status, curve, _closing_lines(training), say)


def _content(training: Training, status: str, evaluation: Evaluation, wall: float) -> dict[str, Any]:
    """Return what summary.json holds, but for the audit."""
    config = training.config
    return {
        "algorithm": config.portable.algorithm,
        "environment": config.portable.environment,
        "steps": training.steps(),
        "seeds": config.seeds,
        "updates": training.engine.updates(training.point.clock),
        "status": status,
        "eval": evaluation.to_json(),
        "train": {
            "env_steps_per_second": round(_rate(training)),
            "compile_seconds": round(training.compile_seconds, 2),
            "wall_seconds": round(wall, 2),
            **_workers(training),
            **{f"{what}_seconds": round(spent, 2) for what, spent in training.point.spent.items()},
        },
    }


def _rate(training: Training) -> float:
    """Return the environment steps per second while training, of all seeds."""
    point = training.point
    return point.done / point.busy if point.busy else 0.0


def _workers(training: Training) -> dict[str, Any]:
    """Return the worker processes of a Python world, and how often they had to be restarted."""
    faults = training.point.faults
    if not faults:
        return {}
    return {
        "workers": training.engine.workers,
        "worker_restarts": faults.get("restarts", 0),
        "episodes_given_up": faults.get("given_up", 0),
    }


def _spent_line(training: Training) -> str:
    """Return where the time of training in a Python world went; the rest passed between its parts."""
    point = training.point
    shares = [f"{what} {seconds / point.busy:.0%}" for what, seconds in point.spent.items()]
    return f"time while training: {', '.join(shares)}"


def _closing_lines(training: Training) -> tuple[str, ...]:
    """Return the lines on the last checkpoint and the run's folder."""
    run = f"run: {training.folder.path}"
    last = training.folder.last
    if not last.exists():
        return (run,)
    size = memory_size(last.stat().st_size)
    return f"checkpoint: {size}, written in {training.save_seconds:.1f} s", run
