"""Search spaces: each setting has a list of values, or a range of numbers. It imports nothing heavy."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .. import yaml_text
from ..errors import UserError

RangeKind = Literal["uniform", "log", "whole"]
_RANGE = re.compile(r"(uniform|log|whole)\(([^,()]+),([^,()]+)\)")
_FIGURES = 4  # of a drawn number: its name is then the number itself


@dataclass(frozen=True)
class SearchRange:
    """Numbers from `low` to `high`: `uniform`, `log` (uniform in the logarithm), or `whole` numbers."""

    kind: RangeKind
    low: float
    high: float

    def at(self, share: float) -> float | int:
        """Return the number at a share of the way from low to high."""
        if self.kind == "whole":
            return min(int(self.low + share * (self.high - self.low + 1)), int(self.high))
        if self.kind == "log":
            value = math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + share * (self.high - self.low)
        return few_figures(value)

    def __str__(self) -> str:
        return f"{self.kind}({yaml_text.inline(self.low)},{yaml_text.inline(self.high)})"


Axis = SearchRange | list[Any]


def few_figures(value: float) -> float:
    """Return a number of a few figures, so that what is printed is what was used."""
    return float(f"{value:.{_FIGURES}g}")


def read_axis(key: str, values: list[Any]) -> Axis:
    """Return the values of a setting; `log(1e-4,1e-2)` is a range."""
    if len(values) != 1 or not isinstance(values[0], str) or "(" not in values[0]:
        return values
    match = _RANGE.fullmatch(values[0].replace(" ", ""))
    if match is None:
        raise UserError(
            f"{key}={values[0]} is no range: write uniform(a,b), log(a,b) or whole(a,b), or values as a,b,c"
        )
    bounds = [yaml_text.parse(text, key) for text in match.groups()[1:]]
    if not all(isinstance(bound, int | float) and not isinstance(bound, bool) for bound in bounds):
        raise UserError(f"{key}={values[0]}: the bounds of a range are numbers, as in log(1e-4,1e-2)")
    return _checked(key, SearchRange(match[1], *map(float, bounds)))  # pyright: ignore[reportArgumentType]


def _checked(key: str, found: SearchRange) -> SearchRange:
    if not found.low < found.high:
        raise UserError(f"{key}={found}: the first bound is the smaller one")
    if found.kind == "log" and found.low <= 0:
        raise UserError(f"{key}={found}: the bounds of log(a,b) are above 0; uniform(a,b) takes any")
    if found.kind == "whole" and not (found.low.is_integer() and found.high.is_integer()):
        raise UserError(f"{key}={found}: the bounds of whole(a,b) are whole numbers")
    return found


def read_space(axes: Mapping[str, list[Any]]) -> dict[str, Axis]:
    """Return a search space from lists of values as they were typed."""
    return {key: read_axis(key, list(values)) for key, values in axes.items()}


def typed_space(space: Mapping[str, Axis]) -> dict[str, list[Any]]:
    """Return a search space as `read_space` reads it: plain data."""
    return {key: [str(axis)] if isinstance(axis, SearchRange) else axis for key, axis in space.items()}
