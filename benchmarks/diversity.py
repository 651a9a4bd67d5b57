"""Shared, unshared and made weights, in worlds that ask agents to act alike or unlike: returns and diversity.

Every run is a run folder under --out: a finished run is read, an interrupted one is resumed. All variants
have the same settings but for their weights; a hypernetwork that is no linear one has a tenth of the
learning rate, for its steps move weights further. `--quick` tries everything at once, for seconds.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import covey
from covey.runs import launch

from .common import print_table, save_results
from .hyper import learner_cost, steps_per_second
from .learning import train_or_read

WORLDS = (
    "dispersion,agents=4",
    "dispersion,agents=8",
    "specialise,agents=4",
    "specialise,agents=8",
    "specialise,agents=16",
    "synchronise,agents=8",
    "navigation,agents=4",
)
NET = {"name": "feed_forward", "activation": "tanh", "norm": False}
COMMON: dict[str, Any] = {
    "actor": NET | {"gain": 0.01},
    "critic": NET | {"gain": 1.0},
    "critic_input": "agent",
    "agent_id": False,
    "agent_metrics": True,
    "minibatches": 4,
    "experience.steps": 25,
}
IDENTITY = {"hyper.context": "identity"}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "shared": ("mappo", {"sharing": "all"}),
    "shared, with id": ("mappo", {"sharing": "all", "agent_id": True}),
    "none shared": ("mappo", {"sharing": "none"}),
    "by identity, linear": ("mappo", IDENTITY | {"hyper.embedding": "one_hot", "hyper.depth": 0}),
    "by identity, MLP": ("mappo", IDENTITY | {"actor_optimiser.lr": 5e-5}),
    "by identity, both": (
        "mappo",
        IDENTITY | {"hyper.generate": "both", "actor_optimiser.lr": 5e-5, "critic_optimiser.lr": 5e-5},
    ),
    # without smoothing over time, which has nothing to smooth in a game of one step
    "increments": ("hyper_mappo", {"sharing": "all", "hyper.increments": "agent", "smooth_weight": 0.0}),
}


def late_mean(run: covey.Run, name: str) -> float:
    """Return the mean of a metric over the last quarter of the run and over seeds."""
    last = max(row["step"] for row in run.metrics)
    values = [row[name] for row in run.metrics if row["step"] > 0.75 * last and row.get(name) is not None]
    return float(np.mean(values)) if values else float("nan")


def result(run: covey.Run) -> dict[str, Any]:
    """Return the numbers of a finished run."""
    team = run.summary["eval"]["team_return"]
    numbers = {name: team[name] for name in ("iqm", "ci95", "per_seed")}
    numbers |= {name: late_mean(run, name) for name in ("diversity", "gradient_variance")}
    return numbers | {"steps/s": round(steps_per_second(run))} | learner_cost(run)


def row(world: str, name: str, x: dict[str, Any]) -> dict[str, str]:
    return {
        "world": world,
        "weights": name,
        "return: IQM [95 %]": f"{x['iqm']:.2f} [{x['ci95'][0]:.2f}, {x['ci95'][1]:.2f}]",
        "diversity": f"{x['diversity']:.3f}",
        "gradient variance": f"{x['gradient_variance']:.3g}",
        "parameters": f"{x['parameters']:,}",
        "steps/s": f"{x['steps/s']:,}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", nargs="+", default=list(WORLDS), metavar="WORLD")
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--envs", type=int, default=64)
    parser.add_argument("--out", type=Path, default=Path("runs/diversity"))
    parser.add_argument("--quick", action="store_true", help="a seed of 4,000 steps of each")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results")
    options = parser.parse_args()
    launch.prepare("cpu")
    sizes = {"seeds": options.seeds, "steps": options.steps, "envs": options.envs}
    if options.quick:
        sizes = {"seeds": 1, "steps": 4000, "envs": 8, "eval_every": 4000, "audit": False}
    results: dict[str, dict[str, Any]] = {}
    for world in options.worlds:
        results[world] = {}
        for name in options.variants:
            algorithm, own = VARIANTS[name]
            label = f"{world}-{name}-{sizes['seeds']}x{sizes['steps']}".replace(", ", "-").replace(" ", "-")
            run = train_or_read(
                algorithm, world, options.out / label, settings=COMMON | own, preset="original", **sizes
            )
            results[world][name] = result(run)
            print_table([row(world, name, x) for name, x in results[world].items()])
            save_results(options.json, results)


if __name__ == "__main__":
    main()
