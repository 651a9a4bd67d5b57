"""YAML in which numbers and truth are what they look like: 1e6 is a number, `no` is a word."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from .errors import UserError

PLAIN = {
    "null": r"null|~|",
    "bool": r"true|false|True|False",
    "int": r"[-+]?[0-9][0-9_]*",
    "float": r"[-+]?([0-9][0-9_]*\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan",
}


class Loader(yaml.SafeLoader):
    """Knows the plain kinds alone."""


class Dumper(yaml.SafeDumper):
    """Writes what `Loader` reads, and everything in full."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


Loader.yaml_implicit_resolvers, Dumper.yaml_implicit_resolvers = {}, {}
for kind, pattern in PLAIN.items():
    for cls in (Loader, Dumper):
        cls.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", re.compile(f"^({pattern})$"), None)


def parse(text: str, what: str) -> Any:
    """`what` names the text in messages."""
    try:
        return yaml.load(text, Loader)
    except (yaml.YAMLError, ValueError) as error:
        reason = getattr(error, "problem", None) or str(error)
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark and mark.line else ""
        raise UserError(f"{what} is not valid YAML{place}: {reason}") from error


def pairs(texts: Iterable[str]) -> dict[str, Any]:
    """`key=value`, the values in YAML."""
    read = {}
    for pair in texts:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise UserError(f"'{pair}' is no setting: write key=value, for instance gamma=0.95")
        read[key] = parse(value, key)
    return read


def load(path: Path) -> dict[str, Any]:
    """A file of settings."""
    try:
        tree = parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeError) as error:
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not isinstance(tree, dict | None):
        raise UserError(f"{path} must hold `key: value` lines")
    return tree or {}


def write(tree: dict[str, Any]) -> str:
    return yaml.dump(tree, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)


def inline(value: Any) -> str:
    """On one line, as it would be typed."""
    text = yaml.dump(value, Dumper=Dumper, default_flow_style=True, width=10**6)
    return text.strip().removesuffix("...").strip()
