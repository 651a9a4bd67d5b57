"""Does a second, mixed value help hunters? dual_q beside maddpg, mappo, qmix and vdn on pursuit.

Five hunters learn, against prey that acts at random, and against one prey trained beforehand: by MAPPO,
together with hunters of its own, then frozen. Discrete actions, 300,000 steps each. Every run is a run folder
under --out: what is finished is read, what was broken off is resumed.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import covey
from covey.runs import launch
from covey.runs.metrics import curves
from covey.statistics import interval, iqm

from .common import keep, table
from .hyper import better
from .learning import trained

RING = {"experience.capacity": 300_000}  # the whole run: the same as a million, in less memory
HUNTERS: dict[str, tuple[str, int, dict[str, Any]]] = {
    "dual_q, phases": ("dual_q", 6, RING),
    "dual_q, α = .7": ("dual_q", 4, RING | {"alpha": 0.7}),
    "maddpg": ("maddpg", 6, RING),
    "mappo": ("mappo", 4, {}),
    "qmix": ("qmix", 4, {}),
    "vdn": ("vdn", 4, {}),
}
COLOURS = ("#1b6ca8", "#5fa3d0", "#c8553d", "#8a5fa8", "#3f8f5b", "#c98a1b")
PREY = {"seeds": 1, "preset": "tuned"}


def told(run: covey.Run) -> dict[str, Any]:
    """Of the hunters: the team's return, and how often they caught somebody in an episode."""
    found = run.summary["eval"]
    return {
        "returns": found["teams"]["adversary"]["per_seed"],
        "captures": list(curves(run.metrics, "eval/captures", "step")[1][-1]),
        "seconds": run.summary["train"]["wall_seconds"],
        "steps/s": run.summary["train"]["env_steps_per_second"],
    }


def row(prey: str, name: str, one: dict[str, Any], base: dict[str, Any]) -> dict[str, str]:
    span = lambda x: "{:.2f} [{:.2f}, {:.2f}]".format(iqm(x), *interval(x))
    return {
        "prey": prey,
        "hunters": name,
        "seeds": f"{len(one['returns'])}",
        "return: IQM [95 % interval]": span(np.array(one["returns"])),
        "captures an episode": span(np.array(one["captures"])),
        "P(better than maddpg)": f"{better(one['returns'], base['returns']):.2f}",
        "steps/s": f"{one['steps/s']:,}",
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
    prey = trained(
        "adversary=mappo+agent=mappo", "pursuit", options.out / "prey", steps=options.steps, **PREY
    )
    found: dict[str, dict[str, Any]] = {}
    for opponent, side in {"random": "random", "trained": f"run:{prey.path}"}.items():
        found[opponent] = {}
        for name in options.hunters:
            algorithm, seeds, settings = HUNTERS[name]
            folder = options.out / f"{name.replace(' ', '').replace(',', '-')}-{opponent}"
            plan: dict[str, Any] = {"steps": options.steps, "seeds": seeds, "eval_episodes": 100}
            run = trained(f"adversary={algorithm}+agent={side}", "pursuit", folder, settings=settings, **plan)
            found[opponent][name] = told(run)
    table([row(p, n, x, them["maddpg"]) for p, them in found.items() for n, x in them.items()])
    if options.picture:
        picture(options.picture, found)
    keep(options.json, found)


def picture(path: Path, found: dict[str, dict[str, Any]]) -> None:
    """A panel for each prey: every seed a dot, the interquartile mean with its interval a bar."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(found), figsize=(10.5, 3.6), dpi=160, sharey=True, squeeze=False)
    for axes, (prey, them) in zip(panels[0], found.items(), strict=True):
        for i, (name, one) in enumerate(them.items()):
            place, tint = len(them) - i, COLOURS[list(HUNTERS).index(name)]
            returns = np.array(one["returns"])
            low, high = interval(returns)
            axes.barh(place, high - low, left=low, height=0.5, color=tint, alpha=0.3)
            axes.plot(one["returns"], [place] * len(one["returns"]), "o", color=tint, markersize=3, alpha=0.6)
            axes.plot([iqm(returns)] * 2, [place - 0.25, place + 0.25], color=tint, linewidth=2.5)
        axes.use_sticky_edges = False
        axes.margins(x=0.05)
        axes.set_yticks(range(len(them), 0, -1), list(them))
        axes.set_title(f"against {prey} prey", loc="left", fontsize=11, fontweight="bold", color="#22303c")
        axes.set_xlabel("the hunters' team return, sum over 25 steps")
        axes.grid(axis="x", color="#e3e8ec", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


if __name__ == "__main__":
    main()
