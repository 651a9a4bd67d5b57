"""The sentences and tables of a comparison's text."""

from collections.abc import Iterator, Sequence
from typing import Any

from ... import yaml_text
from ...text import count, signed, table
from .bits import BitComparison
from .compared import ComparedRun, ComparisonVerdict, ReturnComparison
from .differences import ABSENT, Difference, NestedSettings, TensorDifferences
from .divergence import Divergence, NoSearch

_AFFORDABLE = 10_000  # seeds of a run
_LONGEST = 48  # characters of a value in a table
_SCOPE = ("--steps", "--seeds", "--seed", "--eval-every", "--report-every")  # they act, but on no weight


def run_line(letter: str, run: ComparedRun) -> str:
    """Write a run's folder, work and status."""
    work = f"{count(run.seeds, 'seed')} × {count(run.steps, 'step')}"
    return f"{letter}  {run.run}: {run.what}, {work}, {run.status}"


def _value(value: Any) -> str:
    """Write a value as users type it, shortened; a dash if the run has no such setting."""
    text = value if value == ABSENT else yaml_text.inline(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}…"


def settings_lines(settings: Sequence[Difference], nested: NestedSettings, bits: BitComparison) -> list[str]:
    """Write the settings that differ, and which of them did nothing."""
    if not settings:
        return ["settings: all the same"]
    rows = [["setting", "A", "B", ""]]
    for d in settings:
        rows.append([d.setting, _value(d.a), _value(d.b), _setting_note(d, bits)])
    lines = ["settings that differ", table(rows)]
    if nested.names:
        shared = f"{len(nested.names)} settings of the other, all the same, below {nested.part}"
        lines.append(f"  {nested.run.upper()} has {shared}")
    return lines


def _setting_note(difference: Difference, bits: BitComparison) -> str:
    if difference.used is False:
        return "nobody reads it"
    idle = bits.identical and difference.setting not in _effective_options(bits)
    return "did nothing" if idle else ""


def _effective_options(bits: BitComparison) -> tuple[str, ...]:
    """Return the options that act on something other than what is learned, such as evaluation."""
    return ("--eval-episodes", *_SCOPE) if _evaluated_differently(bits) else _SCOPE


def _evaluated_differently(bits: BitComparison) -> bool:
    return any(name.startswith("eval/") for name in bits.metrics)


def circumstances_lines(circumstances: Sequence[Difference]) -> list[str]:
    """Write the versions, machines and commits that differ."""
    if not circumstances:
        return []
    rows = [[d.setting, _value(d.a), _value(d.b)] for d in circumstances]
    return ["made with", table([["", "A", "B"], *rows])]


def bits_lines(
    bits: BitComparison,
    first_tensors: Sequence[str],
    tensors: TensorDifferences,
    divergence: Divergence | NoSearch | None,
) -> list[str]:
    """Say whether the runs are the same to the bit, and if not, from where on."""
    if not bits.seeds and isinstance(divergence, NoSearch):
        return [f"bits: {divergence.why}"]
    if not bits.seeds:
        return ["bits: the runs have no seed in common, so no report can be compared with another"]
    lines = [f"bits: {_sameness(bits, first_tensors)}"]
    if bits.metrics:
        names = ", ".join(bits.metrics[:6]) + ", …" * (len(bits.metrics) > 6)
        lines.append(f"  the weights are the same, but these metrics differ: {names}")
    return [*lines, *_tensor_lines(tensors), *(f"  {line}" for line in _divergence_lines(divergence))]


def _sameness(bits: BitComparison, first_tensors: Sequence[str]) -> str:
    if bits.identical:
        of = f"{count(bits.reports, 'report')} of {count(len(bits.seeds), 'seed')}"
        return f"the same in every weight and action, to step {bits.until:,} ({of})"
    first = bits.first_difference
    if first is None:
        return "the runs have no report in common"
    alike = f"the same to step {bits.last_match.step:,}, and " if bits.last_match else ""
    where = f"different from report {first.report} of seed {first.seed} on (step {first.step:,})"
    return alike + where + (f"; there in {_listed(first_tensors, 1)}" if first_tensors else "")


def _tensor_lines(tensors: TensorDifferences) -> Iterator[str]:
    shared = {*tensors.nested, *tensors.nested.values()}
    for letter, names in (("A", tensors.a), ("B", tensors.b)):
        lone = [name for name in names if name not in shared]
        if lone:
            yield f"  only {letter} has {_listed(lone, 2)}"
    for name, (a, b) in list(tensors.shapes.items())[:6]:
        yield f"  {name} is {a} in A, {b} in B"


