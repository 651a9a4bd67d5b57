"""Greedy returns of tuned algorithms over seeds, with seconds; and their curves as a picture.

Every run is a run folder under --out: a finished run is read, an interrupted one is resumed. Where a world
has several teams, the first one learns and the others act at random, unless ALGORITHM names a learner for
each: `adversary=mappo+agent=mappo`. Settings may follow a world: `spread,continuous=true`.
"""

import argparse
from pathlib import Path
from typing import Any

import covey
from covey import yaml_text
from covey.config import catalogue
from covey.runs import launch
from covey.runs.metrics import curves
from covey.statistics import iqm

from .common import print_table, save_results

COLOURS = {"qmix": "#1b6ca8", "vdn": "#c8553d", "iql": "#3f8f5b", "mappo": "#8a5fa8", "ippo": "#c98a1b"}
RANDOM = {"steps": 20_000, "eval_episodes": 1000}  # of the baseline


def colour(algorithm: str, used: int) -> str:
    return COLOURS.get(algorithm) or (*COLOURS.values(),)[used % len(COLOURS)]


def split_world(world: str) -> tuple[str, dict[str, Any]]:
    """Return a world's name and its settings, from `spread,continuous=true`."""
    name, *pairs = world.split(",")
    return name, yaml_text.parse_pairs(pairs)


def train_or_read(algorithm: str, world: str, folder: Path, **options: Any) -> covey.Run:
    """Return the run in a folder, after training it to its end."""
    if not (folder / "config.yaml").exists():
        name, env = split_world(world)
        return covey.train(algorithm, name, out=folder, env=env, **options)
    run = covey.Run(folder)
    return run if run.summary.get("status") == "finished" else covey.resume(folder)


def learning_team(world: str) -> str:
    return catalogue.load_class(catalogue.find("environment", split_world(world)[0]))().spec.teams[0]


def draw_picture(path: Path, worlds: dict[str, dict[str, covey.Run]], seconds: bool) -> None:
    """Draw a panel for each world, or one over steps and one over seconds; thin lines are seeds."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    panels = [(w, along) for w in worlds for along in (("step", "seconds") if seconds else ("step",))]
    rows = (len(panels) + 1) // 2
    shape = (1, 1) if len(panels) == 1 else (rows, 2)
    size = (7.6, 4.3) if len(panels) == 1 else (10.5, 3.7 * rows)
    figure, grid = plt.subplots(*shape, figsize=size, dpi=160, squeeze=False)
    for axes, (world, along) in zip(grid.flat, panels, strict=False):
        draw_panel(axes, world, worlds[world], along)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def draw_panel(axes: Any, world: str, runs: dict[str, covey.Run], along: str) -> None:
    """Draw every seed's curve and the interquartile mean of each algorithm."""
    from matplotlib.ticker import EngFormatter

    team = learning_team(world)
    for i, (name, run) in enumerate(runs.items()):
        if name == "random":
            continue
        tint = colour(name, i)
        times, values = curves(run.metrics, f"eval/return/{team}", along)
        seconds = run.summary["train"]["wall_seconds"]
        axes.plot(times, values, color=tint, linewidth=0.6, alpha=0.35)
        label = f"{name}: {values.shape[1]} seeds in {seconds:.0f} s"
        axes.plot(times, iqm(values), color=tint, linewidth=2.2, label=label)
    chance = runs["random"].summary["eval"]["team_return"]["iqm"]
    axes.axhline(chance, color="#9aa7b1", linewidth=1, linestyle=":", label=f"random play: {chance:.1f}")
    title = "greedy team return" if team == "team" else f"the {team} team's greedy return"
    axes.set_title(f"{world}: {title}", loc="left", fontsize=11, fontweight="bold", color="#22303c")
    axes.set_xlabel(
        {"step": "environment steps of each seed", "seconds": "seconds, all seeds together"}[along]
    )
    axes.set_ylabel("team reward, sum over 25 steps")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.grid(axis="y", color="#e3e8ec", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8.5)


def rows(world: str, name: str, run: covey.Run) -> list[dict[str, str]]:
    """Return a row for each team that has a learner; for random play, a row for each team."""
    summary: dict[str, Any] = run.summary
    evaluation = summary["eval"]
    train = summary["train"]
    counts = evaluation.get("counts") or {}
    learners = catalogue.algorithms_by_team(name)
    teams = [t for t in evaluation["teams"] if t in learners] or list(evaluation["teams"])
    teams = teams if "" not in learners or name == "random" else [evaluation["team"]]

    def row(team: str) -> dict[str, str]:
        result = evaluation["teams"][team]
        low, high = result["ci95"]
        return {
            "world": world,
            "algorithm": name,
            "team": team,
            "seeds × steps": f"{summary['seeds']} × {summary['steps']:,}",
            "IQM [95 % interval]": f"{result['iqm']:.2f} [{low:.2f}, {high:.2f}]",
            "worst and best seed": f"{min(result['per_seed']):.2f}, {max(result['per_seed']):.2f}",
            "an episode": ", ".join(f"{x:.1f} {name}" for name, x in counts.items()),
            "seconds": f"{train['wall_seconds']:.0f}",
            "steps/s": f"{train['env_steps_per_second']:,}",
        }

    return [row(team) for team in teams]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", nargs="+", default=["spread"], metavar="WORLD")
    parser.add_argument("--algorithms", nargs="+", default=["qmix", "vdn"], metavar="ALGORITHM")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=2_000_000)
    parser.add_argument("--eval-episodes", type=int, default=32)
    parser.add_argument(
        "--out", type=Path, default=Path("runs/learning"), help="where runs are kept (runs/learning)"
    )
    parser.add_argument("--picture", type=Path, help="draw the curves here")
    parser.add_argument("--seconds", action="store_true", help="draw them over seconds, too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results")
    options = parser.parse_args()
    launch.prepare("cpu")
    tuned = {"steps": options.steps, "eval_episodes": options.eval_episodes, "preset": "tuned"}
    results: dict[str, dict[str, covey.Run]] = {}
    for world in options.worlds:
        plans = dict.fromkeys(options.algorithms, tuned) | {"random": RANDOM}
        for name, plan in plans.items():
            folder = options.out / f"{name}-{world}"
            run = train_or_read(name, world, folder, seeds=options.seeds, **plan)
            results.setdefault(world, {})[name] = run
    runs = [(world, name, run) for world, by_name in results.items() for name, run in by_name.items()]
    print_table([row for world, name, run in runs for row in rows(world, name, run)])
    if options.picture:
        draw_picture(options.picture, results, options.seconds)
    summaries = {world: {name: run.summary for name, run in runs.items()} for world, runs in results.items()}
    save_results(options.json, summaries)


if __name__ == "__main__":
    main()
