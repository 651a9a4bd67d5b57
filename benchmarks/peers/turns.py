"""The worker's end of `benchmarks.peers.worker`: answers, turns, memory. Needs the standard library alone."""

import contextlib
import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any


def take_turns(make: Callable[[], tuple[Callable[[], int], dict[str, Any]]]) -> None:
    """Make a contestant, say what is known of it, then train for a turn at every line of the standard input.

    `make` returns the turn, a function that returns its environment steps, and facts for the first answer.
    What the contestant prints goes to the standard error.
    """
    with contextlib.redirect_stdout(sys.stderr):
        turn, facts = make()
    print(json.dumps(facts), flush=True)
    for _ in sys.stdin:
        cpu = time.process_time()
        start = time.perf_counter()
        with contextlib.redirect_stdout(sys.stderr):
            steps = turn()
        seconds = time.perf_counter() - start
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        report = {"steps": steps, "seconds": seconds, "cpu": time.process_time() - cpu, "memory": memory}
        print(json.dumps(report), flush=True)
