"""Whether two runs are the same to the bit, by what they wrote down at each report."""

from collections.abc import Iterable
from typing import Any, NamedTuple

Row = dict[str, Any]
EXEMPT = ("seconds", "report", "seed")  # times, and where a row stands
WEIGHTS = ("fingerprint", "seen", "step")
DIGITS = 8  # of a tensor's fingerprint


class Moment(NamedTuple):
    """Where a report stands: after so many iterations, of the seed so called."""

    clock: int
    seed: int
    step: int
    report: int


class Sameness(NamedTuple):
    """`parts` is the first report at which weights or actions differ, `before` the last at which they do not.

    `values` are columns that differ although the weights are the same: what is told of them.
    """

    seeds: tuple[int, ...]  # in both
    reports: int  # compared, of one seed
    until: int  # steps
    parts: Moment | None
    before: Moment | None
    leaves: tuple[int, ...]  # of the learners, in order; those that differ there
    values: tuple[str, ...]

    @property
    def identical(self) -> bool:
        return self.reports > 0 and self.parts is None


def placed(rows: Iterable[Row], first: int, iterations: int) -> dict[tuple[int, int], Row]:
    """Rows by iterations done and by the seed itself, whatever place it has among the run's seeds."""
    return {(row["report"] * iterations, first + row["seed"]): row for row in rows}


def same(a: dict[tuple[int, int], Row], b: dict[tuple[int, int], Row], aligned: bool) -> Sameness:
    """`aligned`: reports come equally often, so that means over a report are of the same updates."""
    common = sorted(a.keys() & b.keys())
    seeds = tuple(sorted({seed for _, seed in common}))
    parts, before, leaves, values = None, None, (), {}
    for place in common:
        x, y = a[place], b[place]
        here = Moment(*place, x["step"], x["report"])
        if any(x.get(name) != y.get(name) for name in WEIGHTS):
            parts, leaves = here, parted_leaves(x, y)
            break
        told = [n for n in x if n in y and n not in EXEMPT and (aligned or n.startswith("eval/"))]
        values |= dict.fromkeys(n for n in told if x[n] != y[n])
    until = [place for place in common if parts is None or place[0] < parts.clock]
    if until:
        place = until[-1]
        before = Moment(*place, a[place]["step"], a[place]["report"])
    clocks = {clock for clock, _ in until}
    return Sameness(seeds, len(clocks), before.step if before else 0, parts, before, leaves, tuple(values))


def parted_leaves(x: Row, y: Row) -> tuple[int, ...]:
    """The places of the tensors whose fingerprints differ; none where they are not the same tensors."""
    mine, theirs = "".join(x["fingerprint"]), "".join(y["fingerprint"])
    if len(mine) != len(theirs):
        return ()
    places = range(0, len(mine), DIGITS)
    return tuple(i // DIGITS for i in places if mine[i : i + DIGITS] != theirs[i : i + DIGITS])
