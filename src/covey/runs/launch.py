"""The settings of JAX: on a CPU every core a device of one thread; a cache of compiled programs.

All of them are environment variables that JAX reads when its first device is asked for, so `prepare`
comes before that. Variables that a user has set are left alone.
"""

import logging
import os
import re
import sys
from pathlib import Path

from ..errors import UserError


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def started() -> bool:
    """Return whether JAX has already chosen its devices."""
    if "jax" not in sys.modules:
        return False
    from jax._src import xla_bridge  # there is no public way to ask

    return bool(getattr(xla_bridge, "_backends", None))


def cache_folder(threads: int | None = None) -> Path:
    """Return the folder of compiled programs. Those for fewer threads than the machine has get one apart.

    XLA divides work by the threads that it may use, and sums then end on other bits; the names that it gives
    to programs do not tell.
    """
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    threads = threads or cores()
    return Path(home) / "covey" / ("xla" if threads == os.cpu_count() else f"xla-{threads}")


def prepare(device: str | None = None, python_world: bool = False, devices: int | None = None) -> None:
    """Set JAX up for training on `device`, `cpu` or `gpu`, or by default on the best there is.

    A CPU is so many `devices` and threads, by default as many as there are cores.
    In a Python world each tick waits for what it computes. Another thread for it would cost more than acting.
    """
    if started():
        return
    if device:
        os.environ["JAX_PLATFORMS"] = {"cpu": "cpu", "gpu": "cuda"}[device]
    flags = os.environ.get("XLA_FLAGS", "")
    if devices:
        os.environ["NPROC"] = str(devices)  # XLA's threads, whatever else the machine has
        flags = re.sub(r"--xla_force_host_platform_device_count=\d+ ?", "", flags)
    wanted = {
        "--xla_force_host_platform_device_count": devices or cores(),
        "--xla_cpu_multi_thread_eigen": "false",
        "--xla_backend_optimization_level": 1,
    }
    if device == "gpu":
        del wanted["--xla_backend_optimization_level"]
    os.environ["XLA_FLAGS"] = " ".join([flags, *(f"{k}={v}" for k, v in wanted.items() if k not in flags)])
    ours = str(
        cache_folder(os.cpu_count())
    )  # perhaps set by a run before, in the process that began this one
    if os.environ.get("JAX_COMPILATION_CACHE_DIR", ours) == ours:
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(cache_folder(devices))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if not os.environ.get("COVEY_TRACEBACK"):  # a world's failing callback becomes a sentence
        logging.getLogger("jax._src.callback").setLevel(logging.CRITICAL)
    if python_world:
        import jax

        jax.config.update("jax_cpu_enable_async_dispatch", False)  # it has no variable


def stay_on_cpu() -> None:
    """Keep this process off the GPU, without a word to the processes that it starts."""
    if not started():
        import jax

        jax.config.update("jax_platforms", "cpu")


def check_device(device: str | None) -> None:
    """Refuse a GPU that JAX does not see."""
    import jax

    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:  # JAX raises the one or the other
        if device != "gpu":
            raise
        raise UserError(
            "--device gpu: JAX sees no GPU here; install JAX with CUDA (pip install 'jax[cuda13]'), "
            "or use --device cpu"
        ) from error
