"""The numbers of a report, all from `statistics`: final scores, comparisons, and a verdict in a sentence."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from ... import statistics
from ...text import count
from .grouping import RunGroup, WorldRuns
from .markup import interval_text, number

_CHANCE = 0.05
_MOST_PAIRS = 24  # groups of which every pair is compared
_AFFORDABLE = 10_000  # seeds
_DRAWS = 2000


@dataclass(frozen=True)
class GroupScore:
    """A group's score at the last evaluation that all groups of its world have reached."""

    group: RunGroup
    step: float
    values: Float[np.ndarray, " seeds"]
    summary: dict[str, Any]  # of `statistics.summarise_scores`
    over_first: dict[str, Any] | None  # of `statistics.against`; None for the first


@dataclass(frozen=True)
class WorldScores:
    """The scores of a world's groups, those without an evaluation left out."""

    world: WorldRuns
    scores: tuple[GroupScore, ...]
    pairs: list[list[float]]  # how often a seed of the row's group beats one of the column's

    @property
    def ranked(self) -> list[GroupScore]:
        return sorted(self.scores, key=lambda score: -score.summary["iqm"])


def score_world(world: WorldRuns) -> WorldScores:
    """Score every group of a world."""
    curves = [(group, *group.table.curve(world.score)) for group in world.groups]
    curves = [(group, steps, values) for group, steps, values in curves if len(steps)]
    end = min((steps[-1] for _, steps, _ in curves), default=0.0)
    scores: list[GroupScore] = []
    for group, steps, values in curves:
        last = max(0, int(np.searchsorted(steps, end, side="right")) - 1)
        final = values[last]
        over = statistics.against(final, scores[0].values) if scores else None
        summary = statistics.summarise_scores(final)
        scores.append(GroupScore(group, float(steps[last]), final, summary, over))
    pairs = []
    if 1 < len(scores) <= _MOST_PAIRS:
        beats = lambda x, y: float(statistics.improvement(x.values[:, None], y.values[:, None]))
        pairs = [[beats(x, y) for y in scores] for x in scores]
    return WorldScores(world, tuple(scores), pairs)


def verdict(result: WorldScores) -> str:
    """Say in a sentence or two which group is best, and whether that may be chance."""
    world = result.world
    if not result.scores:
        return f"Nothing has been evaluated yet on {world.name}."
    ranked = result.ranked
    leader = ranked[0]
    if len(ranked) == 1:
        seeds = count(len(leader.values), "seed")
        return (
            f"{leader.group.label} on {world.name} reaches a {world.score_name} of "
            f"{_iqm(leader)} after {leader.step:,.0f} steps (IQM of {seeds}, 95 % interval)."
        )
    comparisons = [statistics.against(leader.values, other.values) for other in ranked[1:]]
    adjusted = statistics.holm([over["p_value"] for over in comparisons])
    settled = [
        statistics.is_settled(over | {"p_value": p}) for over, p in zip(comparisons, adjusted, strict=True)
    ]
    if len(ranked) == 2:
        return _verdict_of_two(world, leader, ranked[1], comparisons[0], settled[0])
    return _verdict_of_many(world, ranked, comparisons, adjusted, settled)


def _iqm(score: GroupScore) -> str:
    return f"{number(score.summary['iqm'])} {interval_text(*score.summary['ci95'])}"


def _verdict_of_two(
    world: WorldRuns, leader: GroupScore, other: GroupScore, over: dict[str, Any], settled: bool
) -> str:
    values = f"IQM {number(leader.summary['iqm'])} against {number(other.summary['iqm'])}"
    probability = f"{number(over['probability_of_improvement'])} {interval_text(*over['ci95'])}"
    evidence = (
        f"a seed of {leader.group.label} beats one of {other.group.label} with probability {probability}"
    )
    p = f"p = {over['p_value']:.2g}"
    if settled:
        return (
            f"{leader.group.label} is better than {other.group.label} on {world.name}: {values} "
            f"({world.score_name}); {evidence}, {p} with {_seeds(leader, other)}."
        )
    return (
        f"{leader.group.label} and {other.group.label} cannot be told apart on {world.name} with "
        f"{_seeds(leader, other)}: {values} ({world.score_name}); {evidence}, {p}. {_plan(over)}"
    )


