"""A sweep on a Ray cluster of two nodes, of which one worker and then a whole node are killed by SIGKILL.

    python -m benchmarks.ray_cluster            # a few minutes on two cores; needs covey[ray]

Both nodes are raylets on this machine. They share one folder, which each sees by a mount of its own where
the system allows one. Each has a home of its own, so they share neither keys nor compiled programs. The same
sweep then trains undisturbed on this machine's cores. Every run of the one is compared with its run of the
other: all arrays of the last and the best checkpoint, and all rows of metrics but for the seconds.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from covey.analysis.sweep.plan import TrialBook
from covey.runs import checkpoint
from covey.runs.folder import RunFolder

from .common import parse_options, print_table, save_results

SETTINGS = ["preset=original", "agent=feed_forward", "agent.hidden=32", "experience.batch_size=16"]
ALGORITHMS = "iql,vdn,qmix"
WORLDS = "two_step,spread"
PATIENCE = 900  # seconds for either sweep
_RAY = "from ray.scripts.scripts import main; main()"
_MOUNT = 'mount --bind "$0" "$1" && shift && exec "$@"'


class Kill(NamedTuple):
    """A kill, and the trial that was training there."""

    what: str
    trial: str  # its folder within the sweep's
    step: int
    checkpoint_step: int


class SharedFolder:
    """A folder, and the path by which nodes see it: by a mount of their own if they may."""

    def __init__(self, root: Path):
        self.real = root / "storage"
        self.real.mkdir()
        self.seen = root / "shared"
        self.seen.mkdir()
        try:
            subprocess.run([*self._mounted, "true"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            self.seen = self.real

    @property
    def _mounted(self) -> list[str]:
        user = [] if os.geteuid() == 0 else ["--map-root-user"]
        return ["unshare", "--mount", *user, "sh", "-c", _MOUNT, str(self.real), str(self.seen)]

    def command(self, words: list[str]) -> list[str]:
        """Return a command that sees the folder by the shared path."""
        return words if self.seen == self.real else [*self._mounted, *words]


class Node:
    """A raylet with one core and a home of its own; the head also keeps the cluster's books."""

    def __init__(self, root: Path, shared: SharedFolder, number: int, port: int):
        address = f"127.0.0.{number}"
        role = ["--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={root}/ray"]
        if number > 1:
            role = [f"--address=127.0.0.1:{port}"]
        limits = ["--num-cpus=1", "--object-store-memory=80000000", "--min-worker-port=0"]
        options = ["--block", "--disable-usage-stats", f"--node-ip-address={address}", "--max-worker-port=0"]
        words = [sys.executable, "-c", _RAY, "start", *role, *limits, *options]
        with open(root / f"node_{number}.log", "w") as log:
            self.process = subprocess.Popen(
                shared.command(words), stdout=log, stderr=log, env=home(root, f"node_{number}")
            )

    def processes(self) -> set[int]:
        """Return the ids of the node's processes."""
        return descendants(self.process.pid)

    def kill(self) -> None:
        """Kill everything of the node at once."""
        for number in self.processes():
            kill(number)
        self.process.wait()


def home(root: Path, name: str) -> dict[str, str]:
    """Return an environment with a home of its own."""
    folder = root / name
    folder.mkdir(exist_ok=True)
    own = {"HOME": str(folder), "XDG_CONFIG_HOME": f"{folder}/config", "XDG_CACHE_HOME": f"{folder}/cache"}
    return os.environ | own | {"RAY_memory_monitor_refresh_ms": "0"}


def descendants(root: int) -> set[int]:
    """Return the ids of a process and of all that it started."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = {root}
    grown = True
    while grown:
        more = {child for child, parent in parents.items() if parent in found} - found
        grown = bool(more)
        found |= more
    return found


def kill(number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(number, signal.SIGKILL)


def trainers() -> dict[str, int]:
    """Return which process holds the lock of which trial, by the trial's folder within the sweep's."""
    found = {}
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            place = Path(os.readlink(link))
        except OSError:
            continue
        if place.parent.name in ("trials", "winners"):
            found[f"{place.parent.name}/{place.name}"] = int(link.parts[2])
    return found


def steps_done(folder: RunFolder) -> int:
    """Return the steps that a run's metrics tell of."""
    return max((row["step"] for row in folder.rows()), default=0) if folder.metrics.exists() else 0


def checkpoint_step(folder: RunFolder) -> int:
    """Return the steps that the last checkpoint holds."""
    report = checkpoint.read_facts(folder.last)["resume_point"]["reports"]
    return max((row["step"] for row in folder.rows() if row["report"] == report), default=0)


def in_the_middle(root: Path, steps: int, processes: set[int]) -> tuple[int, RunFolder] | None:
    """Return a process of these that is in the middle of a trial, and the trial's folder."""
    for trial, number in trainers().items():
        folder = RunFolder(root / trial)
        if number in processes and folder.last.exists() and 0.2 < steps_done(folder) / steps < 0.8:
            return number, folder
    return None


def wait_for(what: Callable[[], Any], sweep: subprocess.Popen[Any]) -> Any:
    """Return what is found as soon as it is there; None if the sweep ends before."""
    until = time.monotonic() + PATIENCE
    while (found := what()) is None and sweep.poll() is None:
        if time.monotonic() > until:
            raise SystemExit(f"nothing happened for {PATIENCE} seconds")
        time.sleep(0.1)
    return found


