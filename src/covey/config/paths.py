"""Paths in a configuration: a run's own file, and files of the user's. It imports nothing heavy."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import UserError

CONFIG_FILE = "config.yaml"  # in a run's folder
PLAN_FILE = "sweep.yaml"  # in a sweep's
_USER_FILE = re.compile(r"[^=+:]+\.py(?=:\w)")


def find_config(folder: Path) -> Path:
    """Return the configuration of the run in a folder."""
    if not os.path.isdir(folder):  # which a name that is too long is not, either
        raise UserError(f"there is no run folder at {folder}; runs made here lie under runs/")
    path = folder / CONFIG_FILE
    if not path.exists():
        raise UserError(f"{folder} is not a run folder: it holds no {CONFIG_FILE}")
    return path


def split_checkpoint(source: str) -> tuple[str, str | None]:
    """Return the run and the checkpoint that `RUN` or `RUN@STEP` names; a folder's name may hold an @."""
    run, mark, step = source.rpartition("@")
    return (source, None) if not mark or Path(source).is_dir() else (run, step)


def replace_files(tree: Any, replace: Callable[[Path], Path]) -> Any:
    """Return the tree with every user's file, as in `mine.py:Mixer`, replaced by another."""
    if isinstance(tree, dict):
        return {key: replace_files(value, replace) for key, value in tree.items()}
    if isinstance(tree, list):
        return [replace_files(value, replace) for value in tree]
    if isinstance(tree, str):
        return _USER_FILE.sub(lambda match: str(replace(Path(match[0]))), tree)
    return tree
