"""Presets: tuned settings of an algorithm in an environment, in `presets/ALGORITHM/ENVIRONMENT.yaml`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .. import yaml_text
from ..errors import UserError
from . import catalogue
from .settings import Tree

PRESETS = Path(__file__).parent / "presets"


def preset_path(algorithm: str, environment: str) -> Path:
    """Return where a preset lies, or would lie."""
    return PRESETS / algorithm / f"{environment}.yaml"


def tuned_environments(algorithm: str) -> list[str]:
    """Return the environments that an algorithm is tuned for."""
    folder = PRESETS / algorithm
    return sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.yaml"))


def tuned_settings(
    algorithms: Iterable[str], environment: str, required: bool = False
) -> tuple[dict[str, Tree], dict[str, Any]]:
    """Return the presets of these algorithms in an environment, where there are any; and the run's fields."""
    algorithms = list(algorithms)
    tuned: dict[str, Tree] = {}
    run: dict[str, Any] = {}
    for name in algorithms:
        path = preset_path(name, environment)
        if name in catalogue.ALGORITHMS and environment in catalogue.ENVIRONMENTS and path.exists():
            tuned[name] = yaml_text.read_file(path)
            run |= tuned[name].pop("run", {})
    if required and not tuned:
        names = " or ".join(algorithms)
        raise UserError(f"nothing is tuned for {names} in {environment}: leave out preset=tuned")
    return tuned, run
