"""Results of weighted QMIX: the matrix game, the other games in tables, predator_prey with its punishment.

Three parts, each by itself: `games` (QMIX, CW, OW on the 3 × 3 game, exploring uniformly), `tables` (what
every algorithm finds in the penalty and climbing games), `hunt` (VDN, QMIX, CW, OW on predator_prey). Every
run is a run folder under --out: a finished run is read, an interrupted one is resumed.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import covey
from covey.runs import launch, policy
from covey.runs.folder import RunFolder
from covey.runs.metrics import LearningCurve, curves
from covey.show.plot import overlay
from covey.show.tables import learned_tables
from covey.statistics import summarise_scores

from .common import print_table, save_results
from .learning import train_or_read

FALLING = {"name": "linear", "start": 2e-3, "end": 0.0, "steps": 5_000}  # an update every 8 steps
UNIFORM: dict[str, Any] = {"epsilon": 1.0, "optimiser": "adam", "optimiser.lr": FALLING, "target.period": 50}
GAME = ("qmix", "cw_qmix", "ow_qmix")
PLAIN = ("iql", "vdn", "qmix", "cw_qmix", "ow_qmix", "coma", "ippo", "mappo")
FINDERS: dict[str, dict[str, Any]] = {name: {"steps": 20_000} for name in PLAIN} | {
    "hyper_mappo": {"steps": 20_000, "settings": {"smooth_weight": 0}},  # in one step nothing is smooth
    "maddpg": {"steps": 100_000},  # the first 25,600 are its warm-up
    "dual_q": {"steps": 100_000},
}
HUNTERS = ("vdn", "qmix", "cw_qmix", "ow_qmix")
# Runs reported in thread 3 of the authors' repository: ε over 1 M steps, punishment −2, an update an episode
AUTHORS = {"vdn": "36.7", "qmix": "30 to 38", "cw_qmix": "37", "ow_qmix": "36 to 37"}


def best_entry(run: covey.Run, seed: int) -> float:
    """Return the learned value of the game's best joint action."""
    engine, learners = policy.load_trained(RunFolder.existing(run.path), seed)
    (game,) = learned_tables(engine.trainer, learners)
    assert game.value is not None
    return float(game.value.ravel()[game.table.best.argmax()])


def games(options: argparse.Namespace) -> dict[str, Any]:
    """Count how often each algorithm finds 8, and read its value there."""
    results = {}
    for name in GAME:
        folder = options.out / f"{name}-matrix"
        plan = {"seeds": options.seeds or 20, "steps": options.steps or 40_000, "settings": UNIFORM}
        run = train_or_read(name, "matrix", folder, **plan)
        returns = run.summary["eval"]["team_return"]["per_seed"]
        entries = [best_entry(run, seed) for seed in range(len(returns))]
        results[name] = {"returns": returns, "entries": entries}
    print_table(
        [
            {
                "algorithm": name,
                "picks 8": f"{sum(x == 8 for x in result['returns'])} of {len(result['returns'])} seeds",
                "its entry": f"{np.mean(result['entries']):.2f} ({min(result['entries']):.2f} to "
                f"{max(result['entries']):.2f})",
            }
            for name, result in results.items()
        ]
    )
    return results


def tables(options: argparse.Namespace) -> dict[str, Any]:
    """Count the returns that each algorithm finds."""
    results: dict[str, Any] = {}
    for world in ("matrix/penalty", "matrix/climbing"):
        for name in options.algorithms or FINDERS:
            folder = options.out / f"{name}-{world.replace('/', '-')}"
            plan = FINDERS[name] | ({"steps": options.steps} if options.steps else {})
            run = train_or_read(name, world, folder, seeds=options.seeds or 20, **plan)
            results.setdefault(name, {})[world] = run.summary["eval"]["team_return"]["per_seed"]

    def in_words(returns: list[float]) -> str:
        values, times = np.unique(returns, return_counts=True)
        return ", ".join(f"{x:g}: {n}" for x, n in zip(values[::-1], times[::-1], strict=True))

    print_table(
        [
            {"algorithm": name} | {world: in_words(x) for world, x in by_world.items()}
            for name, by_world in results.items()
        ]
    )
    return results