def _listed(names: Sequence[str], most: int = 4) -> str:
    """Write the first names, and how many there are besides."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {count(rest, 'other')}" if rest > 0 else "")


def _divergence_lines(divergence: Divergence | NoSearch | None) -> Iterator[str]:
    """Name the first update and tensor that differ, or the reason why they were not searched."""
    if divergence is None:
        return
    if isinstance(divergence, NoSearch):
        yield f"where they part: {divergence.why}"
        return
    yield _divergence_sentence(divergence)
    for letter, again in zip("AB", divergence.as_recorded, strict=False):
        if not again:
            yield f"(re-run here, {letter} did not give its recorded bits)"


def _divergence_sentence(d: Divergence) -> str:
    if d.kind == "nowhere":
        return "re-run here they do not part: versions, machines or code made the difference, not a setting"
    tensors = _differing_tensors(d)
    at = f"in iteration {d.iteration:,}, which begins at step {d.step:,}"
    update = f"update {d.update:,}" + (f" of {d.slot}" if d.slot else "")
    if d.kind == "start":
        return f"they part before anything is learned: they begin with another {tensors}"
    if d.kind == "collecting":
        return f"they part while collecting, {at}, before any weight differs: {tensors}"
    if d.kind == "count":
        return f"they part at {update} ({at}): only one of them makes it"
    return f"they part in {update} ({at}): {tensors}"


def _differing_tensors(d: Divergence) -> str:
    gap = d.tensors.get(d.tensor or "")
    size = "of another shape" if gap is None else f"largest difference {gap:.2g}"
    return f"{d.tensor} ({size}; {len(d.tensors)} of {d.of} tensors differ)"


def returns_lines(returns: ReturnComparison | None, team: str, convention: str, identical: bool) -> list[str]:
    """Give the returns of both runs and, unless the runs are identical, the evidence for a difference."""
    if returns is None:
        return ["returns: one of the runs has not been evaluated yet"]
    rows = []
    for letter, run in (("A", returns.a), ("B", returns.b)):
        low, high = map(signed, run["ci95"])
        seeds = count(len(run["per_seed"]), "seed")
        iqm = f"IQM {signed(run['iqm'])}"
        mean = f"mean {signed(run['mean'])}"
        rows.append([letter, iqm, f"[{low}, {high}]", mean, f"{seeds} at step {run['step']:,.0f}"])
    title = f"greedy {team} return, IQM with 95 % interval over seeds ({convention})"
    evidence = [] if identical else _evidence_lines(returns.b_over_a)
    return [title, table(rows), *evidence]


def _evidence_lines(over: dict[str, Any]) -> list[str]:
    low, high = over["ci95"]
    needed = over["seeds_to_settle"]
    affordable = needed and needed <= _AFFORDABLE
    seeds = f"about {needed:,} seeds of each" if affordable else "no affordable number of seeds"
    return [
        f"  a seed of B beats one of A with probability {over['probability_of_improvement']:.2f} "
        f"[{low:.2f}, {high:.2f}]; rank test p = {over['p_value']:.2g}",
        f"  {seeds} would settle a difference of this size (Noether's approximation: 5 %, power 0.8)",
    ]


def verdict_sentence(
    verdict: ComparisonVerdict, settings: Sequence[Difference], returns: ReturnComparison | None
) -> str:
    """Write a verdict on runs that are not identical."""
    if verdict == "not comparable":
        worlds = [d.setting for d in settings if d.setting.startswith("env.")]
        return f"not comparable: the worlds differ in {_listed(worlds)}, so returns mean different things"
    if verdict == "unknown" or returns is None:
        return "unknown: one of the runs has not been evaluated yet"
    over = returns.b_over_a
    a = len(returns.a["per_seed"])
    b = len(returns.b["per_seed"])
    seeds = f"{a} and {b} seeds" if a != b else count(a, "seed") + " of each"
    if verdict == "indistinguishable":
        few = "; so few could show no difference, however large" if over["least_p"] > 0.05 else ""
        return f"indistinguishable at {seeds}{few}"
    return f"B is {verdict} than A, at {seeds} (p = {over['p_value']:.1g})"


def identical_sentence(settings: Sequence[Difference], bits: BitComparison, same_end: bool) -> str:
    """Say that the runs are identical, and which of the settings that differ did nothing."""
    so_far = "" if same_end else f" as far as both go, to step {bits.until:,}"
    idle = [d.setting for d in settings if d.setting not in _effective_options(bits)]
    which = f": {_listed(idle)} did nothing" if idle else ""
    but = "; they were evaluated differently" if _evaluated_differently(bits) else ""
    return f"identical to the bit{so_far}{which}{but}"
