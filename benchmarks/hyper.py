"""Does hyper_mappo help? Its variants beside mappo, at equal steps and equal seconds; how unsteady teams are.

`variants` trains each of them in one world, `best` the named ones in several worlds, both sides learning
where there are two. Every run is a run folder under --out, trained in stages: what is finished is read, what
was broken off is resumed. Between stages, one agent of today plays among yesterday's partners.
"""

import argparse
import itertools
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

import covey
from covey.config.config import Config
from covey.core import AbstractAlgorithm, AbstractExperience, Traits
from covey.ops import named
from covey.runs import checkpoint, launch
from covey.runs.engine import Engine
from covey.runs.metrics import curves
from covey.statistics import improvement, interval, iqm
from covey.training.costs import cost

from .common import keep, table

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
}
STAGES = 3
SIDES = {"pursuit": ("adversary", "agent")}  # worlds where both sides learn


class Mixed(AbstractAlgorithm):
    """Some agents as the first of two learners, the rest as the second."""

    traits = Traits(True, True, True, True, True, True)
    experience: AbstractExperience
    inner: AbstractAlgorithm
    today: tuple[int, ...] = eqx.field(static=True)

    def init(self, spec, key):
        raise NotImplementedError

    def init_carry(self, spec, learner):
        return tuple(self.inner.init_carry(spec, one) for one in learner)

    def act(self, learner, carry, obs, key, step, explore):
        acted = [self.inner.act(*pair, obs, key, step, explore) for pair in zip(learner, carry, strict=True)]
        (new, mine, _), (old, theirs, _) = acted
        who = jnp.isin(jnp.arange(mine.shape[0]), jnp.array(self.today))
        return (new, old), jnp.where(who.reshape(-1, *[1] * (mine.ndim - 1)), mine, theirs), None

    def update(self, learner, batch, key, step):
        raise NotImplementedError


def name_of(variant: str, world: str) -> str:
    one = "mappo" if variant == "mappo" else "hyper_mappo"
    return "+".join(f"{side}={one}" for side in SIDES[world]) if world in SIDES else one


def settings_of(variant: str, world: str) -> dict[str, Any]:
    own = VARIANTS[variant]
    return own | AGENT if world == "speaker_listener" and variant != "mappo" else own