def hunt(options: argparse.Namespace) -> dict[str, Any]:
    """Measure greedy returns on predator_prey, of 40, with the presets.

    A run has as many seeds as there are cores, so that no core idles.
    """
    seeds = options.seeds or 3
    steps = options.steps or 2_000_000
    cores = launch.cores()
    runs: dict[str, list[covey.Run]] = {name: [] for name in HUNTERS}
    for first in range(0, seeds, cores):
        plan = {"seed": first, "seeds": min(cores, seeds - first), "steps": steps, "preset": "tuned"}
        for name, parts in runs.items():
            folder = options.out / f"{name}-predator_prey-{first}"
            parts.append(train_or_read(name, "predator_prey", folder, **plan))
    random = {"seeds": 3, "steps": 20_000, "eval_episodes": 1000}
    folder = options.out / "random-predator_prey"
    runs["random"] = [train_or_read("random", "predator_prey", folder, **random)]
    results = {name: summarise_hunt(parts) for name, parts in runs.items()}
    print_table([{"algorithm": name} | hunt_row(name, result) for name, result in results.items()])
    if options.picture:
        joined = {name: join_curves(runs[name], steps) for name in HUNTERS}
        label = "greedy team return\n(sum over ≤ 200 steps)"
        overlay(options.picture, joined, "predator_prey, punishment −2", label)
    return results


def summarise_hunt(runs: list[covey.Run]) -> dict[str, Any]:
    """Return the results of all seeds of one algorithm."""
    summaries = [run.summary for run in runs]
    returns = [x for summary in summaries for x in summary["eval"]["team_return"]["per_seed"]]
    seeds = [summary["seeds"] for summary in summaries]
    counts = {
        name: float(np.average([summary["eval"]["counts"][name] for summary in summaries], weights=seeds))
        for name in ("captures", "alone")
    }
    return {
        "return": summarise_scores(np.array(returns)),
        "an episode": counts,
        "updates of each seed": [summary["updates"] for summary in summaries],
        "steps": [summary["steps"] for summary in summaries],
        "seconds": sum(summary["train"]["wall_seconds"] for summary in summaries),
        "steps/s": [summary["train"]["env_steps_per_second"] for summary in summaries],
    }


def hunt_row(name: str, result: dict[str, Any]) -> dict[str, str]:
    low, high = result["return"]["ci95"]
    counts = result["an episode"]
    return {
        "each seed": ", ".join(f"{x:.1f}" for x in result["return"]["per_seed"]),
        "IQM [95 % interval]": f"{result['return']['iqm']:.1f} [{low:.1f}, {high:.1f}]",
        "captures, tries alone": f"{counts['captures']:.2f}, {counts['alone']:.2f}",
        "authors'": AUTHORS.get(name, ""),
        "minutes": f"{result['seconds'] / 60:.0f}",
        "steps/s": " and ".join(f"{x:,}" for x in result["steps/s"]),
    }


def join_curves(runs: list[covey.Run], steps: int) -> LearningCurve:
    """Return all seeds' curves at common steps: early ends of episodes let the runs' reports drift apart."""
    grid = np.linspace(0, steps, 21)[1:]
    parts = [curves(run.metrics, "eval/return/team") for run in runs]
    seeds = [np.interp(grid, steps, seed) for steps, values in parts for seed in values.T]
    return grid, np.stack(seeds, axis=1)


def main() -> None:
    parts = {"games": games, "tables": tables, "hunt": hunt}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=parts)
    parser.add_argument("--seeds", type=int, help="20; of hunt 3")
    parser.add_argument("--steps", type=int, help="of each seed: 40,000; of tables 20,000, of hunt 2,000,000")
    parser.add_argument("--algorithms", nargs="+", choices=FINDERS, help="of tables: these alone")
    parser.add_argument("--out", type=Path, default=Path("runs/weighted"), help="where runs are kept")
    parser.add_argument("--picture", type=Path, help="draw hunt's curves here")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results")
    options = parser.parse_args()
    launch.prepare("cpu")
    save_results(options.json, {options.part: parts[options.part](options)})


if __name__ == "__main__":
    main()
