"""YAML whose values are read as they look: 1e6 is a number, `no` is a word."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from .errors import SettingError, UserError

_PLAIN = {
    "null": r"null|~|",
    "bool": r"true|false|True|False",
    "int": r"[-+]?[0-9][0-9_]*",
    "float": r"[-+]?([0-9][0-9_]*\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan",
}


_DEEPEST = 50  # levels: a setting of a setting of a setting has three
_LONGEST = 10_000_000  # bytes of a file
_MOST = 1_000_000  # values, those of an alias counted at each place where it stands


class Loader(yaml.SafeLoader):
    """A YAML loader that knows the plain kinds alone, and takes a key once."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "a list"
            problem = "is no name" if not key.tag.endswith(":str") else "stands twice" if name in seen else ""
            if problem:
                raise yaml.constructor.ConstructorError(None, None, f"'{name}' {problem}", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


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
        value = yaml.load(text, Loader)
        _refuse_bombs(value)
        return value
    except RecursionError as error:
        raise UserError(f"{what} is nested too deeply to be read") from error
    except (yaml.YAMLError, ValueError) as error:
        reason = getattr(error, "problem", None) or str(error)
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark and mark.line else ""
        raise UserError(f"{what} is not valid YAML{place}: {reason}") from error


def _refuse_bombs(value: Any) -> None:
    """Refuse what is small as text and endless as a tree: aliases of aliases, lists in lists."""
    level = [value]
    seen = 0
    for _ in range(_DEEPEST):
        seen += len(level)
        if seen > _MOST:
            raise ValueError(f"it holds more than {_MOST:,} values")
        inner = [x.values() if isinstance(x, dict) else x for x in level if isinstance(x, dict | list)]
        if sum(map(len, inner)) > _MOST:
            raise ValueError(f"it holds more than {_MOST:,} values")
        level = [x for group in inner for x in group]
        if not level:
            return
    raise ValueError(f"it is nested more than {_DEEPEST} levels deep")


def parse_pairs(texts: Iterable[str], once: bool = False) -> dict[str, Any]:
    """Read `key=value`, the values in YAML; the last of a key wins, or each may have one value `once`."""
    values = {}
    for pair in texts:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise UserError(f"'{pair}' is no setting: write key=value, for instance gamma=0.95")
        new = parse(value, key)
        if once and key in values and values[key] != new:
            raise UserError(
                f"{key} is given twice, as {inline(values[key])} and as {inline(new)}: write it once"
            )
        values[key] = new
    return values


def read_file(path: Path) -> dict[str, Any]:
    """Read a file of `key: value` lines."""
    try:
        with open(path, "rb") as file:
            content = file.read(_LONGEST + 1)
        if len(content) > _LONGEST:
            raise UserError(f"{path} is longer than {_LONGEST:,} bytes: settings take a page")
        tree = parse(content.decode("utf-8"), str(path))
    except (OSError, UnicodeError) as error:
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not isinstance(tree, dict | None):
        raise UserError(f"{path} must hold `key: value` lines")
    return tree or {}


def read_named(setting: str, file: str) -> dict[str, Any]:
    """Read a file that a setting names."""
    try:
        return read_file(Path(file))
    except UserError as error:
        raise SettingError(setting, f"cannot be used: {error}", value=file) from error


def to_text(tree: dict[str, Any]) -> str:
    """Return a tree as YAML, a line for each key."""
    return yaml.dump(tree, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)


def inline(value: Any) -> str:
    """Return a value on one line, as it would be typed."""
    text = yaml.dump(value, Dumper=Dumper, default_flow_style=True, width=10**6)
    return text.strip().removesuffix("...").strip()
