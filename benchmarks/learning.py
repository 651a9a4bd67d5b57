"""QMIX and VDN on spread, tuned: greedy returns over seeds, with seconds; and their curves as a picture.

Every run is a run folder under --out: what is finished is read, what was broken off is resumed.
"""

import argparse
from pathlib import Path
from typing import Any

import covey
from covey.experiment import launch
from covey.experiment.plot import curves
from covey.experiment.statistics import iqm

from .common import keep, table

COLOURS = {"qmix": "#1b6ca8", "vdn": "#c8553d"}
RANDOM = -26.4  # what random play returns: `covey train random spread --eval-episodes 4000`


def trained(algorithm: str, folder: Path, seeds: int, steps: int) -> covey.Run:
    if not (folder / "config.yaml").exists():
        return covey.train(algorithm, "spread", out=folder, seeds=seeds, steps=steps, preset="tuned")
    run = covey.Run(folder)
    return run if run.summary.get("status") == "finished" else covey.resume(folder)


def picture(path: Path, runs: dict[str, covey.Run]) -> None:
    """Every seed thin, the interquartile mean bold."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import EngFormatter

    figure, axes = plt.subplots(figsize=(7.6, 4.3), dpi=160)
    for name, run in runs.items():
        at, values = curves(run.metrics, "eval/return/team")
        axes.plot(at, values, color=COLOURS[name], linewidth=0.6, alpha=0.35)
        seconds = run.summary["train"]["wall_seconds"]
        label = f"{name}: {values.shape[1]} seeds in {seconds:.0f} s"
        axes.plot(at, iqm(values), color=COLOURS[name], linewidth=2.2, label=label)
    axes.axhline(RANDOM, color="#9aa7b1", linewidth=1, linestyle=":")
    axes.text(0, RANDOM + 0.3, "random play", fontsize=8, color="#52616d")
    axes.set_title("spread: greedy team return", loc="left", fontsize=11, fontweight="bold", color="#22303c")
    axes.set_xlabel("environment steps of each seed")
    axes.set_ylabel("mean over agents, sum over 25 steps")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.grid(axis="y", color="#e3e8ec", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="center right", fontsize=9)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def row(name: str, run: covey.Run) -> dict[str, str]:
    told: dict[str, Any] = run.summary
    team, train = told["eval"]["team_return"], told["train"]
    low, high = team["ci95"]
    return {
        "algorithm": name,
        "seeds × steps": f"{told['seeds']} × {told['steps']:,}",
        "IQM [95 % interval]": f"{team['iqm']:.2f} [{low:.2f}, {high:.2f}]",
        "worst and best seed": f"{min(team['per_seed']):.2f}, {max(team['per_seed']):.2f}",
        "seconds": f"{train['wall_seconds']:.0f}",
        "steps/s": f"{train['env_steps_per_second']:,}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=2_000_000)
    parser.add_argument(
        "--out", type=Path, default=Path("runs/learning"), help="where runs are kept (runs/learning)"
    )
    parser.add_argument("--picture", type=Path, help="draw the curves here")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results")
    options = parser.parse_args()
    launch.prepare("cpu")
    runs = {name: trained(name, options.out / name, options.seeds, options.steps) for name in COLOURS}
    table([row(name, run) for name, run in runs.items()])
    if options.picture:
        picture(options.picture, runs)
    keep(options.json, {name: run.summary for name, run in runs.items()})


if __name__ == "__main__":
    main()
