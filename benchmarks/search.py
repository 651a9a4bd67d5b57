"""Tree-structured Parzen estimators against random search: the best return so far, over five sweeps of each.

    python -m benchmarks.search --picture docs/pictures/search.png     # 200 runs; needs covey[search]

MAPPO on `spread` for 20,000 steps of two seeds; six of its numbers are searched, over wide ranges. The
searched settings are data of one compiled program, so all runs share it. Every sweep is a folder under
--out: what has ended is read, and what was interrupted goes on.
"""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from covey.analysis.sweep.findings import Sweep
from covey.analysis.sweep.plan import Plan
from covey.analysis.sweep.schedule import continue_sweep, start_sweep
from covey.charts import INK, PALE_INK, line_style, pyplot, save_figure, set_title
from covey.text import signed

from .common import parse_options, print_table, save_results

_SMALL = {"": "feed_forward", ".hidden": 32}
SPACE = {
    "actor_optimiser.lr": ["log(1e-5,1e-1)"],
    "critic_optimiser.lr": ["log(1e-5,1e-1)"],
    "gamma": ["uniform(0.5,0.999)"],
    "lam": ["uniform(0.5,0.999)"],
    "entropy": ["log(1e-4,1)"],
    "clip": ["log(0.02,1)"],
    "preset": ["original"],
    "epochs": [4],
    **{f"{network}{field}": [x] for network in ("actor", "critic") for field, x in _SMALL.items()},
}
SEARCHES = ("random", "tpe")
Scores = dict[str, Float[np.ndarray, "repeats trials"]]  # by search
NAMES = {"random": "random search", "tpe": "TPE"}


def sweep_plan(search: Any, repeat: int, trials: int, steps: int) -> Plan:
    options = {"seeds": 2, "seed": 1000 * repeat, "steps": steps, "audit": False}
    return Plan(["mappo"], ["spread"], SPACE, trials, search, fresh=0, options=options, on="sequential")


def train_or_read(plan: Plan, root: Path) -> Sweep:
    """Train a sweep, or go on with it."""
    say = lambda line: print(f"{root.name}: {line}", flush=True)
    return continue_sweep(root, say) if root.exists() else start_sweep(plan, root, say)


def scores_of(sweep: Sweep) -> Float[np.ndarray, " trials"]:
    """Return the greedy return of each trial, minus infinity where it failed."""
    return np.array([-np.inf if trial.score is None else trial.score for trial in sweep.trials], float)


def table(scores: Scores) -> list[dict[str, str]]:
    """Return mean and range of the best so far, after some numbers of trials, and of the later trials."""
    trials = next(iter(scores.values())).shape[1]
    rows = []
    for after in sorted({max(1, round(trials * share)) for share in (0.25, 0.5, 0.75, 1.0)}):
        best = {search: own[:, :after].max(axis=1) for search, own in scores.items()}
        rows.append({"": f"the best of {after}"} | {NAMES[name]: spanned(own) for name, own in best.items()})
    later = {search: own[:, trials // 2 :].mean(axis=1) for search, own in scores.items()}
    first = {"": f"the mean of trials {trials // 2 + 1} to {trials}"}
    return [*rows, first | {NAMES[name]: spanned(own) for name, own in later.items()}]


def spanned(x: Float[np.ndarray, " repeats"]) -> str:
    return f"{signed(x.mean())} ({signed(x.min())} to {signed(x.max())})"


def draw(path: Path, scores: Scores, steps: int) -> None:
    """Draw the mean of the best so far, and its range."""
    figure, axes = pyplot().subplots(figsize=(7.2, 4.2), dpi=160)
    for i, (search, own) in enumerate(scores.items()):
        best = np.maximum.accumulate(own, axis=1)
        style = line_style(i)
        order = np.arange(1, best.shape[1] + 1)
        band = {"step": "post", "color": style["color"], "alpha": 0.16, "linewidth": 0}
        axes.fill_between(order, best.min(axis=0), best.max(axis=0), **band)
        axes.step(order, best.mean(axis=0), where="post", linewidth=2.2, label=NAMES[search], **style)
    set_title(axes, f"mappo on spread, {steps:,} steps: six numbers searched")
    axes.set_xlabel("trial", color=INK)
    axes.set_ylabel("best greedy return so far", color=INK)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.margins(x=0.01)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=PALE_INK, labelsize=9)
    axes.legend(frameon=False, loc="lower right", fontsize=9)
    note = f"mean and range of {len(next(iter(scores.values())))} sweeps"
    axes.text(1, 1.02, note, transform=axes.transAxes, ha="right", color=PALE_INK, fontsize=8)
    figure.tight_layout()
    save_figure(figure, path)


def main() -> None:
    options = parse_options(
        __doc__ or "",
        None,
        **{
            "--trials": {"type": int, "default": 20},
            "--repeats": {"type": int, "default": 5},
            "--steps": {"type": int, "default": 20_000, "help": "of each of two seeds (20,000)"},
            "--out": {"type": Path, "default": Path("runs/search"), "help": "where sweeps are kept"},
            "--picture": {"type": Path, "help": "draw the curves here"},
        },
    )
    found: dict[str, list[Any]] = {search: [] for search in SEARCHES}
    for repeat, search in itertools.product(range(options.repeats), SEARCHES):
        plan = sweep_plan(search, repeat, options.trials, options.steps)
        found[search].append(scores_of(train_or_read(plan, options.out / f"{search}_{repeat}")))
    scores = {search: np.stack(own) for search, own in found.items()}
    print_table(table(scores))
    if options.picture:
        draw(options.picture, scores, options.steps)
    save_results(options.json, {search: own.tolist() for search, own in scores.items()})


if __name__ == "__main__":
    main()
