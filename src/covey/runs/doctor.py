"""A look at this machine: `covey doctor`."""

import os
import platform
import re
import shutil
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..text import memory_size, table
from . import launch, memory, provenance

_BASE = ("covey", "jax", "jaxlib", "equinox", "optax", "numpy", "matplotlib")
# An extra by its name, what it is for, and a package by which it is known.
_EXTRAS = {
    "pettingzoo": ("pz: worlds", "pettingzoo"),
    "jaxmarl": ("jaxmarl: worlds", "jaxmarl"),
    "jumanji": ("jumanji: worlds", "jumanji"),
    "film": (".mp4 films", "imageio-ffmpeg"),
    "onnx": ("covey export --onnx", "onnx"),
    "search": ("covey sweep --search tpe", "optuna"),
    "ray": ("covey sweep --on ray", "ray"),
    "slurm": ("covey sweep --on slurm", "submitit"),
}
_SIZE = 1024  # of the matrices that are multiplied
_FREE_DISK = 2_000_000_000
_BUSY = 0.5  # of the cores, by others


@dataclass(frozen=True)
class Checkup:
    """The facts of a machine, and advice: each line says what is slow or missing, and what helps."""

    versions: dict[str, str | None]
    devices: list[str]
    extras: dict[str, str | None]
    cache: dict[str, Any]
    machine: dict[str, Any]
    advice: list[str]

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))

    def __str__(self) -> str:
        extras = [
            [f"covey[{name}]", version or "not installed", _EXTRAS[name][0]]
            for name, version in self.extras.items()
        ]
        machine = self.machine
        cache = self.cache
        versions = ", ".join(f"{name} {version or 'missing'}" for name, version in self.versions.items())
        free = f"{memory_size(machine['memory'])} free" if machine["memory"] else "unknown"
        facts = [
            ["versions", versions],
            ["devices", ", ".join(self.devices)],
            ["matmul", f"{machine['matmul_gflops']:.0f} GF/s on one device, in float32"],
            ["memory", free],
            ["load", f"{machine['load']:.1f} of {machine['cores']} cores are busy"],
            ["cache", f"{cache['programs']} programs, {memory_size(cache['bytes'])}, {cache['path']}"],
        ]
        advice = self.advice or ["nothing stands in the way"]
        return "\n".join([table(facts), "", table(extras), "", *(f"* {line}" for line in advice)])


def examine_machine() -> Checkup:
    """Look at the packages, the devices, the cache and the machine."""
    launch.prepare()
    devices = [f"{device.platform} {device.device_kind}" for device in jax.devices()]
    extras = {name: provenance.package_version(package) for name, (_, package) in _EXTRAS.items()}
    cache = _cache()
    machine = {
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "cores": launch.cores(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0,
        "memory": memory.available_memory(),
        "matmul_gflops": _matmul_gflops(),
    }
    versions = {name: provenance.package_version(name) for name in _BASE}
    advice = [*_about_versions(), *_about_devices(machine), *_about_cache(cache)]
    return Checkup(versions, devices, extras, cache, machine, advice)


def _cache() -> dict[str, Any]:
    path = Path(os.environ.get("JAX_COMPILATION_CACHE_DIR", str(launch.cache_folder())))
    files = [file for file in path.glob("*") if file.is_file()] if path.is_dir() else []
    programs = sum(not file.name.endswith("-atime") for file in files)
    return {"path": str(path), "programs": programs, "bytes": sum(file.stat().st_size for file in files)}


def _matmul_gflops() -> float:
    """Return the rate of one large product on one device: the best of five calls."""
    x = jnp.asarray(np.random.default_rng(0).standard_normal((_SIZE, _SIZE), np.float32))
    product = jax.jit(lambda x: x @ x)
    product(x).block_until_ready()
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        product(x).block_until_ready()
        seconds.append(time.perf_counter() - began)
    return 2 * _SIZE**3 / min(seconds) / 1e9


def _about_versions() -> list[str]:
    """Return a line on each required package that is missing or too old."""
    lines = []
    for requirement in metadata.requires("covey") or [] if provenance.package_version("covey") else []:
        match = re.match(r"([\w.-]+)\s*([^;]*)$", requirement)
        if match and provenance.package_version(match[1]) is None:
            lines.append(f"{match[1]} is missing: pip install '{requirement.strip()}'")
    return lines


def _about_devices(machine: dict[str, Any]) -> list[str]:
    """Return lines on a GPU that is not used, on cores that are not used, and on other programs."""
    lines = []
    platforms = {device.platform for device in jax.devices()}
    if platforms == {"cpu"} and shutil.which("nvidia-smi"):
        lines.append("there is a GPU that JAX does not see: pip install 'jax[cuda13]'")
    if platforms == {"cpu"} and len(jax.devices()) < machine["cores"]:
        lines.append(
            f"JAX has {len(jax.devices())} of {machine['cores']} cores: unset XLA_FLAGS in the environment"
        )
    if machine["load"] > _BUSY * machine["cores"]:
        lines.append("other programs use this machine: training is slower, and its seconds say little")
    if machine["memory"] is not None and machine["memory"] < 2_000_000_000:
        lines.append("little memory is free: lower experience.capacity, --envs or --seeds")
    return lines


def _about_cache(cache: dict[str, Any]) -> list[str]:
    """Return lines on a cache of compiled programs that is empty, or on a disk that is full."""
    lines = []
    path = Path(cache["path"])
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    if not os.access(there, os.W_OK):
        lines.append(f"{there} cannot be written: every run compiles anew; set JAX_COMPILATION_CACHE_DIR")
    elif not cache["programs"]:
        lines.append("no compiled program is kept yet: the first run of each kind takes some seconds longer")
    if shutil.disk_usage(there).free < _FREE_DISK:
        lines.append(f"{memory_size(shutil.disk_usage(there).free)} are free on the disk of {there}")
    return lines
