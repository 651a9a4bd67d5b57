"""Two runs beside each other: settings, bits, where they part, returns, and a verdict."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from ... import statistics
from ...config.config import Config
from ...errors import UserError
from ...runs.folder import RunFolder
from ...runs.metrics import convention
from ...runs.run import Training, learning_team
from ...show import plot
from .bits import Row, Sameness, placed, same
from .differences import circumstances, differing, every_setting, nested, tensors, unread
from .divergence import Rerun, first_parting
from .wording import judgement

PATIENCE = 120.0  # seconds that looking for the first update may take unasked
CHANCE = 0.05

__all__ = ["compare"]


class Side:
    """One of the two runs, as it lies on disk."""

    def __init__(self, path: str | Path):
        self.folder = RunFolder.existing(path)
        self.config = Config.from_yaml(self.folder.config)
        self.training = Training(self.config, self.folder, quiet=True)
        self.engine, self.spec = self.training.engine, self.training.spec
        self.rows: list[Row] = list(self.folder.rows())
        if not self.rows:
            raise UserError(f"{path} has reported nothing yet: there is nothing to compare")
        self.placed = placed(self.rows, self.config.seed, self.engine.iterations)
        self.settings = every_setting(self.config)
        self.summary = self.folder.read_json(self.folder.summary)
        self.origin = self.folder.read_json(self.folder.run)

    @property
    def name(self) -> str:
        c = self.config
        return f"{c.algorithm} on {c.environment}"

    def curve(self, team: str) -> tuple[Float[np.ndarray, " t"], Float[np.ndarray, "t seeds"]]:
        return plot.curves(self.rows, f"eval/return/{team}")


def shared_team(a: Side, b: Side) -> str:
    """The team whose returns are compared; refuses runs that have nothing in common."""
    mine, theirs = a.settings["environment"], b.settings["environment"]
    if mine != theirs or a.spec.teams != b.spec.teams:
        raise UserError(
            f"{a.folder.path} was trained in {mine}, {b.folder.path} in {theirs}: returns of different "
            "worlds cannot be compared; compare runs of the same one"
        )
    team, other = learning_team(a.engine), learning_team(b.engine)
    if team != other:
        raise UserError(
            f"in {a.folder.path} team {team} learns first, in {b.folder.path} team {other}: compare runs in "
            "which the same team learns"
        )
    return team


def compare(
    a: str | Path,
    b: str | Path,
    out: str | Path | None = None,
    trace: int | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Everything there is to say of B beside A, as plain data; and a picture of both curves.

    `trace` is the most steps of a seed that may be re-run to find the first update at which they part;
    None: as many as take about two minutes.
    """
    first, second = Side(a), Side(b)
    team = shared_team(first, second)
    inside = nested(first.settings, second.settings)
    apart = differing(first.settings, second.settings, unread(first.summary, second.summary))
    aligned = first.engine.iterations == second.engine.iterations
    bits = same(first.placed, second.placed, aligned)
    told: dict[str, Any] = {
        "a": described(first),
        "b": described(second),
        "team": team,
        "convention": convention(first.spec),
        "settings": [d._asdict() for d in apart if d.setting not in inside],
        "nested": inside._asdict(),
        "circumstances": [d._asdict() for d in circumstances(first.origin, second.origin)],
        "tensors": only_in_one(tensors(first.engine), tensors(second.engine)),
    }
    told["bits"] = of_bits(bits, tensors(first.engine))
    told["parting"] = parting(first, second, bits, told["tensors"], trace, say)
    told["returns"] = returns(first, second, team)
    told["picture"] = picture(first, second, team, out)
    word = judged(told)
    return told | {"verdict": word, "sentence": judgement(word, told)}


def described(side: Side) -> dict[str, Any]:
    step = max(row["step"] for row in side.rows)
    status = side.origin.get("status", "unknown")
    return {
        "run": str(side.folder.path),
        "what": side.name,
        "seeds": side.config.seeds,
        "steps": step,
        "status": status,
    }


def only_in_one(a: dict[str, str], b: dict[str, str]) -> dict[str, Any]:
    """Tensors that only one run has, and those whose shape or type differs."""
    shapes = {name: [a[name], b[name]] for name in a if name in b and a[name] != b[name]}
    lone = {"a": [n for n in a if n not in b], "b": [n for n in b if n not in a]}
    return lone | {"shapes": shapes, "nested": nested(a, b).names}


