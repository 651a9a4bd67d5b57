"""Presets: settings of an algorithm in an environment.

Tuned ones lie in `presets/ALGORITHM/ENVIRONMENT.yaml`, those of an algorithm's authors for a family of worlds
in `originals/ALGORITHM/FAMILY.yaml`. Elsewhere the classes' own values are the original ones.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .. import yaml_text
from ..errors import UserError
from . import catalogue
from .trees import Tree, flatten

PRESETS = Path(__file__).parent / "presets"
ORIGINALS = Path(__file__).parent / "originals"


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


def original_settings(algorithms: Iterable[str], environment: str) -> tuple[dict[str, Tree], dict[str, Any]]:
    """Return the authors' settings of these algorithms, where they have some; and the run's fields."""
    family, _, world = environment.partition("/")
    original: dict[str, Tree] = {}
    run: dict[str, Any] = {}
    for name in algorithms:
        if environment in catalogue.ENVIRONMENTS and (ORIGINALS / name / f"{family}.yaml").exists():
            original[name], fields = _read_original(name, family, world)
            run |= fields
    return original, run


def _read_original(algorithm: str, family: str, world: str) -> tuple[Tree, dict[str, Any]]:
    """Return a file's settings, by dotted path, and its run's fields.

    They are those of the algorithm that it is `like`, its own, then those of the world among its `maps`.
    """
    tree = yaml_text.read_file(ORIGINALS / algorithm / f"{family}.yaml")
    like = tree.pop("like", None)
    settings, run = _read_original(like, family, world) if like else ({}, {})
    run = run | tree.pop("run", {})
    of_world = tree.pop("maps", {}).get(world, {})
    return settings | flatten(tree) | flatten(of_world), run


def preset_settings(
    algorithms: Iterable[str], environment: str, preset: str
) -> tuple[dict[str, Tree], dict[str, Any]]:
    """Return a preset's settings of these algorithms, and the run's fields."""
    settings = tuned_settings if preset == "tuned" else original_settings
    return settings(algorithms, environment)
