"""Returns of hyper_mappo's variants beside mappo, at equal steps and equal seconds; unsteadiness of teams.

`variants` trains every variant in one world, `best` the named ones in several worlds; where a world has two
teams, both learn. In `skirmish` wins stand beside returns. Every run is a run folder under --out, trained in
stages: a finished run is read, an interrupted one is resumed. Between stages, one agent of the new team plays
among partners of the old one.
"""

import argparse
import itertools
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

import covey
from covey.config.config import Config
from covey.ops import named
from covey.runs import checkpoint, launch
from covey.runs.engine import Engine
from covey.runs.metrics import curves
from covey.statistics import improvement, interval, iqm
from covey.training.costs import cost
from covey.training.stationarity import mixed_returns, newcomer_rows

from .common import print_table, save_results

AGENT = {"hyper.increments": "agent"}
OFF = {"smooth_weight": 0, "align_weight": 0}
VARIANTS: dict[str, dict[str, Any]] = {
    "mappo": {},
    "hyper": {},
    "increments alone": OFF,
    "smooth alone": {"align_weight": 0},
    "align alone": {"smooth_weight": 0},
    "smooth over updates": {"smooth_over": "update"},
    "aligned to a target": {"align_to": "target"},
    "an increment each": AGENT,
    "own context": AGENT | {"hyper.context": "own"},
    "recurrent": {"hyper.history": "recurrent"},
    "last k": {"hyper.history": "last_k"},
    "attention": {"hyper.history": "attention"},
    "kl weighted": {"hyper.history": "kl_weighted"},
    "low rank": {"hyper.rank": 2},
    "accumulated": {"compose": "accumulate"},
    "weights": {"output": "weights"},
    "small": {"norm_weight": 1e-3},
    "without mean": {"zero_mean": True},
    "limited": {"hyper.limit": 1.0},
    "trust: stop": {"trust": "stop"},
    "trust: adapt": {"trust": "adapt"},
    "smooth policies": {"smooth_on": "policy"},
    "slow": {"hyper_every": 4},
    "shares": {"smooth_share": 0.1, "align_share": 0.1},
    "by identity": {"hyper.context": "identity"},
    "wide": {"actor.hidden": 128},  # with fewer parameters than hyper_mappo in all
}
MAPPO = ("mappo", "by identity", "wide")  # the others are hyper_mappo's
SLOWER = 0.5  # of the learning rate, for made weights: on skirmish/3m better than 1, .2 and .1
STAGES = 3
TEAMS = {"pursuit": ("adversary", "agent")}  # worlds in which both teams learn


def algorithm_name(variant: str, world: str) -> str:
    name = "mappo" if variant in MAPPO else "hyper_mappo"
    return "+".join(f"{team}={name}" for team in TEAMS[world]) if world in TEAMS else name


def variant_settings(variant: str, world: str, preset: str | None) -> dict[str, Any]:
    settings = VARIANTS[variant]
    if variant == "by identity":
        return settings | {"actor_optimiser.lr": slower_rate(world, preset)}
    return settings | AGENT if world == "speaker_listener" and variant not in MAPPO else settings


def slower_rate(world: str, preset: str | None) -> dict[str, Any]:
    """Return the schedule of mappo's learning rate in a world, for weights that are made."""
    tree = Config.parse("mappo", world, [f"preset={preset}"] if preset else [])
    rate = next(iter(tree.learners.values()))["actor_optimiser"]["lr"]
    return {k: SLOWER * x if k in ("value", "start", "end") else x for k, x in rate.items()}


