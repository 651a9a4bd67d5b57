"""QMIX and VDN in the battles of `skirmish` at PyMARL's settings, beside their curves in the real game.

Every run has one seed and one core; `--workers` of them train at a time, each in a folder of its own under
--out. The command can be stopped or killed at any moment and called again: finished runs are kept, the
others go on from their last checkpoints, and their output is in FOLDER.log. `--status` and `--plot` read what
there is, while runs train too. A win rate at a step is the mean of the tests within 25,000 steps of it, of 32
battles each. The real curves are those of logs of PyMARL that people published with their code, on version
4.10 of the game, at difficulty 7: the range over their runs.
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

import covey
from covey.charts import INK, PALE_INK, line_style, pyplot, save_figure, set_title
from covey.config.config import Config
from covey.runs import checkpoint, launch
from covey.runs.engine import Engine
from covey.runs.folder import RunFolder
from covey.runs.metrics import LearningCurve, curves

from .common import print_table, save_results
from .skirmish_pymarl import (
    ALGORITHMS,
    EPISODE_STEPS,
    POINTS,
    REAL,
    REAL_WON_LENGTH,
    covey_settings,
    settings,
)

NEAR = 25_000
NEWEST = 5  # tests that the last column averages


class Job(NamedTuple):
    """A run: one seed of an algorithm on a map."""

    algorithm: str
    map: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.algorithm}-{self.map}-seed{self.seed}"


def train(job: Job, steps: int, out: Path) -> None:
    """Train a run to its end, from where it was stopped."""
    folder = out / job.name
    if (folder / "config.yaml").exists():
        trained = Config.from_yaml(folder / "config.yaml").steps
        if finished(folder) and trained >= steps:
            return
        covey.resume(folder, steps=max(steps, trained))
        return
    own, run = covey_settings(job.algorithm, job.map)
    options = {"preset": "original", "device": "cpu", "seeds": 1, "seed": job.seed, "steps": steps} | run
    covey.train(job.algorithm, f"skirmish/{job.map}", settings=own, out=folder, **options)


def finished(folder: Path) -> bool:
    return (folder / "config.yaml").exists() and covey.Run(folder).summary.get("status") == "finished"


def work(job: Job, core: int, steps: int, out: Path) -> None:
    """Train a run as a worker on one core; it is saved and stopped where the parent ends."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})

    def watch_parent():
        sys.stdin.read()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=watch_parent, daemon=True).start()
    launch.prepare("cpu")
    try:
        train(job, steps, out)
    except KeyboardInterrupt:
        sys.exit(130)


def start_worker(job: Job, core: int, steps: int, out: Path) -> subprocess.Popen:
    one = ["--one", job.algorithm, job.map, str(job.seed), str(core)]
    command = [sys.executable, "-m", "benchmarks.skirmish_curves", *one]
    command += ["--steps", str(steps), "--out", str(out)]
    with open(out / f"{job.name}.log", "a") as log:
        files = {"stdin": subprocess.PIPE, "stdout": log, "stderr": subprocess.STDOUT}
        # A session of its own: Ctrl-C reaches the parent alone, and a second signal would forbid saving.
        return subprocess.Popen(command, start_new_session=True, **files)