def of_bits(bits: Sameness, names: dict[str, str]) -> dict[str, Any]:
    leaves = list(names)
    told = bits._asdict() | {"identical": bits.identical, "leaves": [leaves[i] for i in bits.leaves]}
    plain = lambda moment: moment and moment._asdict()
    return told | {"parts": plain(bits.parts), "before": plain(bits.before)}


def parting(
    a: Side, b: Side, bits: Sameness, lone: dict[str, Any], trace: int | None, say: Callable[[str], None]
) -> dict[str, Any] | None:
    """Where they part, or in `why` in a sentence why that was not looked for; None where they do not part."""
    if bits.parts is None:
        return None
    until, again = bits.before.step if bits.before else 0, "covey compare … --trace"
    if any(lone.values()):
        return {"why": "they are not made of the same tensors, so they part before the first update"}
    if a.engine.hosted or b.engine.hosted:
        return {"why": "a world in plain Python is not re-run"}
    clock = bits.before.clock if bits.before else 0
    needed = sum(seconds(side, clock, bits.parts.seed) for side in (a, b))
    if trace is None and needed > PATIENCE:
        return {"why": f"re-running both so far takes about {needed / 60:.0f} minutes: {again} {until}"}
    if trace is not None and until >= trace:
        return {"why": f"they are alike for {until:,} steps: {again} {until + 1} re-runs them"}
    reruns = [Rerun(side.folder, side.training, bits.parts.seed, side.placed) for side in (a, b)]
    found = first_parting(reruns[0], reruns[1], bits, say)
    return found._asdict() | {"tensors": dict(found.tensors), "tensor": next(iter(found.tensors), None)}


def seconds(side: Side, clock: int, seed: int) -> float:
    """What one lane of it took up to there, by its own clock."""
    row = side.placed.get((clock, seed))
    return row["seconds"] / len(side.engine.layout.lanes) if row else 0.0


def returns(a: Side, b: Side, team: str) -> dict[str, Any] | None:
    """Greedy returns at the last evaluation of the shorter run; of the longer at the last before that."""
    curves = [side.curve(team) for side in (a, b)]
    if not all(len(steps) for steps, _ in curves):
        return None
    end = min(steps[-1] for steps, _ in curves)
    last = [max(0, int(np.searchsorted(steps, end, side="right")) - 1) for steps, _ in curves]
    x, y = (values[i] for (_, values), i in zip(curves, last, strict=True))
    step = [float(steps[i]) for (steps, _), i in zip(curves, last, strict=True)]
    told = {"a": statistics.describe(x) | {"step": step[0]}, "b": statistics.describe(y) | {"step": step[1]}}
    return told | {"b_over_a": statistics.against(y, x)}


def picture(a: Side, b: Side, team: str, out: str | Path | None) -> str | None:
    """Both learning curves; by default in A's folder, named after B."""
    path = Path(out) if out else a.folder.path / f"compare_{b.folder.path.resolve().name}.png"
    if path.suffix != ".png":
        raise UserError(f"--out {path} has no ending that says what to write: take .png")
    names = [
        f"{letter}  {side.folder.path.resolve().name}" for letter, side in zip("AB", (a, b), strict=True)
    ]
    curves = {name: side.curve(team) for name, side in zip(names, (a, b), strict=True)}
    title = a.name if a.name == b.name else f"{a.name}, {b.name}"
    label = f"greedy {team} return\n(sum over ≤ {a.spec.horizon} steps)"
    return str(path) if plot.overlay(path, curves, title, label) else None


def judged(told: dict[str, Any]) -> str:
    if told["bits"]["identical"]:
        return "identical"
    if any(d["setting"].startswith("env.") for d in told["settings"]):
        return "not comparable"
    if told["returns"] is None:
        return "unknown"
    found = told["returns"]["b_over_a"]
    low, high = found["ci95"]
    if found["p_value"] > CHANCE or low <= 0.5 <= high:
        return "indistinguishable"
    return "better" if found["probability_of_improvement"] > 0.5 else "worse"