def train_in_stages(variant: str, world: str, folder: Path, steps: int, **options: Any) -> covey.Run:
    """Train in stages, and keep the checkpoint of each."""
    settings = variant_settings(variant, world, options.get("preset"))
    ends = [round(steps * (n + 1) / STAGES) for n in range(STAGES)]
    if not (folder / "config.yaml").exists():
        covey.train(
            algorithm_name(variant, world), world, out=folder, settings=settings,
            steps=ends[0], report_every=max(1, steps // 60), eval_every=max(1, steps // 20), **options,
        )  # fmt: skip
    run = covey.Run(folder)
    for n, end in enumerate(ends):
        copy = folder / "stages" / f"{n}.npz"
        if copy.exists():
            continue
        if run.summary.get("status") != "finished" or run.summary["steps"] < end:
            run = covey.resume(folder, steps=end)
        copy.parent.mkdir(exist_ok=True)
        shutil.copy2(folder / "checkpoints" / "last.npz", copy)
    return covey.Run(folder)


def among_old_partners(run: covey.Run, episodes: int = 64) -> dict[str, float]:
    """Return the first team's return from one stage to the next, the mean over stages.

    Three teams play: the new one, the old one, and one new agent among old partners, the mean over agents.
    """
    engine = Engine(replace(Config.from_yaml(run.folder.config), eval_episodes=episodes))
    trainer = engine.trainer
    shapes = engine.all_seeds(engine.shapes).learners
    stages = [checkpoint.restore_learners(run.path / "stages" / f"{n}.npz", shapes) for n in range(STAGES)]
    slot = trainer.slots[0]
    team = trainer.spec.teams.index(slot.spec(trainer.spec).teams[0])

    rows = newcomer_rows(slot.members, trainer.spec.agents)

    def play_seed(new, old, key):
        key = named(key, "yesterday")
        return mixed_returns(trainer, new, old, jnp.asarray(rows), key, jnp.array(0), episodes)[:, team]

    play = jax.jit(lambda new, old, keys: jax.lax.map(lambda x: play_seed(*x), (new, old, keys)))
    keys = jr.split(jr.key(0), engine.config.seeds)
    returns = np.mean([play(new, old, keys) for old, new in itertools.pairwise(stages)], axis=(0, 1))
    return {
        "yesterday": float(returns[0]),
        "today": float(returns[1]),
        "one of today": float(np.mean(returns[2:])),
    }


def probability_better(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the probability that a seed of a beats one of b."""
    return float(improvement(np.array(a)[:, None], np.array(b)[:, None]))


def steps_per_second(run: covey.Run) -> float:
    """Return the median rate over reports, all seeds together; pauses and compiling do not count."""
    seconds_at = {row["step"]: row["seconds"] for row in run.metrics if row["seed"] == 0}
    pairs = itertools.pairwise(sorted(seconds_at.items()))
    rates = [(step - before) / (now - then) for (before, then), (step, now) in pairs if now > then]
    return float(np.median(rates)) * run.summary["seeds"]


def seconds_for(run: covey.Run, steps: float) -> float:
    """Return the seconds that a number of steps of each seed takes."""
    return steps * run.summary["seeds"] / steps_per_second(run)


def at_seconds(run: covey.Run, key: str, seconds: float) -> np.ndarray:
    """Return each seed's last evaluation before a number of seconds; NaN if there is none."""
    steps, values = curves(run.metrics, key, "step")
    in_time = np.array([seconds_for(run, step) <= seconds for step in steps])
    return values[in_time][-1] if in_time.any() else np.full(values.shape[1], np.nan)


def whole_mean(run: covey.Run, name: str) -> float | None:
    """Return the mean of a metric over the whole run, from the first team that reports it."""
    rows = run.metrics
    key = next((k for k in rows[0] if k.rpartition("/")[2] == name), None)
    values = [row[key] for row in rows if key and row.get(key) is not None]
    return float(np.mean(values)) if values else None


def learner_cost(run: covey.Run) -> dict[str, float]:
    """Return the parameters of the first learner, and the flops of acting."""
    env, slots = Config.from_yaml(run.folder.config).build()
    total = cost(slots[0].algorithm, slots[0].spec(env.spec))
    return {"parameters": total.parameters, "flops": total.flops}


def compare_with(base: covey.Run, run: covey.Run, seconds: float) -> dict[str, Any]:
    """Return a variant's results beside those of mappo."""
    team = run.summary["eval"]["team_return"]
    base_team = base.summary["eval"]["team_return"]
    key = next(k for k in run.metrics[-1] if k.startswith("eval/return/"))
    early = at_seconds(run, key, seconds)
    return {
        "iqm": team["iqm"], "ci95": team["ci95"], "per_seed": team["per_seed"],
        "better than mappo": probability_better(team["per_seed"], base_team["per_seed"]),
        "at equal seconds": {
            "iqm": float(iqm(early)), "ci95": [float(x) for x in interval(early)],
            "better than mappo": probability_better(list(early), list(at_seconds(base, key, seconds))),
        },
        "kl": whole_mean(run, "kl"), "increment_norm": whole_mean(run, "increment_norm"),
        "steps/s": round(steps_per_second(run)),
        "seconds": seconds_for(run, run.summary["steps"]),
        "partners": among_old_partners(run),
    } | wins(run) | learner_cost(run)  # fmt: skip


def wins(run: covey.Run) -> dict[str, Any]:
    """Return the wins of the last policies, in percent; nothing where nobody wins."""
    rate = run.summary["eval"].get("win_rate")
    if rate is None:
        return {}
    percent = lambda x: [100 * value for value in x] if isinstance(x, list) else 100 * x
    return {"wins": {name: percent(rate[name]) for name in ("median", "iqm", "ci95", "per_seed")}}


def row(world: str, name: str, x: dict[str, Any]) -> dict[str, str]:
    span = lambda x: f"{x['iqm']:.2f} [{x['ci95'][0]:.2f}, {x['ci95'][1]:.2f}]"
    timed = x["at equal seconds"]
    partners = x["partners"]
    return {
        "world": world,
        "variant": name,
        "equal steps: IQM [95 %]": span(x),
        "P(better)": f"{x['better than mappo']:.2f}",
        "equal seconds": span(timed),
        "P(better), s": f"{timed['better than mappo']:.2f}",
        "KL an update": f"{x['kl']:.4f}",
        "‖Δθ‖": "" if x["increment_norm"] is None else f"{x['increment_norm']:.2f}",
        "parameters": f"{x['parameters']:,}",
        "steps/s": f"{x['steps/s']:,}",
        "one of today among yesterday's": f"{partners['one of today'] - partners['yesterday']:+.2f}",
    } | ({"wins, %: IQM [95 %]": f"{span(x['wins'])}"} if "wins" in x else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("variants", "best"))
    parser.add_argument("--worlds", nargs="+", metavar="WORLD", help="(spread; best: all three)")
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), help="(all; best: name two)")
    parser.add_argument("--seeds", type=int, help="(4; best: 8)")
    parser.add_argument("--steps", type=int, default=300_000)
    parser.add_argument("--preset", choices=("tuned", "original"), help="(the default of each world)")
    parser.add_argument("--eval-episodes", type=int, default=64)
    parser.add_argument("--out", type=Path, default=Path("runs/hyper"))
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results")
    options = parser.parse_args()
    best = options.what == "best"
    worlds = options.worlds or (["spread", "speaker_listener", "pursuit"] if best else ["spread"])
    variants = ["mappo", *(v for v in options.variants or list(VARIANTS) if v != "mappo")]
    seeds = options.seeds or (8 if best else 4)
    launch.prepare("cpu")
    preset = {"preset": options.preset} if options.preset else {}
    results: dict[str, dict[str, Any]] = {}
    for world in worlds:
        folder = lambda v, world=world: (
            options.out / f"{world}-{v}-{seeds}".replace("/", "-").replace(":", "").replace(" ", "-")
        )
        runs = {
            v: train_in_stages(
                v, world, folder(v), options.steps, seeds=seeds, eval_episodes=options.eval_episodes, **preset
            )
            for v in variants
        }
        seconds = min(seconds_for(run, run.summary["steps"]) for run in runs.values())
        results[world] = {v: compare_with(runs["mappo"], run, seconds) for v, run in runs.items()}
    print_table([row(world, name, x) for world, by_name in results.items() for name, x in by_name.items()])
    save_results(options.json, results)


if __name__ == "__main__":
    main()
