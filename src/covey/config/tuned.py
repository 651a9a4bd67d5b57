"""Presets: settings of an algorithm in an environment.

Tuned ones lie in `presets/ALGORITHM/WORLD.yaml`, those of an algorithm's authors in `originals/…`. WORLD is a
world or a family of worlds, whose `maps` have settings of their own. A family is tuned for its `maps` alone.
Where there is no file, the classes' own values are the original ones.
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


def tuned_environments(algorithm: str) -> list[str]:
    """Return the environments that an algorithm is tuned for."""
    found = []
    for path in (PRESETS / algorithm).glob("*.yaml"):
        maps = yaml_text.read_file(path).get("maps")
        found += [path.stem] if maps is None else [f"{path.stem}/{name}" for name in maps]
    return sorted(found)


def tuned_settings(
    algorithms: Iterable[str], environment: str, required: bool = False
) -> tuple[dict[str, Tree], dict[str, Any]]:
    """Return the presets of these algorithms in an environment, where there are any; and the run's fields."""
    algorithms = list(algorithms)
    there = [name for name in algorithms if environment in tuned_environments(name)]
    if required and not there:
        names = " or ".join(algorithms)
        raise UserError(f"nothing is tuned for {names} in {environment}: leave out preset=tuned")
    return _read_presets(PRESETS, there, environment)


def original_settings(algorithms: Iterable[str], environment: str) -> tuple[dict[str, Tree], dict[str, Any]]:
    """Return the authors' settings of these algorithms, where they have some; and the run's fields."""
    family = environment.partition("/")[0]
    there = [name for name in algorithms if (ORIGINALS / name / f"{family}.yaml").exists()]
    return _read_presets(ORIGINALS, there, environment)


def _read_presets(
    folder: Path, algorithms: list[str], environment: str
) -> tuple[dict[str, Tree], dict[str, Any]]:
    """Return the settings of these algorithms in a world of covey's, and the run's fields."""
    settings: dict[str, Tree] = {}
    run: dict[str, Any] = {}
    for name in algorithms:
        if name in catalogue.ALGORITHMS and environment in catalogue.ENVIRONMENTS:
            settings[name], fields = _read_preset(folder, name, environment)
            run |= fields
    return settings, run


def _read_preset(folder: Path, algorithm: str, environment: str) -> tuple[Tree, dict[str, Any]]:
    """Return a file's settings, by dotted path, and its run's fields.

    They are those of the algorithm that it is `like`, its own, then those of the world among its `maps`.
    """
    family, _, world = environment.partition("/")
    tree = yaml_text.read_file(folder / algorithm / f"{family}.yaml")
    like = tree.pop("like", None)
    settings, run = _read_preset(folder, like, environment) if like else ({}, {})
    run = run | tree.pop("run", {})
    of_world = tree.pop("maps", {}).get(world) or {}
    return settings | flatten(tree) | flatten(of_world), run


def preset_settings(
    algorithms: Iterable[str], environment: str, preset: str
) -> tuple[dict[str, Tree], dict[str, Any]]:
    """Return a preset's settings of these algorithms, and the run's fields."""
    settings = tuned_settings if preset == "tuned" else original_settings
    return settings(algorithms, environment)
