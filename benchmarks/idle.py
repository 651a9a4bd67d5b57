"""Idleness of the machine: wait for it, and measure what other programs took while a contestant ran."""

import os
import time
from pathlib import Path

STAT = Path("/proc/stat")


def busy_seconds() -> float | None:
    """Return the seconds that all cores together have been busy since the machine started, or None."""
    if not STAT.exists():
        return None
    user, nice, system, _, _, irq, softirq = map(int, STAT.read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def cores_in_use(seconds: float = 1.0) -> float:
    """Return the number of cores that others keep busy now; without /proc, the load of the last minute."""
    before = busy_seconds()
    start = time.perf_counter()
    time.sleep(seconds)
    after = busy_seconds()
    if before is None or after is None:
        return os.getloadavg()[0]
    return (after - before) / (time.perf_counter() - start)


def wait_until_idle(bound: float, patience: float) -> str:
    """Wait until fewer than `bound` cores are busy, for `patience` seconds at most; say what came of it."""
    start = time.perf_counter()
    while (used := cores_in_use()) >= bound and time.perf_counter() - start < patience:
        time.sleep(1.0)
    waited = f"{used:.2f} cores busy after waiting {time.perf_counter() - start:.0f} s"
    return waited if used < bound else f"{waited}: NOT IDLE, so read the ratios, not the rates"


class OthersMeter:
    """The cores that other programs keep busy while a contestant takes a turn."""

    def __init__(self):
        self.busy = busy_seconds()
        self.start = time.perf_counter()

    def read(self, own: float) -> float | None:
        """Return how many cores others used, since the meter was made, beside the `own` CPU seconds."""
        busy = busy_seconds()
        if self.busy is None or busy is None:
            return None
        return max(0.0, busy - self.busy - own) / (time.perf_counter() - self.start)
