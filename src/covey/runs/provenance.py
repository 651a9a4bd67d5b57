"""The provenance of a run: versions, the state of the user's repository, the machine; and its status."""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib import metadata
from types import MappingProxyType
from typing import Any

import jax

from ..config.settings import rebuild
from ..config.trees import dump
from ..config.trust import check_parts
from ..core import Spec
from .folder import RunFolder

_PACKAGES = ("covey", "jax", "jaxlib", "equinox", "optax", "numpy")
_WORLDS = (  # that are recorded where they are used
    *("pettingzoo", "mpe2", "gymnasium", "lbforaging", "rware", "pogema", "magent2", "mujoco"),
    *("jaxmarl", "brax", "jumanji", "vmas", "gfootball", "smac", "smacv2", "pysc2"),
)


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


def collect_provenance(world: Mapping[str, str]) -> dict[str, Any]:
    """Return the command, the versions, those of the world's programs too, the commit and the machine."""
    packages = (*_PACKAGES, *(name for name in _WORLDS if name in sys.modules))
    commit = _git("rev-parse", "HEAD")
    return {
        "command": [os.path.basename(sys.argv[0]), *sys.argv[1:]],
        "versions": {
            "python": platform.python_version(),
            **{name: package_version(name) for name in packages},
            **world,
        },
        "git": commit and {"commit": commit, "changed": bool(_git("status", "--porcelain"))},
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "devices": [device.device_kind for device in jax.devices()],
        },
    }


def write_provenance(
    folder: RunFolder,
    status: str,
    world: Mapping[str, str] = MappingProxyType({}),
    spec: Spec | None = None,
    signature: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Write the status of the run; the rest stays as it was when the run first started.

    The spec of its world is kept so that a policy can be loaded where the world is not installed. A new run
    brings its `signature`, from `config.trust`.
    """
    known = folder.read_json(folder.run)
    if not known:
        known = {"status": status, "time": time.strftime("%Y-%m-%d %H:%M:%S"), **collect_provenance(world)}
    kept = {"spec": dump(spec)} if spec is not None else {}
    folder.write_json(folder.run, known | {"status": status} | kept | dict(signature))


def read_spec(folder: RunFolder) -> Spec | None:
    """Return the spec of a run's world; None for a run that has not kept it."""
    tree = folder.read_run().get("spec")
    if tree:
        check_parts(folder.path, tree)
    return rebuild(Spec, tree) if tree else None
