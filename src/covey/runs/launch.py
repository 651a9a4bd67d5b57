"""The settings of JAX: on a CPU every core a device of one thread; a cache of compiled programs.

All of them are environment variables that JAX reads when its first device is asked for, so `prepare`
comes before that. Variables that a user has set are left alone.
"""

import os
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


def cache_folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "covey" / "xla"


def prepare(device: str | None = None, python_world: bool = False) -> None:
    """Set JAX up for training on `device`, `cpu` or `gpu`, or by default on the best there is.

    In a Python world each tick waits for what it computes. Another thread for it would cost more than acting.
    """
    if started():
        return
    if device:
        os.environ["JAX_PLATFORMS"] = {"cpu": "cpu", "gpu": "cuda"}[device]
    flags = os.environ.get("XLA_FLAGS", "")
    wanted = {
        "--xla_force_host_platform_device_count": cores(),
        "--xla_cpu_multi_thread_eigen": "false",
        "--xla_backend_optimization_level": 1,
    }
    if device == "gpu":
        del wanted["--xla_backend_optimization_level"]
    os.environ["XLA_FLAGS"] = " ".join([flags, *(f"{k}={v}" for k, v in wanted.items() if k not in flags)])
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache_folder()))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if python_world:
        import jax

        jax.config.update("jax_cpu_enable_async_dispatch", False)  # it has no variable


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