def _verdict_of_many(
    world: WorldRuns,
    ranked: list[GroupScore],
    comparisons: list[dict[str, Any]],
    adjusted: list[float],
    settled: list[bool],
) -> str:
    leader = ranked[0]
    beaten = [(other, p) for other, p, yes in zip(ranked[1:], adjusted, settled, strict=True) if yes]
    open_ = [
        (other, over) for other, over, yes in zip(ranked[1:], comparisons, settled, strict=True) if not yes
    ]
    parts = [f"{leader.group.label} scores highest on {world.name}: {world.score_name} {_iqm(leader)} (IQM)."]
    if beaten:
        worst = max(p for _, p in beaten)
        parts.append(
            f"It is better than {_listed([o for o, _ in beaten])} (p ≤ {worst:.2g}, Holm's correction)."
        )
    if open_:
        names = _listed([other for other, _ in open_])
        parts.append(f"{names} cannot be told from it with {count(len(leader.values), 'seed')}.")
        parts.append(_plan(open_[0][1]))
    return " ".join(parts)


def _listed(scores: list[GroupScore], most: int = 4) -> str:
    names = [score.group.label for score in scores]
    shown = names[:most] + ([f"{len(names) - most} others"] if len(names) > most else [])
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _seeds(a: GroupScore, b: GroupScore) -> str:
    if len(a.values) == len(b.values):
        return f"{count(len(a.values), 'seed')} of each"
    return f"{len(a.values)} and {len(b.values)} seeds"


def _plan(over: dict[str, Any]) -> str:
    """Say how many seeds would settle it."""
    needed = over["seeds_to_settle"]
    few = "So few seeds could show no difference, however large. " if over["least_p"] > _CHANCE else ""
    if needed is None or needed > _AFFORDABLE:
        return f"{few}No affordable number of seeds would settle a difference of this size."
    return f"{few}About {needed:,} seeds of each would settle a difference of this size."


@dataclass(frozen=True)
class TaskScores:
    """Groups that trained in several worlds: their seeds' scores in each, between 0 and 1."""

    label: str
    table: Float[np.ndarray, "seeds tasks"]
    curve: Float[np.ndarray, "points seeds tasks"]  # over equal shares of training
    raw_table: Float[np.ndarray, "seeds tasks"]  # the same in the units of each world
    raw_curve: Float[np.ndarray, "points seeds tasks"]


def score_tasks(results: list[WorldScores], points: int = 20, least: int = 2) -> list[TaskScores]:
    """Return the groups that are in every world, with scores from 0, a world's worst seed, to 1, its best.

    Each takes as many seeds in every world as it has in the one where it has fewest. Fewer worlds than
    `least` give nothing.
    """
    known = [{score.group.label: score for score in result.scores} for result in results]
    labels = [label for label in known[0] if all(label in others for others in known)] if known else []
    if len(results) < least or not labels:
        return []
    ends = [min(score.step for score in by_label.values()) for by_label in known]
    everything = [np.concatenate([s.values for s in by_label.values()]) for by_label in known]
    low = np.array([x.min() for x in everything])
    width = np.array([max(x.max() - x.min(), 1e-12) for x in everything])
    tasks = []
    for label in labels:
        seeds = min(len(by_label[label].values) for by_label in known)
        table = np.stack([by_label[label].values[:seeds] for by_label in known], axis=1)
        curve = np.stack(
            [
                _at_shares(result, by_label[label], end, points)[:, :seeds]
                for result, by_label, end in zip(results, known, ends, strict=True)
            ],
            axis=2,
        )
        tasks.append(TaskScores(label, (table - low) / width, (curve - low) / width, table, curve))
    return tasks


def _at_shares(
    result: WorldScores, score: GroupScore, end: float, points: int
) -> Float[np.ndarray, "points seeds"]:
    """Return each seed's newest evaluation at equal shares of training; before the first, that."""
    steps, values = score.group.table.curve(result.world.score)
    at = np.searchsorted(steps, end * np.arange(1, points + 1) / points, side="right") - 1
    return values[np.maximum(at, 0)]


def overall_verdict(tasks: list[TaskScores], worlds: int) -> str:
    """Say which group is best over all worlds, by normalised scores."""
    ranked = sorted(tasks, key=lambda task: -float(statistics.iqm_of_tasks(task.table)))
    leader = ranked[0]
    picks = statistics.draw_resamples(np.random.default_rng(0), leader.table.shape, _DRAWS)
    low, high = statistics.bootstrap(statistics.iqm_of_tasks, (leader.table,), (picks,))
    iqm = float(statistics.iqm_of_tasks(leader.table))
    head = f"Over {worlds} worlds {leader.label} scores highest: normalised IQM {number(iqm)}"
    if len(ranked) == 1:
        return f"{head} {interval_text(float(low), float(high))}."
    beats = float(statistics.improvement(leader.table, ranked[1].table))
    second = f"a run of it beats one of {ranked[1].label}, the next, with probability {number(beats)}"
    return f"{head} {interval_text(float(low), float(high))}; {second}."
