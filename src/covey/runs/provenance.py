"""The provenance of a run: versions, the state of the user's repository, the machine; and its status."""

import os
import platform
import subprocess
import sys
import time
from importlib import metadata
from typing import Any

import jax

from .folder import RunFolder

_PACKAGES = ("covey", "jax", "jaxlib", "equinox", "optax", "numpy")


def package_version(package: str) -> str | None:
    """Return the version of an installed package; None where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git(*words: str) -> str | None:
    try:
        result = subprocess.run(["git", *words], capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()


def collect_provenance() -> dict[str, Any]:
    """Return the command, the versions, the commit and the machine."""
    commit = _git("rev-parse", "HEAD")
    return {
        "command": [os.path.basename(sys.argv[0]), *sys.argv[1:]],
        "versions": {"python": platform.python_version()}
        | {name: package_version(name) for name in _PACKAGES},
        "git": commit and {"commit": commit, "changed": bool(_git("status", "--porcelain"))},
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "devices": [device.device_kind for device in jax.devices()],
        },
    }


def write_provenance(folder: RunFolder, status: str) -> None:
    """Write the status of the run; the rest stays as it was when the run first started."""
    known = folder.read_json(folder.run)
    if not known:
        known = {"status": status, "time": time.strftime("%Y-%m-%d %H:%M:%S"), **collect_provenance()}
    folder.write_json(folder.run, known | {"status": status})
