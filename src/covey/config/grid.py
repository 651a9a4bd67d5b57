"""Grids of settings: `gamma=.9,.99 lam=0,.8` is four combinations. It imports nothing heavy."""

import re
import zlib
from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

from .. import yaml_text
from ..errors import UserError

Axes = dict[str, list[Any]]
_LONGEST = 100  # characters of a folder's name
_PIECES = re.compile(r""""(?:\\.|[^"\\])*"|'[^']*'|.""", re.DOTALL)  # a quoted text, or a character


def split_values(text: str) -> list[str]:
    """Split at commas, but not within brackets and quotes."""
    values = [""]
    depth = 0
    for piece in _PIECES.findall(text):
        if piece == "," and depth == 0:
            values.append("")
            continue
        values[-1] += piece
        if piece in ("[", "{", "("):
            depth += 1
        elif piece in (")", "]", "}"):
            depth -= 1
    if depth or not all(value.strip() for value in values):
        raise UserError(f"'{text}' is no list of values: write value1,value2, and close every bracket")
    return values


def parse_axes(pairs: Iterable[str]) -> Axes:
    """Read `key=value1,value2`, the values in YAML."""
    axes: Axes = {}
    for pair in pairs:
        key, _, text = pair.partition("=")
        if not key or not text:
            raise UserError(f"'{pair}' is no setting: write key=value1,value2, for instance gamma=.9,.99")
        if key in axes:
            raise UserError(
                f"{key} is given twice: write all of its values in one place, {key}=value1,value2"
            )
        axes[key] = [yaml_text.parse(value, key) for value in split_values(text)]
    return axes


def combinations(axes: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """Return every combination of values; the last key's values change fastest."""
    for key, values in axes.items():
        texts = [yaml_text.inline(value) for value in values]
        if not texts:
            raise UserError(f"{key} is given no value")
        for text in texts:
            if texts.count(text) > 1:
                raise UserError(f"{key} is given {text} twice")
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


def combination_name(combination: Mapping[str, Any], axes: Mapping[str, list[Any]]) -> str:
    """Return the settings that vary, as they would be typed."""
    varying = {key: value for key, value in combination.items() if len(axes[key]) > 1}
    return ",".join(f"{key}={yaml_text.inline(value)}" for key, value in varying.items())


def folder_name(name: str) -> str:
    """Return a combination's name as a folder may be called."""
    plain = re.sub(r"[^\w.=,+\[\]-]+", "_", name)
    if plain == name and len(plain) <= _LONGEST:
        return plain
    return f"{plain[:_LONGEST]}_{zlib.crc32(name.encode()):08x}"
