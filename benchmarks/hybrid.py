"""Returns of dual_q beside maddpg, mappo, qmix and vdn on pursuit: does a second, mixed value help hunters?

Five hunters learn, against prey that acts at random, and against one prey trained beforehand: by MAPPO,
together with hunters of its own, then frozen. Discrete actions, 300,000 steps each. Every run is a run folder
under --out: a finished run is read, an interrupted one is resumed.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import covey
from covey.runs import launch
from covey.runs.metrics import curves
from covey.statistics import interval, iqm

from .common import print_table, save_results
from .hyper import probability_better
from .learning import train_or_read

REPLAY = {"experience.capacity": 300_000}  # the whole run: the same as a million, in less memory
HUNTERS: dict[str, tuple[str, int, dict[str, Any]]] = {
    "dual_q, phases": ("dual_q", 6, REPLAY),
    "dual_q, α = .7": ("dual_q", 4, REPLAY | {"alpha": 0.7}),
    "maddpg": ("maddpg", 6, REPLAY),
    "mappo": ("mappo", 4, {}),
    "qmix": ("qmix", 4, {}),
    "vdn": ("vdn", 4, {}),
}
COLOURS = ("#1b6ca8", "#5fa3d0", "#c8553d", "#8a5fa8", "#3f8f5b", "#c98a1b")
PREY = {"seeds": 1, "preset": "tuned"}


def hunters_result(run: covey.Run) -> dict[str, Any]:
    """Return the hunters' team return and their captures an episode."""
    evaluation = run.summary["eval"]
    return {
        "returns": evaluation["teams"]["adversary"]["per_seed"],
        "captures": list(curves(run.metrics, "eval/captures", "step")[1][-1]),
        "seconds": run.summary["train"]["wall_seconds"],
        "steps/s": run.summary["train"]["env_steps_per_second"],
    }


def row(prey: str, name: str, result: dict[str, Any], base: dict[str, Any]) -> dict[str, str]:
    span = lambda x: "{:.2f} [{:.2f}, {:.2f}]".format(iqm(x), *interval(x))
    return {
        "prey": prey,
        "hunters": name,
        "seeds": f"{len(result['returns'])}",
        "return: IQM [95 % interval]": span(np.array(result["returns"])),
        "captures an episode": span(np.array(result["captures"])),
        "P(better than maddpg)": f"{probability_better(result['returns'], base['returns']):.2f}",
        "steps/s": f"{result['steps/s']:,}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=300_000)
    parser.add_argument("--hunters", nargs="+", choices=list(HUNTERS), default=list(HUNTERS), metavar="NAME")
    parser.add_argument("--out", type=Path, default=Path("runs/hybrid"), help="where runs are kept")
    parser.add_argument("--picture", type=Path, help="draw the final returns here")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results")
    options = parser.parse_args()
    launch.prepare("cpu")
    prey = train_or_read(
        "adversary=mappo+agent=mappo", "pursuit", options.out / "prey", steps=options.steps, **PREY
    )
    results: dict[str, dict[str, Any]] = {}
    for opponent, player in {"random": "random", "trained": f"run:{prey.path}"}.items():
        results[opponent] = {}
        for name in options.hunters:
            algorithm, seeds, settings = HUNTERS[name]
            folder = options.out / f"{name.replace(' ', '').replace(',', '-')}-{opponent}"
            plan: dict[str, Any] = {"steps": options.steps, "seeds": seeds, "eval_episodes": 100}
            run = train_or_read(
                f"adversary={algorithm}+agent={player}", "pursuit", folder, settings=settings, **plan
            )
            results[opponent][name] = hunters_result(run)
    print_table(
        [row(p, n, x, by_name["maddpg"]) for p, by_name in results.items() for n, x in by_name.items()]
    )
    if options.picture:
        draw_picture(options.picture, results)
    save_results(options.json, results)


def draw_picture(path: Path, results: dict[str, dict[str, Any]]) -> None:
    """Draw a panel for each prey: each seed as a dot, the interquartile mean and its interval as a bar."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(results), figsize=(10.5, 3.6), dpi=160, sharey=True, squeeze=False)
    for axes, (prey, by_name) in zip(panels[0], results.items(), strict=True):
        for i, (name, result) in enumerate(by_name.items()):
            height = len(by_name) - i
            tint = COLOURS[list(HUNTERS).index(name)]
            returns = np.array(result["returns"])
            low, high = interval(returns)
            axes.barh(height, high - low, left=low, height=0.5, color=tint, alpha=0.3)
            axes.plot(returns, [height] * len(returns), "o", color=tint, markersize=3, alpha=0.6)
            axes.plot([iqm(returns)] * 2, [height - 0.25, height + 0.25], color=tint, linewidth=2.5)
        axes.use_sticky_edges = False
        axes.margins(x=0.05)
        axes.set_yticks(range(len(by_name), 0, -1), list(by_name))
        axes.set_title(f"against {prey} prey", loc="left", fontsize=11, fontweight="bold", color="#22303c")
        axes.set_xlabel("the hunters' team return, sum over 25 steps")
        axes.grid(axis="x", color="#e3e8ec", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


if __name__ == "__main__":
    main()
