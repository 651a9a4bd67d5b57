"""Films of a run's episodes, a line on their returns, and tables of every step."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..config.config import Config
from ..core.scene import Tabular
from ..errors import UserError
from ..runs.folder import RunFolder
from ..runs.metrics import convention
from ..text import count, signed, table
from . import film, tables
from .playback import Episode, Playback, record_playback


def watch_run(
    path: str | Path,
    out: str | Path | None = None,
    episodes: int = 2,
    seed: int | None = None,
    begin: int = 0,
    follow: str | None = None,
    at: int | str | None = None,
) -> tuple[Playback, Path]:
    """Play episodes and draw them: as a film or, in a small game, as tables of its payoffs.

    Return the episodes and the file.
    """
    folder = RunFolder.existing(path)
    is_game = isinstance(Config.from_yaml(folder.config).build()[0], Tabular)
    default = folder.game if is_game else folder.film
    file = Path(out) if out is not None else default
    film.find_writer(file)
    if not file.parent.is_dir() and not file.parent.parent.is_dir():
        raise UserError(f"--out {file}: there is no folder {file.parent.parent} to make one in")
    playback = record_playback(folder, seed, episodes, begin, follow, at)
    if is_game and file.suffix == ".png":
        tables.draw_run(folder, file, playback.seed, at)
    else:
        film.write_film(playback, file)
    return playback, file


def _team_labels(playback: Playback) -> list[str]:
    teams = playback.spec.teams
    return ["team"] if len(teams) == 1 else [f"{team} team" for team in teams]


def returns_line(playback: Playback) -> str:
    """Write the episodes' returns, with their convention."""
    returns = np.array([episode.returns for episode in playback.episodes]).T
    parts = [
        f"{label} return {', '.join(map(signed, values))}"
        for label, values in zip(_team_labels(playback), returns, strict=True)
    ]
    played = count(len(playback.episodes), "greedy episode")
    seed = f"seed {playback.seed}, the median" if playback.is_median else f"seed {playback.seed}"
    played += f", nearest to the median of {playback.pool}" if playback.pool else ""
    return f"{seed}, {played}: {'; '.join(parts)} ({convention(playback.spec)})"


def reward_log(playback: Playback) -> Iterator[str]:
    """Yield a table of rewards for each episode."""
    for number, episode in enumerate(playback.episodes, 1):
        yield f"episode {number}: rewards by agent and team\n{reward_table(playback, episode)}"


def reward_table(playback: Playback, episode: Episode) -> str:
    """Write a row for each step, and the sums."""
    head = ["step", *playback.spec.names, *_team_labels(playback), *episode.counts]
    rewards = np.concatenate([episode.reward, episode.team_reward], axis=1, dtype=np.float64)
    counts = np.reshape([*episode.counts.values()], (len(episode.counts), episode.length)).T
    rows = [_reward_row(str(t + 1), rewards[t], counts[t]) for t in range(episode.length)]
    total = _reward_row("sum", rewards.sum(axis=0), counts.sum(axis=0))
    return table([head, *rows, total], right=range(len(head)), indent=0)


def _reward_row(name: str, rewards: np.ndarray, counts: np.ndarray) -> list[str]:
    return [name, *map(signed, rewards), *(f"{x:g}" for x in counts)]
