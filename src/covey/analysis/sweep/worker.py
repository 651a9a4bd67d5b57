"""The work of a sweep: one trial up to a number of steps, in whatever process this runs.

As a program, it reads jobs from its standard input, a line of JSON for each, and answers each with a line.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...runs import launch

_LENDERS: list[Any] = []  # the engines of this process: later trials borrow their programs


def run_job(root: str, number: int, steps: int) -> dict[str, Any]:
    """Train a trial to its `steps`, from its last checkpoint where there is one; say how it ended."""
    launch.prepare()
    from ...config.options import command_line_sentence
    from .plan import PLAN_FILE, Plan, TrialBook

    plan = Plan.read(Path(root) / PLAN_FILE)
    trial = TrialBook(Path(root)).trials[number]
    try:
        _train(plan, trial, Path(root), steps)
    except UserError as error:
        return {"number": number, "error": command_line_sentence(error)}
    except KeyboardInterrupt:
        return {"number": number, "error": "interrupted"}
    return {"number": number, "error": None}


def _train(plan: Any, trial: Any, root: Path, steps: int) -> None:
    from ...runs import run

    folder = trial.run_folder(root)
    if folder.config.exists():
        result = run.resume_run(folder.path, steps, quiet=True, lenders=_LENDERS)
    else:
        result = run.train_run(trial.config(plan, steps), folder.path, quiet=True, lenders=_LENDERS)
    result.close(lambda *curve: False)  # the sweep has a picture of all its trials


def serve() -> None:
    """Serve jobs until the input ends. The first line names the cores to run on."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what training prints goes to the log
    cores = json.loads(sys.stdin.readline())["cores"]
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    for line in sys.stdin:
        answers.write(json.dumps(run_job(**json.loads(line))) + "\n")


def _end_with_parent(parent: int) -> None:
    """End this process when its parent has ended, however that did: the next sweep needs what it holds."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    serve()
