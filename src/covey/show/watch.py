"""Watching a run: a film of it, a line on what is seen, and every step in numbers."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..config.config import Config
from ..core.scene import Tabular
from ..runs.folder import RunFolder
from ..runs.metrics import convention
from ..text import count, signed
from . import film
from .playback import Episode, Replay, play


def watch(
    path: str | Path,
    out: str | Path | None = None,
    episodes: int = 2,
    seed: int | None = None,
    begin: int = 0,
    follow: str | None = None,
) -> tuple[Replay, Path]:
    """Plays, and draws: a film, or of a small game its whole table. Returns what was played and the file."""
    folder = RunFolder.existing(path)
    game = isinstance(Config.from_yaml(folder.config).build()[0], Tabular)
    place = Path(out) if out is not None else folder.game if game else folder.film
    film.writer(place)
    replay = play(folder, seed, episodes, begin, follow)
    if game and place.suffix == ".png":
        from . import tables

        tables.picture(folder, place, replay.seed)
    else:
        film.write(replay, place)
    return replay, place


def named_returns(replay: Replay) -> list[str]:
    """What each team's rewards are called."""
    teams = replay.spec.teams
    return ["team"] if len(teams) == 1 else [f"{team} team" for team in teams]


def line(replay: Replay) -> str:
    """The episodes' returns, with their convention."""
    returns = np.array([episode.returns for episode in replay.episodes]).T
    told = [
        f"{name} return {', '.join(map(signed, values))}"
        for name, values in zip(named_returns(replay), returns, strict=True)
    ]
    played = count(len(replay.episodes), "greedy episode")
    return f"seed {replay.seed}, {played}: {'; '.join(told)} ({convention(replay.spec)})"


def log(replay: Replay) -> Iterator[str]:
    """A table for each episode."""
    for number, episode in enumerate(replay.episodes):
        yield f"episode {number + 1}: rewards by agent and team\n{table(replay, episode)}"


def table(replay: Replay, episode: Episode) -> str:
    """A row a step, and their sums."""
    heads = ["step", *replay.spec.names, *named_returns(replay), *episode.counts]
    paid = np.concatenate([episode.reward, episode.team_reward], axis=1, dtype=np.float64)
    counted = np.reshape([*episode.counts.values()], (len(episode.counts), episode.length)).T
    row = lambda name, paid, counted: [name, *map(signed, paid), *(f"{x:g}" for x in counted)]
    rows = [row(str(t + 1), paid[t], counted[t]) for t in range(episode.length)]
    rows = [heads, *rows, row("sum", paid.sum(axis=0), counted.sum(axis=0))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.rjust, cells, widths)) for cells in rows)
