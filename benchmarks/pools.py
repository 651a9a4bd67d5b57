"""Returns of hunters in `tag` who trained against one prey or a pool of them, on prey that they never met.

Self-play: hunters and prey learn together (MAPPO), each against the newest other. Three more teams of hunters
learn as long, from their beginning: against the last prey of the self-play, and against a pool of its prey at
20 checkpoints, drawn uniformly or by how hard they are to beat. Held-out prey come from runs of self-play
with other seeds and another algorithm (MAPPO, IPPO), halfway and at their end. Every run is a run folder
under --out: a finished run is read, an interrupted one is resumed.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

import covey
from covey.runs import launch
from covey.runs.folder import RunFolder
from covey.statistics import interval, iqm

from .common import print_table, save_results
from .learning import train_or_read

WORLD = "tag"
BOTH = "adversary={0}+agent={0}"
HELD_OUT = {"mappo": 100, "ippo": 200}  # the algorithm and the first seed of each run of self-play
EPISODES = 100


def train_all(out: Path, steps: int, seeds: int) -> tuple[dict[str, Path], list[str]]:
    """Return each contestant's run, and the held-out prey as RUN@STEP."""
    plan: dict[str, Any] = {"steps": steps, "seeds": seeds, "keep": "all", "report": False}
    self_play = train_or_read(BOTH.format("mappo"), WORLD, out / "self-play", **plan).path
    opponents = {
        "the last prey": f"run:{self_play}",
        "a pool of prey, uniform": f"pool:{self_play}",
        "a pool of prey, hard": f"pool:{self_play}",
    }
    contestants = {"the newest prey (self-play)": self_play}
    for name, opponent in opponents.items():
        settings = {"agent.capacity": 20, "agent.sample": name.rpartition(" ")[2]} if "pool" in name else {}
        folder = out / name.replace(" ", "-").replace(",", "")
        run = train_or_read(f"adversary=mappo+agent={opponent}", WORLD, folder, settings=settings, **plan)
        contestants[name] = run.path
    prey = []
    for algorithm, seed in HELD_OUT.items():
        folder = out / f"held-out-{algorithm}"
        run = train_or_read(BOTH.format(algorithm), WORLD, folder, seed=seed, **plan)
        kept = list(RunFolder(run.path).kept)
        prey += [f"{run.path}@{kept[len(kept) // 2 - 1]}", str(run.path)]
    return contestants, prey


def play(out: Path, contestants: dict[str, Path], prey: list[str]) -> dict[str, dict[str, list[float]]]:
    """Return each contestant's return against each prey, by seed: the mean over the prey's seeds.

    Matches that were played before are read.
    """
    file = out / "matches.json"
    played: dict[str, dict[str, list[float]]] = json.loads(file.read_text()) if file.exists() else {}
    for name, run in contestants.items():
        for opponent in prey:
            known = played.setdefault(name, {})
            if Path(opponent).name not in known:
                match = covey.versus(run, opponent, side="adversary", episodes=EPISODES, pairs=True)
                known[Path(opponent).name] = match.teams["adversary"]["per_seed"]
                file.write_text(json.dumps(played, indent=1))
    return played


def row(name: str, by_prey: dict[str, list[float]], base: dict[str, list[float]]) -> dict[str, str]:
    """Return a contestant's row; the prey of the self-play itself stands first in `by_prey`."""
    span = lambda x: "{:.1f} [{:.1f}, {:.1f}]".format(iqm(x), *interval(x))
    known, *held_out = (np.array(x) for x in by_prey.values())
    others = np.mean(held_out, axis=0)
    gain = others - np.mean([np.array(x) for x in list(base.values())[1:]], axis=0)
    return {
        "hunters trained against": name,
        "return against held-out prey": span(others),
        "less that of self-play": "" if base is by_prey else span(gain),
        "worst of the held-out": f"{min(x.mean() for x in held_out):.1f}",
        "against the self-play's last prey": span(known),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=300_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("runs/pools"), help="where runs are kept")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results")
    options = parser.parse_args()
    launch.prepare("cpu")
    contestants, held_out = train_all(options.out, options.steps, options.seeds)
    first = contestants["the newest prey (self-play)"]
    results = play(options.out, contestants, [str(first), *held_out])
    base = next(iter(results.values()))
    print_table([row(name, by_prey, base) for name, by_prey in results.items()])
    save_results(options.json, results)


if __name__ == "__main__":
    main()