def train_all(jobs: list[Job], workers: int, steps: int, out: Path) -> list[Job]:
    """Train all runs, one on a core at a time; return those that failed."""
    out.mkdir(parents=True, exist_ok=True)
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [*range(launch.cores())]
    waiting = iter(jobs)
    failed: list[Job] = []
    lock = threading.Lock()

    def keep_core_busy(core: int) -> None:
        while True:
            with lock:
                job = next(waiting, None)
            if job is None:
                return
            print(f"{job.name}: training on core {core}\n", end="", flush=True)
            status = start_worker(job, core, steps, out).wait()
            print(f"{job.name}: {'done' if status == 0 else f'stopped, see {job.name}.log'}", flush=True)
            if status:
                failed.append(job)

    threads = [
        threading.Thread(target=keep_core_busy, args=(cores[i % len(cores)],), daemon=True)
        for i in range(workers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


def read_curves(jobs: list[Job], out: Path, key: str) -> list[LearningCurve]:
    """Return the curve of each run that has begun."""
    runs = [covey.Run(out / job.name) for job in jobs if (out / job.name / "config.yaml").exists()]
    read = [curves(run.metrics, key) for run in runs]
    return [curve for curve in read if len(curve[0])]


def wins_at(curve: LearningCurve, step: float) -> float | None:
    """Return the mean of the tests near a step; None before they are all done."""
    steps, values = curve
    if steps[-1] < step:
        return None
    return float(values[np.abs(steps - step) <= NEAR].mean())


def range_text(values: list[float]) -> str:
    low = f"{min(values):.2f}"
    high = f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"


def real_row(algorithm: str, name: str) -> dict[str, str]:
    runs, ranges = REAL[algorithm, name]
    points = {
        f"{point:g}M": range_text(list(reached)) if reached else ""
        for point, reached in zip(POINTS, ranges, strict=True)
    }
    seeds = f"real, {runs} run{'s' if runs > 1 else ''}"
    return {"run": f"{algorithm} {name}", "of": seeds} | points | {"newest": "", "length": won_length(name)}


def won_length(name: str) -> str:
    return f"won: {REAL_WON_LENGTH[name]}" if name in REAL_WON_LENGTH else ""


def our_row(algorithm: str, name: str, jobs: list[Job], out: Path) -> dict[str, str]:
    tests = read_curves(jobs, out, "eval/won")
    lengths = read_curves(jobs, out, "eval/length")
    points = {}
    for point in POINTS:
        known = [wins for curve in tests if (wins := wins_at(curve, 1e6 * point)) is not None]
        points[f"{point:g}M"] = f"{range_text(known)} ({len(known)})" if known else ""
    newest = [float(values[-NEWEST:].mean()) for _, values in tests]
    last = [float(values[-NEWEST:].mean()) for _, values in lengths]
    ends = {
        "newest": range_text(newest) if newest else "",
        "length": f"{np.mean(last):.1f}" if last else "",
    }
    return {"run": f"{algorithm} {name}", "of": f"ours, {len(tests)} of {len(jobs)} seeds"} | points | ends


def progress_row(job: Job, out: Path) -> dict[str, str]:
    """Return how far a run has come, and how long it still takes at its recent speed."""
    folder = out / job.name
    rows = covey.Run(folder).metrics if (folder / "config.yaml").exists() else []
    blank = {"run": job.name, "steps": "0", "steps/s": "", "hours left": ""}
    if not rows:
        return blank
    newest = rows[-1]
    before = rows[max(0, len(rows) - 1 - NEWEST)]
    steps = Config.from_yaml(folder / "config.yaml").steps
    seconds = newest["seconds"] - before["seconds"]
    rate = (newest["step"] - before["step"]) / seconds if seconds else 0.0
    left = f"{(steps - newest['step']) / rate / 3600:.1f}" if rate else ""
    return blank | {
        "steps": f"{newest['step']:,}",
        "steps/s": f"{rate:.0f}",
        "hours left": "finished" if finished(folder) else left,
    }


def show_status(groups: dict[tuple[str, str], list[Job]], out: Path) -> dict[str, Any]:
    """Print how far each run is, and the curves beside the real ones; return their numbers."""
    print_table([progress_row(job, out) for jobs in groups.values() for job in jobs])
    rows = []
    for (algorithm, name), jobs in groups.items():
        rows.append(our_row(algorithm, name, jobs, out))
        if (algorithm, name) in REAL:
            rows.append(real_row(algorithm, name))
    print("\nGreedy test wins at a step: the range over seeds (how many of them have got there);")
    print(f"newest, length: the mean of the last {NEWEST} tests, all battles, won or lost\n")
    print_table(rows)
    return {"curves": rows}


def battles_row(job: Job, out: Path, battles: int) -> dict[str, str]:
    """Return wins and lengths of greedy battles of a run's last checkpoint."""
    folder = RunFolder.existing(out / job.name)
    config = replace(Config.from_yaml(folder.config), eval_episodes=battles)
    engine = Engine(config)
    learners = checkpoint.restore_learners(folder.last, engine.all_seeds(engine.shapes).learners)
    results = engine.evaluate_learners(learners, [0])
    won = results["counts"]["won"][0] > 0
    lengths: Float[np.ndarray, " battles"] = results["length"][0]
    mean = lambda x: f"{x.mean():.1f} ± {x.std() / len(x) ** 0.5:.1f}" if len(x) else ""
    return {
        "run": job.name,
        "wins": f"{won.mean():.3f} ± {(won.mean() * (1 - won.mean()) / battles) ** 0.5:.3f}",
        "length of won": mean(lengths[won]),
        "real length of won": REAL_WON_LENGTH.get(job.map, ""),
        "length of lost": mean(lengths[~won]),
    }


def draw(path: Path, groups: dict[tuple[str, str], list[Job]], out: Path) -> None:
    """Draw a panel for each map: every seed thin, their mean bold, the real ranges as bars."""
    maps = list(dict.fromkeys(name for _, name in groups))
    size = (6.2 * len(maps) + 0.4, 4.2)
    figure, grid = pyplot().subplots(1, len(maps), figsize=size, dpi=160, squeeze=False, sharey=True)
    for axes, name in zip(grid[0], maps, strict=True):
        algorithms = [algorithm for algorithm, other in groups if other == name]
        for i, algorithm in enumerate(algorithms):
            draw_curves(axes, algorithm, name, read_curves(groups[algorithm, name], out, "eval/won"), i)
        finish_panel(axes, name)
    grid[0, 0].set_ylabel("greedy test battles won", color=INK)
    figure.tight_layout()
    save_figure(figure, path)


def draw_curves(axes: Any, algorithm: str, name: str, tests: list[LearningCurve], i: int) -> None:
    """Draw an algorithm's curves, smoothed over tests near each other, and the real points."""
    style = line_style(i)
    colour = style["color"]
    smooth = [(x, np.array([wins_at((x, y), step) for step in x])) for x, y in tests]
    for x, y in smooth:
        axes.plot(x / 1e6, y, color=colour, linewidth=0.8, alpha=0.45)
    if smooth:
        steps = max((x for x, _ in smooth), key=lambda x: x[-1])
        steps = steps[steps <= min(x[-1] for x, _ in smooth)]
        mean = np.mean([np.interp(steps, x, y) for x, y in smooth], axis=0)
        label = f"{algorithm}, {len(smooth)} seed{'s' if len(smooth) > 1 else ''}"
        axes.plot(steps / 1e6, mean, linewidth=2.2, label=label, **style)
    if (algorithm, name) in REAL:
        runs, ranges = REAL[algorithm, name]
        x = np.array(POINTS) + 0.012 * i
        low, high = np.array(ranges).T
        middle = (low + high) / 2
        label = f"{algorithm} in the real game, {runs} run{'s' if runs > 1 else ''}"
        look = {"fmt": "o", "markersize": 4, "capsize": 3, "elinewidth": 1.4, "mfc": "white"}
        axes.errorbar(x, middle, (high - low) / 2, color=colour, label=label, zorder=4, **look)


def finish_panel(axes: Any, name: str) -> None:
    set_title(axes, f"{name}, PyMARL's settings")
    axes.set_xlabel("million environment steps of each seed", color=INK)
    axes.set_ylim(-0.02, 1.02)
    axes.grid(axis="y", color="#e3e8ec", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=PALE_INK, labelsize=9)
    axes.legend(frameon=False, loc="lower right", fontsize=8.5)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--algorithms", nargs="+", default=list(ALGORITHMS), choices=ALGORITHMS)
    maps = list(EPISODE_STEPS)
    parser.add_argument("--maps", nargs="+", default=["8m", "2s3z"], choices=maps, metavar="MAP")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2_000_000, help="of each seed (2,000,000)")
    where = Path("runs/skirmish-curves")
    parser.add_argument("--out", type=Path, default=where, help=f"where runs are kept ({where})")
    parser.add_argument(
        "--workers", type=int, default=launch.cores(), help="runs at a time (one on each core)"
    )
    parser.add_argument("--settings", action="store_true", help="print PyMARL's settings and covey's")
    parser.add_argument("--status", action="store_true", help="train nothing: print what there is")
    parser.add_argument("--battles", type=int, help="play so many with each run's last checkpoint: who wins")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the curves here")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)  # a worker's run and core
    return parser.parse_args()


def print_settings(algorithms: list[str], maps: list[str]) -> None:
    for algorithm in algorithms:
        for name in maps:
            print(f"\n{algorithm} on {name}")
            print_table([row._asdict() for row in settings(algorithm, name)])


def main() -> None:
    options = parse()
    if options.one:
        algorithm, name, seed, core = options.one
        work(Job(algorithm, name, int(seed)), int(core), options.steps, options.out)
        return
    if options.settings:
        print_settings(options.algorithms, options.maps)
        return
    pairs = [(algorithm, name) for name in options.maps for algorithm in options.algorithms]
    groups = {pair: [Job(*pair, seed) for seed in range(options.seeds)] for pair in pairs}
    reading = options.status or options.battles or options.plot
    failed: list[Job] = []
    if not reading:
        jobs = [groups[pair][seed] for seed in range(options.seeds) for pair in pairs]
        failed = train_all(jobs, options.workers, options.steps, options.out)
    results = show_status(groups, options.out)
    if options.battles:
        launch.prepare("cpu")  # not before: workers would inherit its environment variables
        begun = [job for jobs in groups.values() for job in jobs]
        begun = [job for job in begun if RunFolder(options.out / job.name).last.exists()]
        results["battles"] = [battles_row(job, options.out, options.battles) for job in begun]
        print_table(results["battles"])
    if options.plot:
        draw(options.plot, groups, options.out)
    save_results(options.json, results)
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
