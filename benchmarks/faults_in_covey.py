"""Plant twelve faults, one at a time, in a copy of the project, and see which test notices.

    python -m benchmarks.faults_in_covey                # the quick tier
    python -m benchmarks.faults_in_covey --tier test    # all but what runs nightly

Four faults lie in losses and returns, four in the training loop and replay, four in run folders. A fault is
caught if a test fails. The last column names the first test that did.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from .common import print_table

ROOT = Path(__file__).parents[1]
TIERS = {"quick": "not slow and not nightly", "test": "not nightly"}
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".venvs", "__pycache__", ".*_cache")


class Fault(NamedTuple):
    """A line of the project, and what stands there instead."""

    name: str
    file: str
    right: str
    wrong: str


FAULTS = (
    Fault(
        "returns: a true end bootstraps",
        "ops/returns.py",
        "    discount = gamma * ~terminated[:, None]\n    if lam == 0:",
        "    discount = gamma * jnp.ones_like(terminated)[:, None]\n    if lam == 0:",
    ),
    Fault(
        "losses: PPO's minimum is a maximum",
        "ops/losses.py",
        "return jnp.minimum(ratio * advantage",
        "return jnp.maximum(ratio * advantage",
    ),
    Fault(
        "losses: QMIX's target takes illegal actions",
        "algorithms/qmix.py",
        "jnp.argmax(ops.masked(q if self.double else q_target, episode.obs.legal), axis=-1)",
        "jnp.argmax(q if self.double else q_target, axis=-1)",
    ),
    Fault(
        "losses: COMA has no counterfactual baseline",
        "algorithms/coma.py",
        "ops.take(q, t.action) - jnp.sum(p * q, axis=-1)",
        "ops.take(q, t.action) - 0.0 * jnp.sum(p * q, axis=-1)",
    ),
    Fault(
        "loop: a carry outlives its episode",
        "training/loop.py",
        "carry = where_over(obs.first, self.init_carries(learners, n), carry)",
        "carry = where_over(obs.first & False, self.init_carries(learners, n), carry)",
    ),
    Fault(
        "loop: a reset's own step counts as experience",
        "training/loop.py",
        "ends = step.terminated & valid\n",
        "ends = step.terminated & valid\n        valid = valid | actors.over\n",
    ),
    Fault(
        "loop: the warm-up is skipped",
        "training/learners.py",
        "context.clock >= self.warmup(shape)",
        "context.clock >= 0",
    ),
    Fault(
        "replay: a window runs on into the next episode",
        "experience/replay.py",
        "batch.valid & same_episode",
        "batch.valid | same_episode & False",
    ),
    Fault(
        "folder: a resumed run keeps rows after its checkpoint",
        "runs/folder.py",
        "file.truncate(size)",
        "file.truncate()",
    ),
    Fault(
        "folder: two processes train one run",
        "runs/folder.py",
        "fcntl.LOCK_EX | fcntl.LOCK_NB",
        "fcntl.LOCK_SH | fcntl.LOCK_NB",
    ),
    Fault(
        "folder: a checkpoint of other shapes is accepted",
        "runs/checkpoint.py",
        "if value.shape != want.shape or value.dtype != want.dtype:",
        "if value.dtype != want.dtype:",
    ),
    Fault(
        "folder: the user's file is not the run's own copy",
        "runs/run.py",
        "return config.with_files(copies.__getitem__)",
        "return config",
    ),
)


def plant(fault: Fault, root: Path) -> None:
    """Write the fault into a copy of the project."""
    path = root / "src" / "covey" / fault.file
    text = path.read_text()
    if text.count(fault.right) != 1:
        sys.exit(f"{fault.name}: {fault.file} has {text.count(fault.right)} places like: {fault.right}")
    path.write_text(text.replace(fault.right, fault.wrong))


def first_failure(root: Path, fault: Fault, tier: str, workers: int) -> str | None:
    """Run a tier until a test fails; return the test's name. The fault's own room is tested first."""
    room = f"tests/{fault.file.split('/')[0]}"
    pytest = [sys.executable, "-m", "pytest", "-q", "-x", "-n", str(workers), "--dist", "worksteal"]
    for places in ([room], ["tests"]):
        run = subprocess.run(
            [*pytest, "-p", "no:cacheprovider", "-m", TIERS[tier], *places],
            cwd=root,
            capture_output=True,
            text=True,
            env=environment(root),
        )
        failed = re.findall(r"^FAILED (\S+)", run.stdout, re.MULTILINE)
        if failed:
            return failed[0]
        if run.returncode:  # also where a file cannot be imported: that is no test that noticed
            sys.exit(f"the tests did not run:\n{run.stdout[-2000:]}{run.stderr[-2000:]}")
    return None


def environment(root: Path) -> dict[str, str]:
    """The environment in which the copy is imported, not what is installed."""
    return os.environ | {"PYTHONPATH": str(root / "src")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tier", choices=TIERS, default="quick")
    parser.add_argument("--only", default="", metavar="TEXT", help="faults whose name has this in it")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    rows = []
    for fault in FAULTS:
        if options.only not in fault.name:
            continue
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "covey"
            shutil.copytree(ROOT, root, ignore=LEFT_OUT)
            plant(fault, root)
            failure = first_failure(root, fault, options.tier, options.workers)
        seconds = f"{time.perf_counter() - began:.0f}"
        rows.append({"fault": fault.name, "caught by": failure or "NOT CAUGHT", "seconds": seconds})
        print(f"{fault.name}: {failure or 'NOT CAUGHT'} ({seconds} s)", flush=True)
    print_table(rows)
    sys.exit(any(row["caught by"] == "NOT CAUGHT" for row in rows))


if __name__ == "__main__":
    main()
