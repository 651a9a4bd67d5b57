"""Runs sorted into worlds, and within a world into groups that differ in more than their seeds."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import yaml_text
from .markup import clean, shorten
from .reading import MetricsTable, RecordedRun

# they change no result beside its seeds
_FREE = ("--seed", "--seeds", "--save-every", "--keep", "--no-tensorboard", "--device", "preset")
_MOST_IN_LABEL = 3  # settings
_LABEL = 60  # characters
WON = "eval/won"


@dataclass(frozen=True)
class RunGroup:
    """Runs that differ in their seeds alone, as one with all these seeds."""

    label: str
    runs: tuple[RecordedRun, ...]
    table: MetricsTable
    seeds: tuple[int, ...]  # by their own numbers

    @property
    def first(self) -> RecordedRun:
        return self.runs[0]

    @property
    def seconds(self) -> float | None:
        """The seconds that all of it took, as far as the runs say."""
        known = [run.table.axes["seconds"][-1:] for run in self.runs]
        times = np.concatenate(known) if known else np.zeros(0)
        return float(times.sum()) if times.size and np.isfinite(times).all() else None


@dataclass(frozen=True)
class WorldRuns:
    """The groups that trained in one world with the same settings, and what is compared among them."""

    name: str
    groups: tuple[RunGroup, ...]
    team: str
    score: str  # the metric on which groups are compared

    @property
    def score_name(self) -> str:
        return "greedy win rate" if self.score == WON else f"greedy {self.team} return"


def group_runs(runs: Sequence[RecordedRun]) -> list[WorldRuns]:
    """Return the worlds of some runs, each with its groups, in the order in which they are given."""
    by_world: dict[str, list[RecordedRun]] = {}
    for run in runs:
        by_world.setdefault(_identity(run, of_world=True), []).append(run)
    names = _world_names([members[0] for members in by_world.values()])
    return [_world(name, members) for name, members in zip(names, by_world.values(), strict=True)]


def _identity(run: RecordedRun, of_world: bool) -> str:
    """Return a text that is the same for runs of one world, or for runs that differ in seeds alone."""
    kept = {
        name: value
        for name, value in run.settings.items()
        if name.startswith("env.") or not (of_world or name in _FREE)
    }
    head = [run.environment] if of_world else [run.environment, run.algorithm]
    return json.dumps([head, sorted(kept.items())], default=str)


def _world_names(firsts: list[RecordedRun]) -> list[str]:
    """Return each world's name, with the settings by which it differs from others of that name."""
    names = []
    for run in firsts:
        namesakes = [other for other in firsts if other.environment == run.environment]
        names.append(
            " ".join([run.environment, *_varying(run, namesakes, lambda name: name.startswith("env."))])
        )
    return names


def _varying(run: RecordedRun, others: Sequence[RecordedRun], among: Any) -> list[str]:
    """Return the settings in which a run differs from any of the others, as they are typed."""
    differs = lambda name: any(other.settings.get(name) != run.settings.get(name) for other in others)
    names = dict.fromkeys(name for other in (run, *others) for name in other.settings)
    chosen = [name for name in names if among(name) and differs(name)]
    return [f"{name}={typed(run.settings.get(name, '–'))}" for name in chosen]


def typed(value: Any) -> str:
    """Return a setting's value as it is typed, shortened."""
    try:
        return shorten(yaml_text.inline(value), 40)
    except Exception:  # a value that YAML cannot write, of a folder that is not ours
        return shorten(value, 40)


def _world(name: str, runs: list[RecordedRun]) -> WorldRuns:
    batches: dict[str, list[RecordedRun]] = {}
    for run in runs:
        key = _identity(run, of_world=False)
        batches.setdefault(_free_key(key, run, batches), []).append(run)
    labels = _labels([batch[0] for batch in batches.values()])
    groups = [_pool(label, batch) for label, batch in zip(labels, batches.values(), strict=True)]
    team = groups[0].first.team
    return WorldRuns(name, tuple(groups), team, _score(groups, team))


def _free_key(key: str, run: RecordedRun, batches: dict[str, list[RecordedRun]]) -> str:
    """Return the key of the batch that a run joins: not one that has a seed of it already."""
    number = 1
    while any(_overlap(run, other) for other in batches.get(f"{key} {number}", [])):
        number += 1
    return f"{key} {number}"


def _overlap(a: RecordedRun, b: RecordedRun) -> bool:
    """Return whether runs share a seed, or report at other moments, so that they cannot be pooled."""
    own = set(range(a.first_seed, a.first_seed + a.seeds))
    shared = own & set(range(b.first_seed, b.first_seed + b.seeds))
    steps = (a.table.axes["step"], b.table.axes["step"])
    aligned = len(steps[0]) == len(steps[1]) and bool(np.allclose(*steps, rtol=0.02, equal_nan=True))
    return bool(shared) or not aligned or a.seeds == 0


def _labels(firsts: list[RecordedRun]) -> list[str]:
    """Name groups by algorithm and, where that does not tell them apart, by the settings that do."""
    labels = []
    for run in firsts:
        namesakes = [other for other in firsts if other.algorithm == run.algorithm]
        among = lambda name: not name.startswith("env.") and name not in _FREE
        differences = _varying(run, namesakes, among)[:_MOST_IN_LABEL]
        labels.append(shorten(" ".join([run.algorithm, *differences]), _LABEL))
    for i, run in enumerate(firsts):
        if labels.count(labels[i]) > 1:
            labels[i] = shorten(f"{labels[i]} ({run.name})", 2 * _LABEL)
    return [label if labels.count(label) == 1 else f"{label} #{i + 1}" for i, label in enumerate(labels)]


def _pool(label: str, runs: list[RecordedRun]) -> RunGroup:
    """Return runs as one whose seeds are those of all."""
    names = dict.fromkeys(name for run in runs for name in run.table.names)
    blank = lambda run: np.full((len(run.table.axes["step"]), run.seeds), np.nan)
    values = {
        name: np.concatenate([run.table.values.get(name, blank(run)) for run in runs], axis=1)
        for name in names
    }
    seeds = [seed for run in runs for seed in range(run.first_seed, run.first_seed + run.seeds)]
    return RunGroup(clean(label), tuple(runs), MetricsTable(runs[0].table.axes, values), tuple(seeds))


def _score(groups: list[RunGroup], team: str) -> str:
    """Return the metric to compare: the win rate where the world has one that tells groups or seeds apart."""
    last = [group.table.curve(WON)[1][-1:].ravel() for group in groups]
    if all(x.size for x in last) and len(set(np.concatenate(last).tolist())) > 1:
        return WON
    return f"eval/return/{team}"
