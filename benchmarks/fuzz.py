"""Throw random command lines, YAML and damaged run folders at covey, and count how each ends.

    python -m benchmarks.fuzz                     # 10,000 cases, a third of each kind
    python -m benchmarks.fuzz --cases 600 --seed 1

Hypothesis draws the cases. Each runs in this process, in a folder of its own with a whole small run, and
stops where a program would be compiled. It may end in a sentence, or be accepted. A traceback is wrong, and
so is a case that takes longer than `--patience` seconds of this process.
"""

import contextlib
import io
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st

from covey.cli import main as covey_main
from covey.errors import UserError

from .bad_input_cases import Case
from .bad_inputs import Began, Outcome, train_small_run, try_input, workplace
from .common import parse_options, print_table
from .fuzz_cases import command_lines, config_files, run_folders

KINDS: dict[str, Callable[[], st.SearchStrategy[Case]]] = {
    "command lines": command_lines,
    "YAML": config_files,
    "bytes of run folders": run_folders,
}
ENDS = ("sentence", "accepted", "traceback", "hang")
_WRONG = ("traceback", "hang")


class Tried(NamedTuple):
    """A case and its end; `changed` holds the file that was damaged, where the end was wrong."""

    case: Case
    outcome: Outcome
    changed: bytes

    @property
    def is_wrong(self) -> bool:
        return self.outcome.end in _WRONG


def stop_here(*args: Any, **options: Any) -> Any:
    """Stand in for whatever compiles, serves or starts processes: a case ends here, accepted."""
    raise Began([])


def play_nothing(*args: Any, **options: Any) -> Any:
    """Stand in for the replay of a report, which is written without it."""
    raise UserError("nothing is played here")


@contextlib.contextmanager
def nothing_compiled() -> Iterator[None]:
    """Let everything end where it would compile; shapes are traced once for each configuration."""
    from covey.runs.engine import Engine

    trace = Engine.__dict__["shapes"].func
    traced: dict[str, Any] = {}

    def shapes(engine: Engine) -> Any:
        key = engine.config.text(Path("config.yaml"))
        if key not in traced:
            traced[key] = trace(engine)
        return traced[key]

    ends = (
        "covey.runs.session.Training.prepare", "covey.runs.engine.Engine.program",
        "covey.runs.engine.Engine.compile_together", "covey.analysis.sweep.schedule.make_sweep_engine",
        "covey.training.workers.Workers.__init__", "covey.show.report.live.LiveReport.serve_forever",
    )  # fmt: skip
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(Engine, "shapes", property(shapes)))
        for name in ends:
            stack.enter_context(mock.patch(name, stop_here))
        stack.enter_context(mock.patch("covey.show.report.players.play_scenes", play_nothing))
        stack.enter_context(mock.patch("webbrowser.open"))
        yield


def prepare_run(root: Path) -> None:
    """Train the run that is damaged, and export an agent of it."""
    train_small_run(root / "whole")
    with contextlib.redirect_stdout(io.StringIO()):
        covey_main(["export", "whole", "--agent", "agent_0", "--out", "whole/agent_0.npz"])


def try_case(case: Case, root: Path, patience: int) -> Tried:
    """Run a case in a folder of its own."""
    place = root / "case"
    place.mkdir()
    shutil.copytree(root / "whole", place / "run")
    os.symlink(root / "whole", place / "whole")
    shutil.copy(root / "mine.py", place / "mine.py")
    os.chdir(place)
    try:
        case.prepare(place)
        outcome = try_input(case, patience)
        wrong = place / "run" / case.file if case.file and outcome.end in _WRONG else None
        return Tried(case, outcome, wrong.read_bytes() if wrong and wrong.is_file() else b"")
    finally:
        os.chdir(root)
        shutil.rmtree(place)


def fuzz(
    cases: int, first: int, patience: int, say: Callable[[Tried], None] = lambda tried: None
) -> list[Tried]:
    """Try cases of all kinds, as many of each; `say` hears of those that end wrongly."""
    tried: list[Tried] = []
    with workplace() as root:
        prepare_run(root)
        with nothing_compiled():
            for kind in KINDS.values():
                _try_kind(kind(), -(-cases // len(KINDS)), first, root, patience, tried, say)
    return tried


def _try_kind(
    strategy: st.SearchStrategy[Case],
    cases: int,
    first: int,
    root: Path,
    patience: int,
    tried: list[Tried],
    say: Callable[[Tried], None],
) -> None:
    @seed(first)
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much),
        verbosity=Verbosity.quiet,
    )
    @given(strategy)
    def run(case: Case) -> None:
        tried.append(try_case(case, root, patience))
        if tried[-1].is_wrong:
            say(tried[-1])

    run()


def describe(tried: Tried) -> str:
    """Return a case that ended wrongly, to be tried again by hand."""
    words = " ".join(repr(word)[:200] for word in tried.case.words)
    changed = f"\n    {tried.case.file}: {tried.changed[:300]!r}" if tried.case.file else ""
    return f"covey {words}{changed}\n    {tried.outcome.end}: {tried.outcome.said}"


def print_results(tried: list[Tried]) -> None:
    rows = []
    for kind in (*KINDS, "all"):
        those = [x for x in tried if kind in (x.case.group, "all")]
        counts = Counter("accepted" if x.outcome.end == "told" else x.outcome.end for x in those)
        slowest = max((x.outcome.seconds for x in those), default=0.0)
        ends = {end: f"{counts[end]:,}" for end in ENDS}
        rows.append({"input": kind, "tried": f"{len(those):,}"} | ends | {"slowest": f"{slowest:.1f} s"})
    print_table(rows)


def main() -> None:
    options = parse_options(
        __doc__ or "",
        None,
        **{
            "--cases": {"type": int, "default": 10_000, "help": "how many (10,000)"},
            "--seed": {"type": int, "default": 0, "help": "of the cases (0)"},
            "--patience": {"type": int, "default": 10, "help": "seconds after which a case hangs (10)"},
        },
    )
    tried = fuzz(options.cases, options.seed, options.patience, lambda x: print(describe(x), flush=True))
    print_results(tried)
    slowest = max(tried, key=lambda x: x.outcome.seconds)
    print(f"slowest: {describe(slowest)}")
    sys.exit(1 if any(x.is_wrong for x in tried) else 0)


if __name__ == "__main__":
    main()
