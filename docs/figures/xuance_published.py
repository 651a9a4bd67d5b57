"""XuanCe's published results on simple_spread_v3, as README compares covey with them.

    git clone https://github.com/agi-brain/xuance-benchmarks
    python docs/figures/xuance_published.py xuance-benchmarks

A score is the mean over seeds and evaluations. Each evaluation plays five episodes.
"""

import csv
import json
import statistics
import sys
from pathlib import Path

ALGORITHMS = ("qmix", "vdn", "wqmix", "iql", "mappo", "maddpg")


def evaluations(path: Path) -> dict[int, float]:
    """Return one seed's mean return by environment step."""
    rows = list(csv.DictReader(path.open()))
    returns = {int(row.pop("step")): [float(x) for x in row.values()] for row in rows}
    return {step: statistics.mean(episodes) for step, episodes in returns.items()}


def summarise(folder: Path) -> str:
    seeds = [evaluations(path) for path in sorted(folder.glob("results/seed_*/test_scores.csv"))]
    early = statistics.mean(seed[step] for seed in seeds for step in range(1_800_000, 2_200_001, 100_000))
    last = statistics.mean(score for seed in seeds for score in list(seed.values())[-10:])
    facts = [json.loads(path.read_text()) for path in folder.glob("results/seed_*/meta_data.json")]
    hours = statistics.mean(fact["timestamps"]["elapsed_seconds"] for fact in facts) / 3600
    config = json.loads((folder / "results/seed_1/config.json").read_text())
    actions = "continuous" if config["continuous_action"] else "discrete"
    return f"{early:12.1f}{last:12.1f}{hours:10.2f}  {len(seeds)} seeds, {actions} actions"


def main() -> None:
    root = Path(sys.argv[1]) / "MPE" / "simple_spread_v3"
    print(f"{'':10}{'near 2 M':>12}{'last ten':>12}{'hours':>10}")
    for name in ALGORITHMS:
        print(f"{name:10}{summarise(root / name)}")


if __name__ == "__main__":
    main()
