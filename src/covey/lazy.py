"""Packages that import a name's module when the name is first used."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any


def find_name(package: str, names: Sequence[str], modules: Sequence[str], name: str) -> Any:
    """Return one of a package's public names, from the first of its modules that has it."""
    if name in names:
        for module in modules:
            found = import_module(module, package)
            if hasattr(found, name):
                return getattr(found, name)
    raise AttributeError(f"module '{package}' has no attribute '{name}'")
