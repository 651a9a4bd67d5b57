"""A comparison in words."""

from collections.abc import Iterator
from typing import Any

from ... import yaml_text
from ...text import count, signed, table
from .differences import ABSENT

MANY = 10_000  # seeds that nobody trains


def shown(value: Any) -> str:
    """As it would be typed; what only the other run has, as a dash."""
    words = value if value == ABSENT else yaml_text.inline(value)
    return words if len(words) <= 48 else f"{words[:45]}…"


def lines(told: dict[str, Any]) -> str:
    """All of it, for a person to read."""
    heads = [head(letter, told[letter.lower()]) for letter in "AB"]
    parts = [heads, settings(told), surroundings(told), bits(told), returns(told)]
    if told["picture"]:
        parts.append([f"picture: {told['picture']}"])
    parts.append([f"verdict: {told['sentence']}"])
    return "\n\n".join("\n".join(part) for part in parts if part)


def head(letter: str, side: dict[str, Any]) -> str:
    work = f"{count(side['seeds'], 'seed')} × {count(side['steps'], 'step')}"
    return f"{letter}  {side['run']}: {side['what']}, {work}, {side['status']}"


def settings(told: dict[str, Any]) -> list[str]:
    inside = told["nested"]
    alike = f"{len(inside['names'])} settings of the other, all the same, below {inside['part']}"
    if not told["settings"]:
        return ["settings: all the same"]
    idle = lambda d: "did nothing" if harmless(told) and d["setting"] not in evaluating(told) else ""
    note = lambda d: "nobody reads it" if d["used"] is False else idle(d)
    rows = [["setting", "A", "B", ""]]
    rows += [[d["setting"], shown(d["a"]), shown(d["b"]), note(d)] for d in told["settings"]]
    return [
        "settings that differ",
        table(rows),
        *[f"  {inside['run'].upper()} has {alike}"] * bool(inside["names"]),
    ]


def harmless(told: dict[str, Any]) -> bool:
    return told["bits"]["identical"]


def evaluating(told: dict[str, Any]) -> tuple[str, ...]:
    """Settings that did something, though not to what is learned: how long, how often told, how judged."""
    acted = [name for name in told["bits"]["values"] if name.startswith("eval/")]
    return ("--eval-episodes",) * bool(acted) + (
        "--steps",
        "--seeds",
        "--seed",
        "--eval-every",
        "--report-every",
    )


def surroundings(told: dict[str, Any]) -> list[str]:
    if not told["circumstances"]:
        return []
    rows = [[d["setting"], shown(d["a"]), shown(d["b"])] for d in told["circumstances"]]
    return ["made with", table([["", "A", "B"], *rows])]


def bits(told: dict[str, Any]) -> list[str]:
    """Whether they are the same, and if not since when."""
    found, lone = told["bits"], told["tensors"]
    if not found["seeds"]:
        return ["bits: the runs have no seed in common, so there is nothing to hold side by side"]
    said = []
    if found["identical"]:
        of = f"{count(found['reports'], 'report')} of {count(len(found['seeds']), 'seed')}"
        said.append(f"bits: the same in every weight and action, to step {found['until']:,} ({of})")
    elif found["parts"] is None:
        said.append("bits: the runs have no report in common")
    else:
        said.append(f"bits: {since(found)}")
    if found["values"]:
        names = ", ".join(found["values"][:6]) + ", …" * (len(found["values"]) > 6)
        said.append(f"  what is told of the same weights differs: {names}")
    known = {*lone["nested"], *lone["nested"].values()}  # the same in both, below a part's name in one
    for letter in "AB":
        if names := [name for name in lone[letter.lower()] if name not in known]:
            said.append(f"  only {letter} has {listed(names, 2)}")
    for name, (a, b) in list(lone["shapes"].items())[:6]:
        said.append(f"  {name} is {a} in A, {b} in B")
    return [*said, *map("  {}".format, parting(told["parting"]))]


def listed(names: list[str], most: int = 4) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {count(rest, 'other')}" if rest > 0 else "")


def since(found: dict[str, Any]) -> str:
    parts, before = found["parts"], found["before"]
    until = f"the same to step {before['step']:,}, and " if before else ""
    first = f"different from report {parts['report']} of seed {parts['seed']} on (step {parts['step']:,})"
    which = f"; there in {listed(found['leaves'], 1)}" if found["leaves"] else ""
    return until + first + which


