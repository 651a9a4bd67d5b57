"""Wins on maps of `skirmish`, and the steps and seconds until 90 % of battles are won.

Fresh seeds train side by side in one run; its seconds count the start and the tests, of 64 greedy battles
each. A seed is there at the first of two tests in a row with 90 % wins or more. Every run is a run folder
under --out: a finished run is read, an interrupted one is resumed.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

import covey
from covey.runs.metrics import curves
from covey.statistics import interval, iqm

from .common import parse_options, print_table, save_results
from .learning import train_or_read


class Budget(NamedTuple):
    """Steps of each seed: many of those that cost little, few of those that cost much."""

    many: int
    few: int


STEPS = {
    "3m": Budget(500_000, 200_000),
    "2s3z": Budget(500_000, 200_000),
    "8m": Budget(500_000, 200_000),
    "3s5z": Budget(1_000_000, 300_000),
    "5m_vs_6m": Budget(1_500_000, 400_000),
    "MMM2": Budget(1_000_000, 200_000),
    "corridor": Budget(1_500_000, 300_000),
}
FIVE_SEEDS = ("3m", "2s3z")  # elsewhere four
WINS = 0.9


class System(NamedTuple):
    """An algorithm with its networks, and its share of a map's few steps; None: it takes the many."""

    algorithm: str
    settings: Mapping[str, Any] = MappingProxyType({})
    share: float | None = 1.0

    def steps(self, name: str) -> float:
        return STEPS[name].many if self.share is None else self.share * STEPS[name].few


ROWS = {"name": "entity", "recurrent": False}
ENTITY_QMIX = {"agent": ROWS, "mixer": {"name": "entity"}, "agent_id": False}
ENTITY_MAPPO = {"actor": ROWS | {"gain": 0.01}, "critic": ROWS | {"gain": 1.0}, "agent_id": False}
SYSTEMS = {
    "mappo": System("mappo", share=None),
    "ippo": System("ippo", share=None),
    "entity-mappo": System("mappo", ENTITY_MAPPO),
    "qmix": System("qmix"),
    "vdn": System("vdn"),
    "ow_qmix": System("ow_qmix"),
    "entity-qmix": System("qmix", ENTITY_QMIX, share=0.5),
    "iql": System("iql"),
    "cw_qmix": System("cw_qmix"),
    "hyper_mappo": System("hyper_mappo"),
}
TABLE = tuple(SYSTEMS)[:7]


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


def finished(folder: Path) -> bool:
    return folder.exists() and covey.Run(folder).summary.get("status") == "finished"


def median_text(values: list[float], scale: float = 1.0) -> str:
    low, middle, high = (x / scale for x in (min(values), float(np.median(values)), max(values)))
    return f"{middle:.0f} ({low:.0f} to {high:.0f})"


def row(name: str, system: str, preset: str, run: covey.Run) -> dict[str, str]:
    every = arrivals(run)
    there = [x for x in every if x is not None]
    _, curve = curves(run.metrics, "eval/won")
    wins = 100 * curve[-1]
    low, high = interval(wins)
    return {
        "map": name,
        "system": system,
        "settings": preset,
        "thousand steps": f"{run.summary['steps'] / 1000:.0f}",
        "wins, %: median": f"{np.median(wins):.0f}",
        "IQM [95 %]": f"{iqm(wins):.0f} [{low:.0f}, {high:.0f}]",
        "best test, median": f"{np.median(100 * curve.max(0)):.0f}",
        "there": f"{len(there)} of {len(every)}",
        "thousand steps to 90 %": median_text([x.step for x in there], 1000) if there else "",
        "seconds to 90 %": median_text([x.seconds for x in there]) if there else "",
        "seconds in all": f"{run.summary['train']['wall_seconds']:.0f}",
    }


COLOURS = {
    "mappo": "#8a5fa8",
    "ippo": "#c98a1b",
    "qmix": "#1b6ca8",
    "vdn": "#c8553d",
    "ow_qmix": "#3f8f5b",
}


def draw_wins(path: Path, maps: Mapping[str, Mapping[str, covey.Run]]) -> None:
    """Draw the wins of every map over steps and over seconds: the interquartile means of the seeds."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import EngFormatter

    figure, grid = plt.subplots(len(maps), 2, figsize=(10.5, 2.7 * len(maps)), dpi=110, squeeze=False)
    for pair, (name, runs) in zip(grid, maps.items(), strict=True):
        for axes, along in zip(pair, ("step", "seconds"), strict=True):
            for system, run in runs.items():
                times, wins = curves(run.metrics, "eval/won", along)
                tint = COLOURS.get(system.removeprefix("entity-"), "#7a8791")
                dash = "--" if system.startswith("entity-") else "-"
                axes.plot(times, 100 * iqm(wins), color=tint, linewidth=1.8, linestyle=dash, label=system)
            axes.set_ylim(0, 102)
            axes.set_xlim(0)
            axes.xaxis.set_major_formatter(EngFormatter(sep=""))
            axes.grid(axis="y", color="#e3e8ec", linewidth=0.8)
            axes.spines[["top", "right"]].set_visible(False)
        pair[0].set_title(f"{name}: wins, %", loc="left", fontsize=11, fontweight="bold", color="#22303c")
    handles = {line.get_label(): line for axes in grid.flat for line in axes.lines}
    grid[0][1].legend(handles.values(), handles, frameon=False, fontsize=8, loc="lower right")
    grid[-1][0].set_xlabel("environment steps of each seed")
    grid[-1][1].set_xlabel("seconds, all seeds together")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def main() -> None:
    more = {
        "--systems": {"nargs": "+", "choices": list(SYSTEMS), "default": list(TABLE), "metavar": "SYSTEM"},
        "--maps": {"nargs": "+", "choices": list(STEPS), "default": list(STEPS), "metavar": "MAP"},
        "--presets": {"nargs": "+", "choices": ["tuned", "original"], "default": ["tuned"]},
        "--seeds": {"type": int, "help": "(5 on 3m and 2s3z, else 4)"},
        "--steps": {"type": float, "default": 1.0, "help": "multiplies every budget"},
        "--status": {"action": "store_true", "help": "train nothing: the table of what is there"},
        "--picture": {"type": Path, "metavar": "FILE", "help": "draw the curves here"},
        "--out": {"type": Path, "default": Path("runs/skirmish-wins"), "help": "where runs are kept"},
    }
    options = parse_options(__doc__ or "", None, **more)
    rows = []
    runs: dict[str, dict[str, covey.Run]] = {}
    for name in options.maps:
        for label in options.systems:
            system = SYSTEMS[label]
            for preset in options.presets:
                seeds = options.seeds or (5 if name in FIVE_SEEDS else 4)
                steps = round(system.steps(name) * options.steps)
                folder = options.out / f"{label}-{name}-{preset}-{seeds}x{steps}"
                if options.status and not finished(folder):
                    continue
                run = train_or_read(
                    system.algorithm,
                    f"skirmish/{name}",
                    folder,
                    settings=dict(system.settings),
                    preset=preset,
                    seeds=seeds,
                    seed=100,
                    steps=steps,
                    eval_every=max(1, steps // 20),
                    eval_episodes=64,
                )
                runs.setdefault(name, {})[label] = run
                rows.append(row(name, label, preset, run))
                save_results(options.json, rows)
                if not options.status:
                    print_table(rows)
    if options.status:
        print_table(rows)
    if options.picture:
        draw_wins(options.picture, runs)


if __name__ == "__main__":
    main()
