"""The page of a report: gathered from run folders, written as one HTML file."""

import hashlib
from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

from ...errors import UserError
from ...files import atomic
from ...runs.folder import RunFolder
from ...runs.provenance import package_version
from ...text import count
from . import embedding
from .grouping import WorldRuns, group_runs
from .markup import Markup, clean, join, script_json, shorten, tag
from .reading import RecordedRun, dig, find_folders, read_crossplay, read_run
from .replay_section import SayLine, record_replays, replay_section
from .result_sections import crossplay_section, curves_section, joined, profile_section, verdict_section
from .run_sections import cost_section, data_section, settings_section, training_section
from .scores import WorldScores, score_world

_HERE = Path(__file__).parent
_SCRIPTS = ("uplot/uPlot.iife.min.js", "statistics.js", "curves.js", "stage.js", "replay.js", "page.js")
_STYLES = ("uplot/uPlot.min.css", "page.css")
_LONG = 120  # seconds of training, after which the automatic report has a replay
_TITLES = {
    "verdict": "Verdict",
    "curves": "Curves",
    "profiles": "Profiles",
    "settings": "Settings",
    "training": "Losses and audit",
    "crossplay": "Cross-play",
    "replay": "Replay",
    "cost": "Run it again",
    "data": "Data",
}


def make_report(
    paths: Sequence[str | Path], replay: bool = True, live: bool = False, say: SayLine = lambda line: None
) -> bytes:
    """Return the page on some runs; without `replay` nothing of them is executed."""
    folders, tables = find_folders(paths)
    worlds = group_runs([read_run(folder) for folder in folders])
    crossplays = [read_crossplay(file) for file in tables]
    command = " ".join(["covey report", *(shorten(path) for path in paths)])
    results = [score_world(world) for world in worlds]
    replays, problems = record_replays(results, say) if replay else ([], [])
    return render(results, crossplays, replays, problems, command, live)


def render(
    results: list[WorldScores],
    crossplays: list[dict[str, Any]],
    replays: list[dict[str, Any]],
    problems: list[str],
    command: str,
    live: bool = False,
) -> bytes:
    """Return the page as bytes."""
    worlds = [result.world for result in results]
    version = package_version("covey") or "unknown"
    body = joined(
        verdict_section(results),
        curves_section(results),
        profile_section(results),
        settings_section(worlds),
        training_section(worlds),
        crossplay_section(crossplays),
        replay_section(replays, problems),
        cost_section(worlds, command),
        data_section(),
    )
    data = {
        "format": 1,
        "covey": version,
        "live": live,
        "draws": embedding.embed_draws(worlds),
        "worlds": embedding.embed_worlds(worlds),
        "replays": replays,
    }
    links = [tag("a", title, href=f"#{name}") for name, title in _TITLES.items() if f'id="{name}"' in body]
    page = Template(_asset("page.html")).substitute(
        policy=_policy(live),
        version=join(version),
        title=join(_title(worlds)),
        facts=join(_facts(worlds)),
        style="\n".join(map(_asset, _STYLES)),
        links=join(links),
        body=body,
        data=script_json(data),
        scripts=_scripts(),
    )
    return page.encode()


def check_page_path(out: Path) -> None:
    """Refuse a file that is no page, before anything is read."""
    if out.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--out {out} has no ending that says what to write: take .html")


def report_writer(wanted: bool) -> Callable[[RunFolder], str] | None:
    """Return what writes a run's report when it ends, and says so; None if nobody wants one.

    A run is worth more than its report: whatever goes wrong here is a line, and the run ends as it should.
    """

    def write(folder: RunFolder) -> str:
        try:
            return f"report: {write_report([folder.path], folder.report, replay=_lasted(folder))}"
        except Exception as error:
            return f"no report: {type(error).__name__}: {error}; `covey report {folder.path}` tries again"

    return write if wanted else None


def _lasted(folder: RunFolder) -> bool:
    """Return whether a run took so long that a replay, which compiles for seconds, is a small part of it."""
    train = folder.read_json(folder.summary).get("train", {})
    return train.get("wall_seconds", 0) >= _LONG


def write_report(
    paths: Sequence[str | Path], out: Path, replay: bool = True, say: SayLine = lambda line: None
) -> Path:
    """Write the page on some runs."""
    content = make_report(paths, replay, say=say)
    with atomic(out, "the report") as file:
        file.write(content)
    return out


def _title(worlds: list[WorldRuns]) -> str:
    algorithms = list(dict.fromkeys(group.first.algorithm for world in worlds for group in world.groups))
    names = list(dict.fromkeys(world.groups[0].first.environment for world in worlds))
    return f"{_listed(algorithms)} on {_listed(names)}"


def _listed(names: list[str], most: int = 4) -> str:
    shown = [clean(shorten(name, 60)) for name in names[:most]]
    shown += [f"{len(names) - most} others"] if len(names) > most else []
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _facts(worlds: list[WorldRuns]) -> str:
    runs: list[RecordedRun] = [run for world in worlds for group in world.groups for run in group.runs]
    seeds = sum(run.seeds for run in runs)
    facts = [count(len(runs), "run"), count(seeds, "seed")]
    facts += [count(len(worlds), "world")] if len(worlds) > 1 else []
    unfinished = sum(run.status not in ("finished", "unknown", "imported") for run in runs)
    facts += [f"{unfinished} unfinished"] if unfinished else []
    times = [told for run in runs if (told := dig(run.provenance, str, "time"))]
    facts += [f"begun {shorten(max(times), 20)}"] if times else []
    return " · ".join(facts)


@cache
def _asset(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _scripts() -> Markup:
    return Markup("\n".join(f"<script>{_asset(name)}</script>" for name in _SCRIPTS))


@cache
def _policy(live: bool) -> str:
    """Return what the page may do: run its own scripts, known by their digests, and ask nobody anything."""
    digest = lambda text: b64encode(hashlib.sha256(text.encode()).digest()).decode()
    own = " ".join(f"'sha256-{digest(_asset(name))}'" for name in _SCRIPTS)
    connect = "'self'" if live else "'none'"
    return (
        f"default-src 'none'; script-src {own}; style-src 'unsafe-inline'; img-src data:; "
        f"connect-src {connect}; base-uri 'none'; form-action 'none'"
    )
