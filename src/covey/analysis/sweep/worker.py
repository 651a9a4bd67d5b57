"""The work of a sweep: one trial up to a number of steps, in whatever process this runs.

As a program, it reads jobs from its standard input, a line of JSON for each, and answers each with a line.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...config.trust import trusting
from ...errors import UserError
from .share import Share

_LENDERS: list[Any] = []  # the engines of this process: later trials borrow their programs
_PATIENCE = 120.0  # seconds for the last process of a run to end: on a lost machine it may outlive its job


def run_job(root: str, number: int, steps: int, share: str, trust: bool) -> dict[str, Any]:
    """Train a trial to its `steps` on a share of this machine; say how it ended."""
    Share.read(share).prepare()
    with trusting(trust):
        return train_trial(Path(root), number, steps)


def train_trial(
    root: Path,
    number: int,
    steps: int,
    quiet: bool = True,
    draw: Callable[..., bool] = lambda *curve: False,  # the sweep has a picture of all its trials
    lenders: list[Any] | None = None,
) -> dict[str, Any]:
    """Train a trial to its `steps`, from its last checkpoint where there is one; say how it ended."""
    from ...config.options import command_line_sentence
    from ...runs import run
    from .plan import TrialBook, read_plan

    plan = read_plan(root)
    trial = TrialBook(root).trials[number]
    folder = trial.run_folder(root)
    lenders = _LENDERS if lenders is None else lenders
    try:
        _wait_until_free(folder)
        if folder.config.exists():
            result = run.resume_run(folder.path, steps, quiet, lenders)
        else:
            result = run.train_run(trial.config(plan, steps), folder.path, quiet, lenders)
        result.close(draw)
    except UserError as error:
        return {"number": number, "error": command_line_sentence(error)}
    except KeyboardInterrupt:
        return {"number": number, "error": "interrupted"}
    return {"number": number, "error": None}


def _wait_until_free(folder: Any) -> None:
    """Wait while another process trains a run, as long as it may take to die with its machine."""
    until = time.monotonic() + _PATIENCE
    while folder.is_locked() and time.monotonic() < until:
        time.sleep(1.0)


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
