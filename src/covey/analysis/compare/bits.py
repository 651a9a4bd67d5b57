"""Comparison of two runs to the bit, by the fingerprints that they wrote at each report."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ...runs.records import Row

ReportKey = tuple[int, int]  # iterations done, and the seed
_EXEMPT = ("seconds", "report", "seed")  # times, and where a row stands
_EVIDENCE = ("fingerprint", "seen", "step")  # weights, actions, and the steps so far
_DIGITS = 8  # of a tensor's fingerprint


@dataclass(frozen=True)
class Moment:
    """A report of one seed, after `clock` iterations."""

    clock: int
    seed: int
    step: int
    report: int


@dataclass(frozen=True)
class BitComparison:
    """The reports that two runs have in common, and the first at which weights or actions differ."""

    seeds: tuple[int, ...]  # in both runs
    reports: int  # compared and alike, of one seed
    until: int  # the step of the last report that is alike
    first_difference: Moment | None
    last_match: Moment | None
    leaves: tuple[int, ...]  # of the learners' tensors, in their order: those that differ first
    metrics: tuple[str, ...]  # metrics that differ although the weights are the same

    @property
    def identical(self) -> bool:
        """True if no weight and no action differs in what both runs reported."""
        return self.reports > 0 and self.first_difference is None


def rows_by_place(rows: Iterable[Row], first_seed: int, iterations: int) -> dict[ReportKey, Row]:
    """Return rows by the iterations done and by the seed itself, not its position in the run."""
    return {(row["report"] * iterations, first_seed + row["seed"]): row for row in rows}


def compare_bits(a: Mapping[ReportKey, Row], b: Mapping[ReportKey, Row], aligned: bool) -> BitComparison:
    """Compare the rows of two runs in the order of time.

    `aligned` says that both report equally often, so that means over a report are of the same updates.
    """
    common = sorted(a.keys() & b.keys())
    first_difference = None
    leaves = ()
    metrics: dict[str, None] = {}
    for place in common:
        x = a[place]
        y = b[place]
        if any(x.get(name) != y.get(name) for name in _EVIDENCE):
            first_difference = Moment(*place, x["step"], x["report"])
            leaves = _differing_leaves(x, y)
            break
        shared = [n for n in x if n in y and n not in _EXEMPT and (aligned or n.startswith("eval/"))]
        metrics |= dict.fromkeys(n for n in shared if x[n] != y[n])
    alike = [p for p in common if first_difference is None or p[0] < first_difference.clock]
    last_match = Moment(*alike[-1], a[alike[-1]]["step"], a[alike[-1]]["report"]) if alike else None
    return BitComparison(
        seeds=tuple(sorted({seed for _, seed in common})),
        reports=len({clock for clock, _ in alike}),
        until=last_match.step if last_match else 0,
        first_difference=first_difference,
        last_match=last_match,
        leaves=leaves,
        metrics=tuple(metrics),
    )


def _differing_leaves(x: Row, y: Row) -> tuple[int, ...]:
    """Return the positions of the tensors whose fingerprints differ; none if the tensors are not the same."""
    a = "".join(x["fingerprint"])
    b = "".join(y["fingerprint"])
    if len(a) != len(b):
        return ()
    starts = range(0, len(a), _DIGITS)
    return tuple(i // _DIGITS for i in starts if a[i : i + _DIGITS] != b[i : i + _DIGITS])