def parting(found: dict[str, Any] | None) -> Iterator[str]:
    """The first update and tensor."""
    if found is None:
        return
    if "why" in found:
        yield f"where they part: {found['why']}"
        return
    gap = found["tensors"].get(found["tensor"])
    size = "of another shape" if gap is None else f"largest difference {gap:.2g}"
    at = f"in iteration {found['iteration']:,}, which begins at step {found['step']:,}"
    update = f"update {found['update']:,}" + (f" of {found['side']}" if found["side"] else "")
    among = f"{found['tensor']} ({size}; {len(found['tensors'])} of {found['of']} tensors differ)"
    yield {
        "start": f"they part before anything is learned: they begin with another {among}",
        "collecting": f"they part while collecting, {at}, before any weight differs: {among}",
        "update": f"they part in {update} ({at}): {among}",
        "count": f"they part at {update} ({at}): only one of them makes it",
        "nowhere": "re-run here they do not part: versions, machines or code made the difference, no setting",
    }[found["kind"]]
    for letter, again in zip("AB", found["as_recorded"], strict=False):
        if not again:
            yield f"(re-run here, {letter} did not give its recorded bits)"


def returns(told: dict[str, Any]) -> list[str]:
    """Both groups, and what can be said between them."""
    found = told["returns"]
    if found is None:
        return ["returns: one of the runs has not been evaluated yet"]
    rows = []
    for letter, side in (("A", found["a"]), ("B", found["b"])):
        low, high = map(signed, side["ci95"])
        seeds = count(len(side["per_seed"]), "seed")
        rows.append([letter, f"IQM {signed(side['iqm'])}", f"[{low}, {high}]", f"mean {signed(side['mean'])}",
                     f"{seeds} at step {side['step']:,.0f}"])  # fmt: skip
    said = [
        f"greedy {told['team']} return, IQM with 95 % interval over seeds ({told['convention']})",
        table(rows),
    ]
    return said if told["bits"]["identical"] else [*said, *between(found["b_over_a"])]


def between(found: dict[str, Any]) -> Iterator[str]:
    low, high = found["ci95"]
    yield (
        f"  a seed of B beats one of A with probability {found['probability_of_improvement']:.2f} "
        f"[{low:.2f}, {high:.2f}]; rank test p = {found['p_value']:.2g}"
    )
    needed = found["seeds_to_settle"]
    enough = (
        f"about {needed:,} seeds of each" if needed and needed <= MANY else "no affordable number of seeds"
    )
    yield f"  {enough} would settle a difference of this size (Noether's approximation: 5 %, power 0.8)"


def judgement(word: str, told: dict[str, Any]) -> str:
    """The verdict as a sentence."""
    if word == "identical":
        return identical(told)
    if word == "not comparable":
        differ = [d["setting"] for d in told["settings"] if d["setting"].startswith("env.")]
        return f"not comparable: the worlds differ in {listed(differ)}, so returns mean different things"
    if word == "unknown":
        return "unknown: one of the runs has not been evaluated yet"
    found = told["returns"]["b_over_a"]
    n = [len(told["returns"][side]["per_seed"]) for side in "ab"]
    seeds = f"{n[0]} and {n[1]} seeds" if n[0] != n[1] else count(n[0], "seed") + " of each"
    if word == "indistinguishable":
        few = "; so few could show no difference, however large" if found["least_p"] > 0.05 else ""
        return f"indistinguishable at {seeds}{few}"
    return f"B is {word} than A, at {seeds} (p = {found['p_value']:.1g})"


def identical(told: dict[str, Any]) -> str:
    """And what of the differing settings did nothing."""
    ends = {side["steps"] for side in (told["a"], told["b"])}
    so_far = f" as far as both go, to step {told['bits']['until']:,}" if len(ends) > 1 else ""
    names = [d["setting"] for d in told["settings"] if d["setting"] not in evaluating(told)]
    which = f": {listed(names)} did nothing" if names else ""
    judged = any(name.startswith("eval/") for name in told["bits"]["values"])
    but = "; they were evaluated differently" if judged else ""
    return f"identical to the bit{so_far}{which}{but}"
