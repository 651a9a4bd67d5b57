"""The section of a report in which trained agents play."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...runs.folder import RunFolder
from .markup import Markup, shorten, tag
from .packing import pack_players
from .players import record_players
from .result_sections import page_section
from .scores import GroupScore, WorldScores

_MOST = 3  # groups that play

SayLine = Callable[[str], None]


def record_replays(results: list[WorldScores], say: SayLine) -> tuple[list[dict[str, Any]], list[str]]:
    """Let the best groups play: of several worlds the best of each, of one the best few.

    Return what the page holds of them, and why others could not play.
    """
    if len(results) == 1:
        chosen = [(results[0], score) for score in results[0].ranked[:_MOST]]
    else:
        chosen = [(result, result.ranked[0]) for result in results if result.scores][:_MOST]
    replays = []
    problems = []
    for result, score in chosen:
        label = score.group.label
        say(f"replay: {label} on {result.world.name} plays")
        try:
            replays.append(_record(result, score))
        except (UserError, OSError, ImportError, ValueError, TypeError) as error:
            problems.append(f"{label} cannot play: {shorten(error, 300)}")
    return replays, problems


def _record(result: WorldScores, score: GroupScore) -> dict[str, Any]:
    """Record the first run of a group; its seeds come first among the group's."""
    run = score.group.first
    players = record_players(RunFolder(Path(run.path)), score.values[: run.seeds], round(score.step))
    return pack_players(players, score.group.label, result.world.groups.index(score.group), result.world.name)


def replay_section(replays: list[dict[str, Any]], problems: list[str]) -> Markup | None:
    """Return the place of the replay, which the page fills."""
    if not replays and not problems:
        return None
    note = (
        "Greedy episodes, recorded step by step; it opens on the median episode of the median seed. "
        "Space plays, arrows step, a click or a digit follows an agent. Players side by side start alike."
    )
    words = [tag("p", problem, class_="note") for problem in problems]
    script = tag("noscript", tag("p", "The replay needs JavaScript.", class_="note"))
    theatre = tag("div", id="theatre", tabindex=0, role="group", aria_label="replay") if replays else None
    return page_section("replay", "Replay", theatre, script, words, note=note if replays else None)
