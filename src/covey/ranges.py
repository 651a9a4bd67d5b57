"""The range of a setting, declared where the setting is: `gamma: Unit = 0.99`.

An annotation holds the type, the bounds, and the values that are possible but odd. The check of a value, its
sentence and `covey describe` read them from there. A class of your own declares them in the same way:

    weight: Annotated[float, Between(0, 1)] = 0.5
    depth: Annotated[int, AtLeast(0), Odd(0, "leaves a linear map")] = 2
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, isfinite
from typing import Annotated, Any, TypeGuard, get_args, get_origin

__all__ = [
    "Above", "AtLeast", "Between", "Count", "Depth", "Epochs", "Extras", "Finite", "FiniteNumber",
    "Index", "Level", "Members", "NonNegative", "Odd", "Positive", "Size", "Unit", "Updates", "Width",
]  # fmt: skip

_LARGEST = 2**31 - 1  # what an index of JAX can be


@dataclass(frozen=True)
class Between:
    """The numbers from `low` to `high`, both of them included."""

    low: int | float
    high: int | float

    def holds(self, value: int | float) -> bool:
        return self.low <= value <= self.high

    def words(self, value: int | float | None = None) -> str:
        return f"between {_number(self.low)} and {_number(self.high)}"


@dataclass(frozen=True)
class AtLeast:
    """The finite numbers from `low` on, up to `high`, which is named only to whoever exceeds it."""

    low: int | float
    high: int | float = inf

    def holds(self, value: int | float) -> bool:
        return self.low <= value <= self.high and isfinite(value)

    def words(self, value: int | float | None = None) -> str:
        limit = f" and at most {_number(self.high)}" if value is not None and value > self.high else ""
        return f"of at least {_number(self.low)}{limit}"


@dataclass(frozen=True)
class Above:
    """The finite numbers above `low`."""

    low: int | float

    def holds(self, value: int | float) -> bool:
        return self.low < value < inf

    def words(self, value: int | float | None = None) -> str:
        return f"above {_number(self.low)}"


@dataclass(frozen=True)
class Finite:
    """Any number but NaN and the infinities."""

    def holds(self, value: int | float) -> bool:
        return isfinite(value)

    def words(self, value: int | float | None = None) -> str:
        return "that is finite"


@dataclass(frozen=True)
class Odd:
    """A value that is possible, and that few mean; `effect` says what it does: "changes no weight"."""

    value: int | float
    effect: str


Range = Between | AtLeast | Above | Finite
LEVEL = "a value that a schedule takes"  # its range is that of the setting in which the schedule stands

Unit = Annotated[float, Between(0, 1)]
Positive = Annotated[float, Above(0)]
NonNegative = Annotated[float, AtLeast(0)]
FiniteNumber = Annotated[float, Finite()]
Level = Annotated[float, LEVEL]
Count = Annotated[int, AtLeast(1, _LARGEST)]  # a whole number of at least 1
Index = Annotated[int, AtLeast(0, _LARGEST)]  # a whole number of at least 0
Size = Annotated[int, AtLeast(1)]  # one that an estimate of memory bounds
Members = Annotated[int, Between(1, 4096)]  # agents, prey, landmarks: each is named, and sees the others
Extras = Annotated[int, Between(0, 4096)]  # the same where there may be none
Epochs = Annotated[int, AtLeast(1, 10_000)]
Updates = Annotated[int, AtLeast(0, 100_000), Odd(0, "learns nothing")]
Depth = Annotated[int, Between(0, 100), Odd(0, "leaves no hidden layer before it")]
Width = Annotated[int, Between(1, 65_536)]


def bare(kind: Any) -> Any:
    """Return a type without what is annotated to it."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _marks(kind: Any) -> tuple[Any, ...]:
    return get_args(kind)[1:] if get_origin(kind) is Annotated else ()


def is_level(kind: Any) -> bool:
    """Return whether a type is that of a value which a schedule takes."""
    return LEVEL in _marks(kind)


def with_range(kind: Any, holder: Any, odd: bool) -> Any:
    """Return a level's type with the range of the setting in which its schedule stands."""
    marks = [mark for mark in _marks(holder) if is_range(mark) or odd]
    for mark in marks if is_level(kind) else ():
        kind = Annotated[kind, mark]
    return kind


def is_range(mark: Any) -> TypeGuard[Range]:
    return isinstance(mark, Between | AtLeast | Above | Finite)


def range_of(kind: Any) -> Range | None:
    """Return the range that a type declares, if it does."""
    return next((mark for mark in _marks(kind) if is_range(mark)), None)


def outside(kind: Any, value: Any) -> Range | None:
    """Return the range that a type declares, if a number is outside it."""
    declared = range_of(kind)
    return declared if declared and _is_number(value) and not declared.holds(value) else None


def oddity(kind: Any, value: Any) -> str | None:
    """Return what an odd value does."""
    odd: Iterable[Odd] = (mark for mark in _marks(kind) if isinstance(mark, Odd))
    return next((mark.effect for mark in odd if _is_number(value) and value == mark.value), None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(x: int | float) -> str:
    return f"{x:,}" if isinstance(x, int) else f"{x:,g}"
