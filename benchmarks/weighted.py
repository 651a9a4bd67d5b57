"""What weighting is for: the matrix game, the other games in tables, predator_prey with its punishment.

Three parts, each by itself: `games` (QMIX, CW, OW on the 3 × 3 game, exploring uniformly), `tables` (what
every algorithm finds in the penalty and climbing games), `hunt` (VDN, QMIX, CW, OW on predator_prey). Every
run is a run folder under --out: what is finished is read, what was broken off is resumed.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import covey
from covey.runs import launch, policy
from covey.runs.folder import RunFolder
from covey.runs.metrics import Curve, curves
from covey.show.plot import overlay
from covey.show.tables import tables_of
from covey.statistics import describe

from .common import keep, table
from .learning import trained

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


def entry(run: covey.Run, seed: int) -> float:
    """What is learned of the game's best joint action."""
    engine, learners = policy.trained(RunFolder.existing(run.path), seed)
    (game,) = tables_of(engine.trainer, learners)
    assert game.value is not None
    return float(game.value.ravel()[game.table.best.argmax()])


def games(options: argparse.Namespace) -> dict[str, Any]:
    """How often each finds 8, and its entry there."""
    found = {}
    for name in GAME:
        folder = options.out / f"{name}-matrix"
        tried = {"seeds": options.seeds or 20, "steps": options.steps or 40_000, "settings": UNIFORM}
        run = trained(name, "matrix", folder, **tried)
        got = run.summary["eval"]["team_return"]["per_seed"]
        entries = [entry(run, seed) for seed in range(len(got))]
        found[name] = {"returns": got, "entries": entries}
    table(
        [
            {
                "algorithm": name,
                "picks 8": f"{sum(x == 8 for x in one['returns'])} of {len(one['returns'])} seeds",
                "its entry": f"{np.mean(one['entries']):.2f} ({min(one['entries']):.2f} to "
                f"{max(one['entries']):.2f})",
            }
            for name, one in found.items()
        ]
    )
    return found


def tables(options: argparse.Namespace) -> dict[str, Any]:
    """How often each return is what is found."""
    found: dict[str, Any] = {}
    for world in ("matrix/penalty", "matrix/climbing"):
        for name in options.algorithms or FINDERS:
            folder = options.out / f"{name}-{world.replace('/', '-')}"
            plan = FINDERS[name] | ({"steps": options.steps} if options.steps else {})
            run = trained(name, world, folder, seeds=options.seeds or 20, **plan)
            found.setdefault(name, {})[world] = run.summary["eval"]["team_return"]["per_seed"]

    def told(returns: list[float]) -> str:
        values, times = np.unique(returns, return_counts=True)
        return ", ".join(f"{x:g}: {n}" for x, n in zip(values[::-1], times[::-1], strict=True))

    table([{"algorithm": name} | {world: told(x) for world, x in one.items()} for name, one in found.items()])
    return found


def hunt(options: argparse.Namespace) -> dict[str, Any]:
    """Greedy returns on predator_prey by the presets: of 40. In runs of as many seeds as there are cores,
    so that no core idles or trains a seed that another trains, too."""
    seeds, steps, cores = options.seeds or 3, options.steps or 2_000_000, launch.cores()
    runs: dict[str, list[covey.Run]] = {name: [] for name in HUNTERS}
    for first in range(0, seeds, cores):
        plan = {"seed": first, "seeds": min(cores, seeds - first), "steps": steps, "preset": "tuned"}
        for name, own in runs.items():
            own.append(trained(name, "predator_prey", options.out / f"{name}-predator_prey-{first}", **plan))
    random = {"seeds": 3, "steps": 20_000, "eval_episodes": 1000}
    runs["random"] = [trained("random", "predator_prey", options.out / "random-predator_prey", **random)]
    found = {name: hunted(own) for name, own in runs.items()}
    table([{"algorithm": name} | in_words(name, one) for name, one in found.items()])
    if options.picture:
        drawn = {name: together(runs[name], steps) for name in HUNTERS}
        label = "greedy team return\n(sum over ≤ 200 steps)"
        overlay(options.picture, drawn, "predator_prey, punishment −2", label)
    return found


def hunted(runs: list[covey.Run]) -> dict[str, Any]:
    """What all seeds of one algorithm came to."""
    told = [run.summary for run in runs]
    each = [returns for one in told for returns in one["eval"]["team_return"]["per_seed"]]
    seeds = [one["seeds"] for one in told]
    counts = {
        what: float(np.average([one["eval"]["counts"][what] for one in told], weights=seeds))
        for what in ("captures", "alone")
    }
    return {
        "return": describe(np.array(each)),
        "an episode": counts,
        "updates of each seed": [one["updates"] for one in told],
        "steps": [one["steps"] for one in told],
        "seconds": sum(one["train"]["wall_seconds"] for one in told),
        "steps/s": [one["train"]["env_steps_per_second"] for one in told],
    }


def in_words(name: str, one: dict[str, Any]) -> dict[str, str]:
    (low, high), count = one["return"]["ci95"], one["an episode"]
    return {
        "each seed": ", ".join(f"{x:.1f}" for x in one["return"]["per_seed"]),
        "IQM [95 % interval]": f"{one['return']['iqm']:.1f} [{low:.1f}, {high:.1f}]",
        "captures, tries alone": f"{count['captures']:.2f}, {count['alone']:.2f}",
        "authors'": AUTHORS.get(name, ""),
        "minutes": f"{one['seconds'] / 60:.0f}",
        "steps/s": " and ".join(f"{x:,}" for x in one["steps/s"]),
    }


def together(runs: list[covey.Run], steps: int) -> Curve:
    """All seeds' curves at the same steps: episodes that end early let the runs' reports drift apart."""
    at = np.linspace(0, steps, 21)[1:]
    own = [curves(run.metrics, "eval/return/team") for run in runs]
    return at, np.stack([np.interp(at, known, one) for known, all_ in own for one in all_.T], axis=1)


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
    keep(options.json, {options.part: parts[options.part](options)})


if __name__ == "__main__":
    main()
