"""Steps and seconds until an algorithm wins 90 % of a battle of `skirmish`, from tuned and original settings.

Fresh seeds train side by side in one run; its seconds count the start and the tests, of 64 greedy battles
each. A seed is there at the first of two tests in a row with 90 % wins or more. Every run is a run folder
under --out: a finished run is read, an interrupted one is resumed.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

import covey
from covey.runs.metrics import curves

from .common import parse_options, print_table, save_results
from .learning import train_or_read

STEPS = {"3m": 250_000, "2s3z": 400_000, "8m": 500_000}  # of each seed
WINS = 0.9


class Arrival(NamedTuple):
    """Where a seed reached the wins."""

    step: float
    seconds: float


def arrival(wins: np.ndarray, steps: np.ndarray, seconds: np.ndarray) -> Arrival | None:
    """Return the first of two tests in a row with enough wins; None: there is none."""
    enough = wins >= WINS
    both = np.flatnonzero(enough[:-1] & enough[1:])
    return Arrival(float(steps[both[0]]), float(seconds[both[0]])) if len(both) else None


def arrivals(run: covey.Run) -> list[Arrival | None]:
    """Return each seed's arrival."""
    found = []
    for seed in sorted({row["seed"] for row in run.metrics}):
        rows = [row for row in run.metrics if row["seed"] == seed and "eval/won" in row]
        column = lambda key, rows=rows: np.array([row[key] for row in rows])
        found.append(arrival(column("eval/won"), column("step"), column("seconds")))
    return found


def median_text(values: list[float], scale: float = 1.0) -> str:
    low, middle, high = (x / scale for x in (min(values), float(np.median(values)), max(values)))
    return f"{middle:.0f} ({low:.0f} to {high:.0f})"


def row(name: str, preset: str, run: covey.Run) -> dict[str, str]:
    every = arrivals(run)
    there = [x for x in every if x is not None]
    _, wins = curves(run.metrics, "eval/won")
    return {
        "map": name,
        "settings": preset,
        "there": f"{len(there)} of {len(every)}",
        "thousand steps to 90 %": median_text([x.step for x in there], 1000) if there else "",
        "seconds": median_text([x.seconds for x in there]) if there else "",
        "wins at the end, %": median_text(list(wins[-1]), 0.01),
    }


def main() -> None:
    more = {
        "--algorithm": {"default": "mappo"},
        "--maps": {"nargs": "+", "choices": list(STEPS), "default": list(STEPS), "metavar": "MAP"},
        "--presets": {"nargs": "+", "choices": ["tuned", "original"], "default": ["tuned"]},
        "--seeds": {"type": int, "default": 5},
        "--out": {"type": Path, "default": Path("runs/skirmish-wins"), "help": "where runs are kept"},
    }
    options = parse_options(__doc__ or "", None, **more)
    rows = []
    for name in options.maps:
        for preset in options.presets:
            run = train_or_read(
                options.algorithm,
                f"skirmish/{name}",
                options.out / f"{options.algorithm}-{name}-{preset}",
                preset=preset,
                seeds=options.seeds,
                seed=100,
                steps=STEPS[name],
                eval_every=20_000,
                eval_episodes=64,
            )
            rows.append(row(name, preset, run))
            save_results(options.json, rows)
    print_table(rows)


if __name__ == "__main__":
    main()
