"""Grids of settings: `gamma=.9,.99 lam=0,.8` is four combinations. It imports nothing heavy."""

import re
import zlib
from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

from .. import yaml_text
from ..errors import UserError

Axes = dict[str, list[Any]]
LONG = 100  # characters of a folder's name


def values(typed: str) -> list[str]:
    """What commas part, those within brackets and quotes aside."""
    pieces, depth = [""], 0
    for piece in re.findall(r""""(?:\\.|[^"\\])*"|'[^']*'|.""", typed, re.DOTALL):
        depth += (piece in "[{(") - (piece in ")}]") if len(piece) == 1 else 0
        if piece == "," and depth == 0:
            pieces.append("")
        else:
            pieces[-1] += piece
    if depth or not all(piece.strip() for piece in pieces):
        raise UserError(f"'{typed}' is no list of values: write value1,value2, and close every bracket")
    return pieces


def axes(pairs: Iterable[str]) -> Axes:
    """`key=value1,value2`, the values in YAML."""
    read: Axes = {}
    for pair in pairs:
        key, _, typed = pair.partition("=")
        if not key or not typed:
            raise UserError(f"'{pair}' is no setting: write key=value1,value2, for instance gamma=.9,.99")
        if key in read:
            raise UserError(
                f"{key} is given twice: write all of its values in one place, {key}=value1,value2"
            )
        read[key] = [yaml_text.parse(value, key) for value in values(typed)]
    return read


def combinations(axes: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """All of them; the last key's values change fastest."""
    for key, several in axes.items():
        seen = [yaml_text.inline(value) for value in several]
        twice = [value for i, value in enumerate(seen) if value in seen[:i]]
        if not seen or twice:
            raise UserError(f"{key} is given {twice[0]} twice" if twice else f"{key} is given no value")
    return [dict(zip(axes, chosen, strict=True)) for chosen in product(*axes.values())]


def label(choice: Mapping[str, Any], axes: Mapping[str, list[Any]]) -> str:
    """A combination's name: what varies, as it would be typed."""
    return ",".join(f"{key}={yaml_text.inline(value)}" for key, value in choice.items() if len(axes[key]) > 1)


def folder(name: str) -> str:
    """The same, as a folder may be called."""
    plain = re.sub(r"[^\w.=,+\[\]-]+", "_", name)
    same = plain == name and len(plain) <= LONG
    return plain if same else f"{plain[:LONG]}_{zlib.crc32(name.encode()):08x}"
