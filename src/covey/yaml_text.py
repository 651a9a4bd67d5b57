"""YAML whose values are read as they look: 1e6 is a number, `no` is a word."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from .errors import UserError

_PLAIN = {
    "null": r"null|~|",
    "bool": r"true|false|True|False",
    "int": r"[-+]?[0-9][0-9_]*",
    "float": r"[-+]?([0-9][0-9_]*\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan",
}


class Loader(yaml.SafeLoader):
    """A YAML loader that knows the plain kinds alone."""


class Dumper(yaml.SafeDumper):
    """A YAML dumper that writes what `Loader` reads, without aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


Loader.yaml_implicit_resolvers = {}
Dumper.yaml_implicit_resolvers = {}
for _kind, _pattern in _PLAIN.items():
    for _class in (Loader, Dumper):
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(f"^({_pattern})$"), None)


def parse(text: str, what: str) -> Any:
    """Return the value that a text holds; `what` names the text in messages."""
    try:
        return yaml.load(text, Loader)
    except (yaml.YAMLError, ValueError) as error:
        reason = getattr(error, "problem", None) or str(error)
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark and mark.line else ""
        raise UserError(f"{what} is not valid YAML{place}: {reason}") from error


def parse_pairs(texts: Iterable[str]) -> dict[str, Any]:
    """Read `key=value`, the values in YAML."""
    values = {}
    for pair in texts:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise UserError(f"'{pair}' is no setting: write key=value, for instance gamma=0.95")
        values[key] = parse(value, key)
    return values


def read_file(path: Path) -> dict[str, Any]:
    """Read a file of `key: value` lines."""
    try:
        tree = parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeError) as error:
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not isinstance(tree, dict | None):
        raise UserError(f"{path} must hold `key: value` lines")
    return tree or {}


def to_text(tree: dict[str, Any]) -> str:
    """Return a tree as YAML, a line for each key."""
    return yaml.dump(tree, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)


def inline(value: Any) -> str:
    """Return a value on one line, as it would be typed."""
    text = yaml.dump(value, Dumper=Dumper, default_flow_style=True, width=10**6)
    return text.strip().removesuffix("...").strip()
