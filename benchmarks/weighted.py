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
from covey.experiment import launch, policy
from covey.experiment.folder import RunFolder
from covey.experiment.tables import tables_of

from .common import keep, table
from .learning import picture, rows, trained

FALLING = {"name": "linear", "start": 2e-3, "end": 0.0, "steps": 5_000}  # an update every 8 steps
UNIFORM: dict[str, Any] = {"epsilon": 1.0, "optimiser": "adam", "optimiser.lr": FALLING, "target.period": 50}
GAME = ("qmix", "cw_qmix", "ow_qmix")
FINDERS = ("iql", "vdn", "qmix", "cw_qmix", "ow_qmix", "coma", "ippo", "mappo")
HUNTERS = ("vdn", "qmix", "cw_qmix", "ow_qmix")


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
        for name in FINDERS:
            folder = options.out / f"{name}-{world.replace('/', '-')}"
            run = trained(name, world, folder, seeds=options.seeds or 20, steps=options.steps or 20_000)
            found.setdefault(name, {})[world] = run.summary["eval"]["team_return"]["per_seed"]

    def told(returns: list[float]) -> str:
        values, times = np.unique(returns, return_counts=True)
        return ", ".join(f"{x:g}: {n}" for x, n in zip(values[::-1], times[::-1], strict=True))

    table([{"algorithm": name} | {world: told(x) for world, x in one.items()} for name, one in found.items()])
    return found


def hunt(options: argparse.Namespace) -> dict[str, Any]:
    """Greedy returns on predator_prey by the presets: of 40."""
    found: dict[str, covey.Run] = {}
    plan = {"seeds": options.seeds or 3, "steps": options.steps or 2_000_000, "preset": "tuned"}
    for name in HUNTERS:
        found[name] = trained(name, "predator_prey", options.out / f"{name}-predator_prey", **plan)
    random = {"seeds": 3, "steps": 20_000, "eval_episodes": 1000}
    found["random"] = trained("random", "predator_prey", options.out / "random-predator_prey", **random)
    table([row for name, run in found.items() for row in rows("predator_prey", name, run)])
    if options.picture:
        picture(options.picture, {"predator_prey": found}, seconds=False)
    return {name: run.summary for name, run in found.items()}


def main() -> None:
    parts = {"games": games, "tables": tables, "hunt": hunt}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=parts)
    parser.add_argument("--seeds", type=int, help="20; of hunt 3")
    parser.add_argument("--steps", type=int, help="of each seed: 40,000; of tables 20,000, of hunt 2,000,000")
    parser.add_argument("--out", type=Path, default=Path("runs/weighted"), help="where runs are kept")
    parser.add_argument("--picture", type=Path, help="draw hunt's curves here")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results")
    options = parser.parse_args()
    launch.prepare("cpu")
    keep(options.json, {options.part: parts[options.part](options)})


if __name__ == "__main__":
    main()