def trained(variant: str, world: str, folder: Path, steps: int, **options: Any) -> covey.Run:
    """In stages, each of which leaves its checkpoint behind."""
    ends = [round(steps * (n + 1) / STAGES) for n in range(STAGES)]
    if not (folder / "config.yaml").exists():
        covey.train(
            name_of(variant, world), world, out=folder, settings=settings_of(variant, world),
            steps=ends[0], report_every=max(1, steps // 60), eval_every=max(1, steps // 20), **options,
        )  # fmt: skip
    run = covey.Run(folder)
    for n, end in enumerate(ends):
        kept = folder / "stages" / f"{n}.npz"
        if kept.exists():
            continue
        if run.summary.get("status") != "finished" or run.summary["steps"] < end:
            run = covey.resume(folder, steps=end)
        kept.parent.mkdir(exist_ok=True)
        shutil.copy2(folder / "checkpoints" / "last.npz", kept)
    return covey.Run(folder)


def yesterday(run: covey.Run, episodes: int = 64) -> dict[str, float]:
    """Of one stage to the next, for the first side: the return of today's team, of yesterday's, and of one
    agent of today among yesterday's, the mean over agents."""
    engine = Engine(replace(Config.from_yaml(run.folder.config), eval_episodes=episodes))
    trainer, shapes = engine.trainer, engine.everybody(engine.shapes).learners
    stages = [checkpoint.load_learners(run.path / "stages" / f"{n}.npz", shapes) for n in range(STAGES)]
    side = trainer.slots[0]
    team = trainer.spec.teams.index(side.spec(trainer.spec).teams[0])

    def played(today: tuple[int, ...]):
        mixed = Mixed(side.algorithm.experience, side.algorithm, today)
        pair = replace(trainer, sides=(replace(side, algorithm=mixed), *trainer.slots[1:]))

        def one(new, old, key):
            learners = ((new[0], old[0]), *old[1:])
            return pair.evaluate(learners, named(key, "yesterday"), jnp.array(0), episodes)["teams"][
                :, team
            ].mean()

        return jax.jit(lambda new, old, keys: jax.lax.map(lambda x: one(*x), (new, old, keys)))

    keys = jr.split(jr.key(0), engine.config.seeds)
    agents = range(len(side.members))
    teams = {"today": [played(tuple(agents))], "yesterday": [played(())]}
    teams["one of today"] = [played((i,)) for i in agents]
    told: dict[str, list[float]] = {name: [] for name in teams}
    for old, new in itertools.pairwise(stages):
        for name, plays in teams.items():
            told[name].append(float(np.mean([play(new, old, keys) for play in plays])))
    return {name: float(np.mean(values)) for name, values in told.items()}


def better(mine: Sequence[float], theirs: Sequence[float]) -> float:
    """The probability that a seed of mine beats one of theirs."""
    x, y = np.array(mine), np.array(theirs)
    return float(improvement(x[:, None], y[:, None]))


def pace(run: covey.Run) -> float:
    """Steps a second, of all seeds together: the median over reports; no pause counts, nor compiling."""
    at = {row["step"]: row["seconds"] for row in run.metrics if row["seed"] == 0}
    pairs = itertools.pairwise(sorted(at.items()))
    rates = [(step - before) / (now - then) for (before, then), (step, now) in pairs if now > then]
    return float(np.median(rates)) * run.summary["seeds"]


def training(run: covey.Run, steps: float) -> float:
    """The seconds of so many steps of each seed."""
    return steps * run.summary["seeds"] / pace(run)


def at_seconds(run: covey.Run, key: str, seconds: float) -> np.ndarray:
    """Each seed's last evaluation before so many seconds; NaN where there was none."""
    at, values = curves(run.metrics, key, "step")
    soon = np.array([training(run, step) <= seconds for step in at])
    return values[soon][-1] if soon.any() else np.full(values.shape[1], np.nan)


def whole_mean(run: covey.Run, name: str) -> float | None:
    """Of a metric over the whole run; of the first side that reports it."""
    rows = run.metrics
    key = next((k for k in rows[0] if k.rpartition("/")[2] == name), None)
    values = [row[key] for row in rows if key and row.get(key) is not None]
    return float(np.mean(values)) if values else None


def weighed(run: covey.Run) -> dict[str, float]:
    """Of the first side's learner: its parameters, and the flops of acting."""
    env, sides = Config.from_yaml(run.folder.config).build()
    found = cost(sides[0].algorithm, sides[0].spec(env.spec))
    return {"parameters": found.parameters, "flops": found.flops}


def told(run: covey.Run, base: covey.Run, seconds: float) -> dict[str, Any]:
    team, other = run.summary["eval"]["team_return"], base.summary["eval"]["team_return"]
    key = next(k for k in run.metrics[-1] if k.startswith("eval/return/"))
    early = at_seconds(run, key, seconds)
    return {
        "iqm": team["iqm"], "ci95": team["ci95"], "per_seed": team["per_seed"],
        "better than mappo": better(team["per_seed"], other["per_seed"]),
        "at equal seconds": {
            "iqm": float(iqm(early)), "ci95": [float(x) for x in interval(early)],
            "better than mappo": better(list(early), list(at_seconds(base, key, seconds))),
        },
        "kl": whole_mean(run, "kl"), "increment_norm": whole_mean(run, "increment_norm"),
        "steps/s": round(pace(run)),
        "seconds": training(run, run.summary["steps"]),
        "partners": yesterday(run),
    } | weighed(run)  # fmt: skip


def row(world: str, name: str, x: dict[str, Any]) -> dict[str, str]:
    span = lambda x: f"{x['iqm']:.2f} [{x['ci95'][0]:.2f}, {x['ci95'][1]:.2f}]"
    same, partners = x["at equal seconds"], x["partners"]
    return {
        "world": world,
        "variant": name,
        "equal steps: IQM [95 %]": span(x),
        "P(better)": f"{x['better than mappo']:.2f}",
        "equal seconds": span(same),
        "P(better), s": f"{same['better than mappo']:.2f}",
        "KL an update": f"{x['kl']:.4f}",
        "‖Δθ‖": "" if x["increment_norm"] is None else f"{x['increment_norm']:.2f}",
        "parameters": f"{x['parameters']:,}",
        "steps/s": f"{x['steps/s']:,}",
        "one of today among yesterday's": f"{partners['one of today'] - partners['yesterday']:+.2f}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("variants", "best"))
    parser.add_argument("--worlds", nargs="+", metavar="WORLD", help="(spread; best: all three)")
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), help="(all; best: name two)")
    parser.add_argument("--seeds", type=int, help="(4; best: 8)")
    parser.add_argument("--steps", type=int, default=300_000)
    parser.add_argument("--eval-episodes", type=int, default=64)
    parser.add_argument("--out", type=Path, default=Path("runs/hyper"))
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results")
    options = parser.parse_args()
    best = options.what == "best"
    worlds = options.worlds or (["spread", "speaker_listener", "pursuit"] if best else ["spread"])
    variants = ["mappo", *(v for v in options.variants or list(VARIANTS) if v != "mappo")]
    seeds = options.seeds or (8 if best else 4)
    launch.prepare("cpu")
    found: dict[str, dict[str, Any]] = {}
    for world in worlds:
        folder = lambda v, world=world: options.out / f"{world}-{v.replace(' ', '-')}-{seeds}"
        runs = {
            v: trained(v, world, folder(v), options.steps, seeds=seeds, eval_episodes=options.eval_episodes)
            for v in variants
        }
        seconds = min(training(run, run.summary["steps"]) for run in runs.values())
        found[world] = {v: told(run, runs["mappo"], seconds) for v, run in runs.items()}
    table([row(world, name, x) for world, told in found.items() for name, x in told.items()])
    keep(options.json, found)


if __name__ == "__main__":
    main()
