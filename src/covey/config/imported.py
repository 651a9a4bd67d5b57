"""Runs of other libraries, imported: a folder with curves and no policy. It imports nothing heavy."""

from pathlib import Path
from typing import Any, NamedTuple

from .. import yaml_text
from ..errors import UserError
from .paths import CONFIG_FILE

IMPORTED = "imported"  # in config.yaml, the library that the run is from


class ImportedRun(NamedTuple):
    """The content of an imported run's config.yaml."""

    library: str
    algorithm: str  # with the library in parentheses
    environment: str
    env: dict[str, Any]  # the world's settings, where covey has the world; by their names here
    settings: dict[str, Any]  # by their names in the library


def read_imported(folder: Path) -> ImportedRun | None:
    """Return what an imported run was; None for covey's own."""
    tree = yaml_text.read_file(folder / CONFIG_FILE)
    if not isinstance(tree, dict) or IMPORTED not in tree:
        return None
    text = lambda name: str(tree.get(name, "unknown"))
    part = lambda name: tree[name] if isinstance(tree.get(name), dict) else {}
    return ImportedRun(text(IMPORTED), text("algorithm"), text("environment"), part("env"), part("settings"))


def refuse_imported(path: Path, tree: Any) -> None:
    """Refuse an imported run where a policy or a whole configuration is needed."""
    if isinstance(tree, dict) and IMPORTED in tree:
        raise UserError(
            f"{path.parent} was imported from {tree[IMPORTED]}: it has curves and no policy; "
            "`covey compare`, `covey report`, `covey plot` and `covey export --csv` take it"
        )
