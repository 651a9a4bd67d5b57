"""The result of an ablation, as types, as plain data and as text."""

from dataclasses import asdict, dataclass, field
from typing import Any

from ..text import clock, count, signed, table


@dataclass(frozen=True)
class AblationCell:
    """One combination of settings: the state of its run and, once it is finished, its returns."""

    name: str
    run: str  # its folder
    algorithm: str  # no part of the JSON, where it is among the settings
    status: str
    error: str | None = None
    convention: str | None = None
    team: str | None = None
    team_return: dict[str, Any] | None = None
    seconds: float | None = None
    over_first: dict[str, Any] | None = None  # how often a seed beats one of the first cell's
    settings: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name != "algorithm"}


@dataclass(frozen=True)
class Ablation:
    """All combinations of a grid of settings."""

    path: str  # the folder of all runs
    algorithm: str
    environment: str
    steps: int
    seeds: int
    cells: tuple[AblationCell, ...]
    picture: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain data, with the keys of ablation.json."""
        return asdict(self) | {"cells": [cell.to_json() for cell in self.cells]}

    @property
    def failure(self) -> str | None:
        """A sentence on the runs that failed; None if none did."""
        failed = [cell for cell in self.cells if cell.error]
        if not failed:
            return None
        return (
            f"{count(len(failed), 'cell')} of {len(self.cells)} failed, first {failed[0].name}: "
            f"{failed[0].error}; the same command tries again"
        )

    def __str__(self) -> str:
        """Return one table: returns, seconds, and how often a seed beats one of the first row's."""
        head = ["", "IQM", "95 % interval", "beats the first", "p", "time"]
        lines = [table([head, *map(_row, self.cells)])]
        done = [cell for cell in self.cells if cell.team_return]
        if done:
            work = f"over {count(self.seeds, 'seed')} × {count(self.steps, 'step')}"
            lines.insert(0, f"greedy {done[0].team} return {work} ({done[0].convention})")
        if self.picture:
            lines.append(f"picture: {self.picture}")
        return "\n".join([*lines, f"all of it: {self.path}/ablation.json"])


def _row(cell: AblationCell) -> list[str]:
    if not cell.team_return:
        return [cell.name, "failed" if cell.error else cell.status, "", "", "", ""]
    low, high = map(signed, cell.team_return["ci95"])
    returns = [cell.name, signed(cell.team_return["iqm"]), f"[{low}, {high}]"]
    time = clock(cell.seconds or 0.0)
    over = cell.over_first
    if over is None:
        return [*returns, "", "", time]
    low, high = over["ci95"]
    probability = f"{over['probability_of_improvement']:.2f} [{low:.2f}, {high:.2f}]"
    return [*returns, probability, f"{over['p_value']:.2g}", time]
