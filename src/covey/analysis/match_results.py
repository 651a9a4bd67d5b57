"""Results of runs that play against each other, as types, as plain data and as text."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..runs.results import statistics_text
from ..text import count, signed
from ..text import table as text_table

_Statistics = dict[str, Any]  # what `statistics.summarise_scores` returns


@dataclass(frozen=True)
class Match:
    """A run's teams against those of another: returns by team, and what the world counts."""

    run: str
    versus: str
    environment: str
    convention: str
    sides: dict[str, str]  # by team, the run that plays it
    pairs: int  # of seeds
    episodes: int  # of each pair
    teams: dict[str, _Statistics]
    counts: dict[str, _Statistics]

    def to_json(self) -> dict[str, Any]:
        """Return plain data, with the keys of `covey eval --versus --json`."""
        return asdict(self)

    def __str__(self) -> str:
        """Return a line for each team and each count."""
        games = f"{count(self.pairs, 'pair')} of seeds × {count(self.episodes, 'greedy episode')}"
        head = f"{self.run} against {self.versus} in {self.environment}, {games} ({self.convention})"
        teams = [
            f"{team} of {self.sides[team]}: return {statistics_text(r)}" for team, r in self.teams.items()
        ]
        counts = [f"{name} an episode: {statistics_text(r)}" for name, r in self.counts.items()]
        return "\n".join([head, *teams, *counts])


@dataclass(frozen=True)
class Crossplay:
    """Every run's team against every run's others: a row for who plays it, a column for who opposes it."""

    runs: list[str]
    environment: str
    side: str
    against: str
    convention: str
    episodes: int
    team_return: list[list[float]]
    ci95: list[list[list[float]]]
    counts: dict[str, list[list[float]]]
    files: tuple[Path, ...] = ()  # that were written; no part of the JSON

    def to_json(self) -> dict[str, Any]:
        """Return plain data, with the keys of crossplay.json."""
        return {name: value for name, value in asdict(self).items() if name != "files"}

    @property
    def names(self) -> list[str]:
        """The runs' folder names, or their paths where two have the same name."""
        names = [Path(path).resolve().name for path in self.runs]
        return names if len(set(names)) == len(names) else self.runs

    @property
    def tables(self) -> dict[str, list[list[float]]]:
        """The tables, by their titles."""
        counts = {f"{name} an episode": table for name, table in self.counts.items()}
        return {f"{self.side} return": self.team_return} | counts

    def __str__(self) -> str:
        """Return all tables, with who plays the team in rows and who plays against it in columns."""
        tables = [self._square_table(title, table) for title, table in self.tables.items()]
        games = f"{count(self.episodes, 'greedy episode')} a pair, {self.convention}"
        files = f"\nfiles: {', '.join(map(str, self.files))}" if self.files else ""
        return "\n\n".join(tables) + f"\n({games}){files}"

    def _square_table(self, title: str, table: Sequence[Sequence[float]]) -> str:
        rows = [[f"{self.side} of ↓, {self.against} of →", *self.names]]
        rows += [[name, *map(signed, row)] for name, row in zip(self.names, table, strict=True)]
        numbers = text_table(rows, right=range(len(rows)), indent=0)
        return f"{title}, mean over pairs of seeds\n{numbers}"
