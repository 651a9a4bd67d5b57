"""How much memory a run will take, said and checked before any of it is taken."""

from pathlib import Path

import jax
from jaxtyping import PyTree

from ..errors import UserError
from ..text import count, memory_size


def size(tree: PyTree) -> int:
    """The bytes of arrays, or of arrays with these shapes."""
    return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(tree))


def free() -> int | None:
    """The bytes there are: on the GPU, or in this machine or container; None where nobody says."""
    stats = jax.devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    known = []
    for line in text("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            known.append(int(line.split()[1]) * 1024)
    limit, used = text("/sys/fs/cgroup/memory.max"), text("/sys/fs/cgroup/memory.current")
    if limit.strip().isdigit() and used.strip().isdigit():
        known.append(int(limit) - int(used))
    return min(known) if known else None


def text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def check(needed: int, replay: int, seeds: int, available: int | None) -> str:
    """One line on what a run will take; refuses, with advice, what cannot fit."""
    needs = f"{memory_size(needed)} for {count(seeds, 'seed')}, {memory_size(replay)} of it replay"
    if available is None:
        return f"memory: {needs}"
    if needed > available:
        lower = "experience.capacity, --seeds or --envs" if replay > needed / 2 else "--envs or --seeds"
        raise UserError(f"this run would take {needs}, and {memory_size(available)} are free: lower {lower}")
    return f"memory: {needs}; {memory_size(available)} free"
