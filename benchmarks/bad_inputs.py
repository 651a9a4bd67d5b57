"""Give covey malformed inputs, command by command, and count how each ends.

    python -m benchmarks.bad_inputs                   # all of them, with a small run that is trained first
    python -m benchmarks.bad_inputs --group worlds    # the groups whose names hold a word

An input ends in one sentence and status 2. Or it is accepted, and the table says why that is right; `told` if
the run says so before it trains. A traceback is wrong, and so is an input that takes longer than `--patience`
seconds of this process, or ten times as long by the clock. Training stops where it would begin: by then the
configuration is resolved, and the shapes of everything are traced.
"""

import contextlib
import io
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from covey.cli import main as covey_main

from .bad_input_cases import Case, all_cases
from .common import parse_options, print_table

ENDS = ("sentence", "told", "accepted", "traceback", "hang")
TINY = "agent=feed_forward agent.hidden=4 mixer.embed=2 mixer.hyper=2 last_action=false preset=original"
SHORT = "--steps 40 --seeds 1 --envs 2 --eval-episodes 2 --no-audit --no-report --quiet"


class Outcome(NamedTuple):
    """How an input ended, and what was said."""

    end: str
    said: str
    seconds: float


class Began(BaseException):
    """Training would begin now; it is no error that covey may catch."""

    def __init__(self, notes: list[str]):
        self.notes = notes


class TookTooLong(BaseException):
    """An input ran on; it is no error that covey may catch."""


def begin_training(training: Any, new: bool = True) -> None:
    """Stand in for `Training.prepare`: trace the shapes of everything, and compile nothing."""
    training.engine.memory()
    raise Began(training.config.notes)


def try_input(case: Case, patience: int) -> Outcome:
    """Run a command in this process; `case.prepare` has made what it needs in the working directory."""

    def too_long(number: int, frame: Any) -> None:
        raise TookTooLong

    numbers = (signal.SIGALRM, signal.SIGPROF)
    old = [signal.signal(number, too_long) for number in numbers]
    err = io.StringIO()
    began = time.process_time()
    signal.alarm(10 * patience)
    signal.setitimer(signal.ITIMER_PROF, patience)  # other work on the machine does not count
    try:
        with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
            status = covey_main(case.words)
        end = "sentence" if status == 2 else "accepted"
        said = err.getvalue().strip()
        if end == "sentence" and not said.startswith("covey: "):
            end = "traceback"
    except Began as training:
        end = "told" if training.notes else "accepted"
        said = "; ".join(training.notes)
    except TookTooLong:
        end = "hang"
        said = ""
    except BaseException as error:
        end = "accepted" if isinstance(error, SystemExit) and not error.code else "traceback"
        said = f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        for number, handler in zip(numbers, old, strict=True):
            signal.signal(number, handler)
    return Outcome(end, said.replace("\n", " ")[:300], time.process_time() - began)


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """Work in a new folder, with a key of its own for the runs that are made there."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name, mock.patch.dict(os.environ, XDG_CONFIG_HOME=name):
        os.chdir(name)
        try:
            yield Path(name)
        finally:
            os.chdir(before)


def train_small_run(path: Path) -> None:
    """Train the run whose folder is damaged."""
    Path("mine.py").write_text(
        "from covey.networks import MonotonicMixer\n\n\nclass Mine(MonotonicMixer):\n    pass\n"
    )
    with contextlib.redirect_stdout(io.StringIO()):
        words = f"train qmix two_step {TINY} mixer=mine.py:Mine {SHORT} --out {path}"
        assert covey_main(words.split()) == 0


def is_expected(case: Case, outcome: Outcome) -> bool:
    """Return whether an input ended as it should: in a sentence, unless its case says why not."""
    return outcome.end in ("accepted", "told") if case.why else outcome.end == "sentence"


def try_all(
    cases: list[Case], patience: int, say: Callable[[str], None] = lambda line: None
) -> list[tuple[Case, Outcome]]:
    """Try inputs one after another, each in a folder with a fresh copy of the run if it needs one."""
    results = []
    with workplace() as root:
        if any(case.needs_run for case in cases):
            train_small_run(root / "whole")
        with mock.patch("covey.runs.session.Training.prepare", begin_training):
            for number, case in enumerate(cases, 1):
                if case.needs_run:
                    shutil.rmtree(root / "run", ignore_errors=True)
                    shutil.copytree(root / "whole", root / "run")
                case.prepare(root)
                outcome = try_input(case, patience)
                results.append((case, outcome))
                if not is_expected(case, outcome):
                    say(f"{number}: covey {' '.join(case.words)}\n    {outcome.end}: {outcome.said}")
    return results


def print_results(results: list[tuple[Case, Outcome]]) -> None:
    groups = [*dict.fromkeys(case.group for case, _ in results), "all"]
    rows = []
    for group in groups:
        counts = Counter(outcome.end for case, outcome in results if group in (case.group, "all"))
        ends = {end: str(counts[end]) for end in ENDS}
        rows.append({"input": group, "tried": str(counts.total())} | ends)
    print_table(rows)
    print("\nAccepted, and why that is right:")
    for case, outcome in results:
        if outcome.end in ("accepted", "told"):
            print(f"  covey {' '.join(case.words)}: {case.why or 'NOT EXPECTED'}")


def main() -> None:
    options = parse_options(
        __doc__ or "",
        None,
        **{
            "--group": {"default": "", "help": "only groups whose names hold this word"},
            "--patience": {"type": int, "default": 60, "help": "seconds after which an input hangs (60)"},
        },
    )
    cases = [case for case in all_cases() if options.group in case.group]
    results = try_all(cases, options.patience, lambda line: print(line, flush=True))
    print_results(results)
    wrong = [case for case, outcome in results if not is_expected(case, outcome)]
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
