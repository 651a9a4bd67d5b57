"""Worker of `benchmarks.jaxmarl_training`: trains covey by the engine of `covey train`, a turn at a time.

    python -m benchmarks.peers.covey_worker WORK SEEDS STEPS

WORK is JSON: an algorithm, its settings, copies, and a world. Nothing comes from the cache of programs.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from covey.runs import launch

from .turns import take_turns

os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"
launch.prepare("cpu")


def make() -> tuple[Callable[[], int], dict[str, Any]]:
    from ..training import TrainingWork, Work  # after JAX is set up

    work, seeds, steps = sys.argv[1:]
    start = time.perf_counter()
    run = TrainingWork(Work(*json.loads(work)), int(seeds), int(steps), warm=False)
    compile_seconds = time.perf_counter() - start

    def turn() -> int:
        run()
        return run.steps

    while run.engine.updates(run.clock) < 2:
        turn()  # until it learns
    return turn, {"compile seconds": compile_seconds, "flops a step": run.flops_per_step()}


if __name__ == "__main__":
    take_turns(make)
