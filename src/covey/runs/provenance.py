"""Where a run comes from: versions, the state of the user's repository, the machine, how it stands."""

import os
import platform
import subprocess
import sys
import time
from importlib import metadata
from typing import Any

import jax

from .folder import RunFolder

PACKAGES = ("covey", "jax", "jaxlib", "equinox", "optax", "numpy")


def version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def git(*words: str) -> str | None:
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def describe() -> dict[str, Any]:
    commit = git("rev-parse", "HEAD")
    return {
        "command": [os.path.basename(sys.argv[0]), *sys.argv[1:]],
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        "git": commit and {"commit": commit, "changed": bool(git("status", "--porcelain"))},
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "devices": [device.device_kind for device in jax.devices()],
        },
    }


def write(folder: RunFolder, status: str) -> None:
    """How the run stands; beside where it first started."""
    start = lambda: {"status": status, "time": time.strftime("%Y-%m-%d %H:%M:%S"), **describe()}
    known = folder.read_json(folder.run) or start()
    folder.write_json(folder.run, known | {"status": status})
