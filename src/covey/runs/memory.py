"""The memory that a run takes, checked before any of it is taken."""

from pathlib import Path

import jax

from ..errors import UserError
from ..text import count, memory_size


def available_memory() -> int | None:
    """Return the free bytes of the GPU, or of this machine or container; None where nothing tells."""
    stats = jax.devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    known = []
    for line in _read("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            known.append(int(line.split()[1]) * 1024)
    limit = _read("/sys/fs/cgroup/memory.max").strip()
    used = _read("/sys/fs/cgroup/memory.current").strip()
    if limit.isdigit() and used.isdigit():
        known.append(int(limit) - int(used))
    return min(known) if known else None


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def check_memory(needed: int, replay: int, seeds: int, available: int | None) -> str:
    """Return one line on the memory that a run takes; refuse, with a remedy, a run that cannot fit."""
    needs = f"{memory_size(needed)} for {count(seeds, 'seed')}, {memory_size(replay)} of it replay"
    if available is None:
        return f"memory: {needs}"
    if needed > available:
        remedy = "experience.capacity, --seeds or --envs" if replay > needed / 2 else "--envs or --seeds"
        raise UserError(f"this run would take {needs}, and {memory_size(available)} are free: lower {remedy}")
    return f"memory: {needs}; {memory_size(available)} free"
