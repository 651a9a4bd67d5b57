"""Commands that show what runs found: `report`."""

from collections.abc import Callable, Sequence
from pathlib import Path

from ..commands import command
from ..runs import launch
from .results import Report, RunPath

_NAME = "report.html"


@command()
def report(
    runs: Sequence[RunPath],
    *,
    out: RunPath | None = None,
    replay: bool = True,
    say: Callable[[str], None] | None = None,
) -> Report:
    """Write one page on runs: a verdict, curves, a replay, settings, data.

    A folder that holds runs, as `covey ablate` makes one, stands for all of them. The page needs no network.

    Args:
        runs (RUN): the runs' folders, or folders of runs
        out (FILE): the page (report.html: in the folder, if there is one)
        replay: let the trained agents play
        say: receives a line for each group that plays
    """
    paths = _listed(runs)
    launch.prepare("cpu")
    from ..show.report import check_page_path, write_report

    file = Path(out) if out else (Path(paths[0]) if len(paths) == 1 else Path()) / _NAME
    check_page_path(file)
    return Report(write_report(paths, file, replay, say or (lambda line: None)))


def _listed(runs: Sequence[RunPath] | RunPath) -> list[RunPath]:
    """Return a list of runs, also of one by itself."""
    return [runs] if isinstance(runs, str | Path) else list(runs)