def disturb(root: Path, steps: int, nodes: list[Node], sweep: subprocess.Popen[Any]) -> list[Kill]:
    """Kill a worker in the middle of a trial, then the second node in the middle of another."""
    kills = []
    everywhere = lambda: nodes[0].processes() | nodes[1].processes()
    for what in ("worker", "node"):
        where = everywhere if what == "worker" else nodes[1].processes
        if what == "node":
            wait_for(lambda: len(list(root.glob("trials/*/summary.json"))) >= 2 or None, sweep)
        found = wait_for(lambda where=where: in_the_middle(root, steps, where()), sweep)
        if found is None:
            raise SystemExit("the sweep ended before its node was killed: take more --steps")
        number, folder = found
        if what == "worker":
            kill(number)
        else:
            nodes[1].kill()
        trial = f"{folder.path.parent.name}/{folder.path.name}"
        kills.append(Kill(what, trial, steps_done(folder), checkpoint_step(folder)))
        print(f"{what} killed in {trial}, at step {kills[-1].step:,}", flush=True)
    return kills


def sweep_command(folder: Path, steps: int, on: str) -> list[str]:
    options = ["--seeds", "3", "--steps", str(steps), "--save-every", "0", "--fresh", "2", "--no-report"]
    place = ["--on", on, "--per", "1 cpu", "--out", str(folder)]
    covey = [sys.executable, "-m", "covey.cli"]
    return [*covey, "sweep", ALGORITHMS, WORLDS, *SETTINGS, *options, *place]


def train_on_cluster(root: Path, shared: SharedFolder, steps: int, stack: ExitStack) -> list[Kill]:
    """Train the sweep on two nodes, and disturb it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nodes = []
    for number in (1, 2):
        nodes.append(Node(root, shared, number, port))
        stack.callback(nodes[-1].kill)
        wait_until_joined(port, number, nodes[-1].process)
    words = shared.command(sweep_command(shared.seen / "sweep", steps, "ray"))
    variables = home(root, "driver") | {"RAY_ADDRESS": f"127.0.0.1:{port}"}
    sweep = subprocess.Popen(words, env=variables)
    stack.callback(lambda: [kill(number) for number in descendants(sweep.pid)])
    kills = disturb(shared.real / "sweep", steps, nodes, sweep)
    if sweep.wait(timeout=PATIENCE):
        raise SystemExit("the sweep on the cluster failed")
    return kills


def wait_until_joined(port: int, nodes: int, process: subprocess.Popen[Any]) -> None:
    """Wait until so many nodes have joined the cluster."""
    ask = f"import ray; ray.init('127.0.0.1:{port}', logging_level='ERROR'); print(len(ray.nodes()))"
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        told = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True)
        if told.stdout.strip() == str(nodes):
            return
        time.sleep(1)
    raise SystemExit(f"node {nodes} did not start: its log is beside the sweep's folder")


def rows_of(folder: RunFolder) -> list[dict[str, Any]]:
    """Return a run's metrics without its seconds."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in folder.rows()]


def same_arrays(a: Path, b: Path) -> tuple[int, int]:
    """Return how many arrays two checkpoints hold, and how many of them differ in a bit."""
    with np.load(a, allow_pickle=False) as first, np.load(b, allow_pickle=False) as second:
        names = sorted(name for name in {*first.files, *second.files} if not name.endswith(".json"))
        differ = [n for n in names if n not in first or n not in second or not same_bits(first[n], second[n])]
    return len(names), len(differ)


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def compare(disturbed: Path, alone: Path, kills: list[Kill]) -> list[dict[str, str]]:
    """Return a row for each run of the undisturbed sweep."""
    table = []
    for trial in TrialBook(alone).trials:
        mine = trial.run_folder(disturbed)
        theirs = trial.run_folder(alone)
        row = {"run": trial.name, "of": "winner" if trial.is_winner else "search"}
        own = [k for k in kills if k.trial == trial.folder]
        row["killed"] = ", ".join(f"{k.what} at {k.step:,}" for k in own) or "–"
        row["went on from"] = ", ".join(f"{k.checkpoint_step:,}" for k in own) or "–"
        if not mine.summary.exists():
            table.append(row | dict.fromkeys(("arrays that differ", "rows that differ", "return"), "MISSING"))
            continue
        pairs = [same_arrays(mine.last, theirs.last), same_arrays(mine.best, theirs.best)]
        row["arrays that differ"] = f"{sum(p[1] for p in pairs)} of {sum(p[0] for p in pairs)}"
        rows = rows_of(theirs)
        differ = sum(a != b for a, b in zip(rows_of(mine), rows, strict=False))
        differ += abs(len(rows_of(mine)) - len(rows))
        row["rows that differ"] = f"{differ} of {len(rows)}"
        row["return"] = f"{mine.read_summary()['eval']['team_return']['iqm']:.2f}"
        table.append(row)
    return table


def main() -> None:
    options = parse_options(
        __doc__ or "",
        None,
        **{
            "--steps": {"type": int, "default": 40_000, "help": "of each of three seeds (40,000)"},
            "--keep": {"action": "store_true", "help": "leave the folder of both sweeps"},
        },
    )
    root = Path(tempfile.mkdtemp(prefix="covey-"))
    began = time.monotonic()
    with ExitStack() as stack:
        shared = SharedFolder(root)
        kills = train_on_cluster(root, shared, options.steps, stack)
    on_cluster = time.monotonic() - began
    subprocess.run(
        sweep_command(root / "alone", options.steps, "local"), env=home(root, "driver"), check=True
    )
    table = compare(shared.real / "sweep", root / "alone", kills)
    print_table(table)
    views = "a mount for each node" if shared.seen != shared.real else "one path, no mounts"
    print(f"\nstorage: {views}; {on_cluster:.0f} s on the cluster, {time.monotonic() - began:.0f} s in all")
    save_results(options.json, {"kills": [k._asdict() for k in kills], "runs": table, "storage": views})
    if not options.keep:
        shutil.rmtree(root)
    good = all(row["arrays that differ"][:2] == row["rows that differ"][:2] == "0 " for row in table)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
