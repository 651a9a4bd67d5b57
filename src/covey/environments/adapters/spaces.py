"""Gymnasium's spaces as arrays: observations flattened and padded, actions numbered or bounded.

    rows = ObservationSpaces(spaces)            # one space for each agent
    rows.features                             # the width of the widest
    rows.fill(agents[i], i, observation)      # flattened, into a row of zeros

    actions = ActionSpaces(spaces)
    actions.available, actions.bounds         # what `Spec` and `HostObservation.legal` need
    actions.own(i, action, legal[i])          # covey's action of agent i as one of its own space
    actions.legal(mask)                       # an agent's own mask as a row of `legal`

A space is known by the name of its class, so Gymnasium's, gym's and JAX packages' own will do.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Shaped

from ...errors import UserError

MASK = "action_mask"  # the key under which an observation, or `info`, holds legal actions
MOST_JOINT_CHOICES = 64


class Discrete(NamedTuple):
    """Choices `start ... start+n-1`, for worlds that come without spaces."""

    n: int
    start: int = 0


class Tuple(NamedTuple):
    """Members of several spaces side by side."""

    spaces: tuple[Any, ...]


class Box(NamedTuple):
    """Numbers in an array, for worlds that come without spaces; an action's are between `low` and `high`."""

    shape: tuple[int, ...]
    low: Any = -np.inf
    high: Any = np.inf
    dtype: Any = np.float32


_KINDS = ("Discrete", "Box", "MultiDiscrete", "MultiBinary", "Dict", "Tuple")


def kind_of(space: Any) -> str:
    """Return the kind of a space: Discrete, Box, MultiDiscrete, MultiBinary, Dict, Tuple; else its class."""
    names = [cls.__name__ for cls in type(space).__mro__]
    return next((name for name in names if name in _KINDS), names[0])


def without_mask(space: Any) -> Any:
    """Return the space of the observation itself, where one comes with an action mask."""
    if kind_of(space) != "Dict" or MASK not in space.spaces:
        return space
    rest = {key: inner for key, inner in space.spaces.items() if key != MASK}
    return next(iter(rest.values())) if len(rest) == 1 else type(space)(rest)


def split_mask(observation: Any) -> tuple[Any, Any]:
    """Return an observation without its action mask, and the mask; None where it has none."""
    if not isinstance(observation, dict) or MASK not in observation:
        return observation, None
    rest = {key: inner for key, inner in observation.items() if key != MASK}
    return next(iter(rest.values())) if len(rest) == 1 else rest, observation[MASK]


def inner_spaces(space: Any) -> list[tuple[Any, Any]]:
    """Return the keys and spaces of a Dict or a Tuple."""
    spaces = space.spaces
    return list(spaces.items() if isinstance(spaces, dict) else enumerate(spaces))


def flat_width(space: Any) -> int:
    """Return how many numbers `flat_row` makes of a member of a space."""
    match kind_of(space):
        case "Discrete":
            return int(space.n)
        case "Box" | "MultiBinary":
            return int(np.prod(space.shape))
        case "MultiDiscrete":
            return int(np.sum(space.nvec))
        case "Dict" | "Tuple":
            return sum(flat_width(inner) for _, inner in inner_spaces(space))
    raise UserError(
        f"observations from a space of kind {kind_of(space)} are no numbers: wrap the world so that each "
        f"agent observes one of {', '.join(_KINDS)}"
    )


def flat_row(space: Any, x: Any) -> Shaped[np.ndarray, " width"]:
    """Return a member of a space as numbers in a row; a choice becomes one-hot."""
    match kind_of(space):
        case "Box" | "MultiBinary":
            return np.ravel(x)
        case "Discrete":
            return _one_hot(int(space.n), int(x) - int(_start(space)))
        case "MultiDiscrete":
            sizes = np.ravel(space.nvec)
            choices = np.ravel(x) - np.ravel(_start(space))
            return np.concatenate([_one_hot(int(n), int(k)) for n, k in zip(sizes, choices, strict=True)])
    return np.concatenate([flat_row(inner, x[key]) for key, inner in inner_spaces(space)])


def _start(space: Any) -> Any:
    return getattr(space, "start", 0)


def _one_hot(n: int, k: int) -> Shaped[np.ndarray, " n"]:
    row = np.zeros(n, np.float32)
    row[k] = 1.0
    return row


class ObservationSpaces:
    """The agents' observation spaces, as rows of one width.

    Where all are pictures of one shape, `shape` is that with channels last, and rows are in this order.
    Pictures of bytes stay bytes: `feature_type` says so.
    """

    def __init__(self, spaces: Sequence[Any]):
        self.spaces = [without_mask(space) for space in spaces]
        self.widths = [flat_width(space) for space in self.spaces]
        self.features = max(self.widths)
        self._plain = [kind_of(space) in ("Box", "MultiBinary") for space in self.spaces]
        self.shape: tuple[int, ...] = ()
        self.feature_type: Literal["float32", "uint8"] = "float32"
        self._moved: tuple[int, ...] = ()  # the world's own shape, where it has channels first
        shapes = {tuple(space.shape) if kind_of(space) == "Box" else () for space in self.spaces}
        if len(shapes) == 1 and len(max(shapes)) == 3:
            self._set_pictures(max(shapes))

    def _set_pictures(self, shape: tuple[int, ...]) -> None:
        first, rows, columns = shape
        if first < min(rows, columns) and (first in (1, 3) or rows == columns):
            self._moved = shape
        self.shape = (rows, columns, first) if self._moved else shape
        if all(space.dtype == np.uint8 for space in self.spaces):
            self.feature_type = "uint8"

    def empty(self) -> Shaped[np.ndarray, "agents features"]:
        """Return rows of zeros for all agents."""
        return np.zeros((len(self.spaces), self.features), self.feature_type)

    def fill(self, row: Shaped[np.ndarray, " features"], i: int, x: Any) -> int:
        """Write an observation of agent i into its row, and return its width; a wrong one writes nothing."""
        if self._moved and np.shape(x) == self._moved:
            x = np.moveaxis(x, 0, -1)
        flat = np.ravel(x) if self._plain[i] else flat_row(self.spaces[i], x)
        width = len(flat)
        if width == self.widths[i]:
            row[:width] = flat
        return width


def parts_of(space: Any) -> dict[str, Any]:
    """Return the parts of an action, each one choice or one Box, by name."""
    match kind_of(space):
        case "MultiDiscrete":
            sizes = np.ravel(space.nvec)
            starts = np.broadcast_to(_start(space), np.shape(space.nvec)).ravel()
            return {
                str(i): Discrete(int(n), int(start))
                for i, (n, start) in enumerate(zip(sizes, starts, strict=True))
            }
        case "MultiBinary":
            return {str(i): Discrete(2) for i in range(int(np.prod(space.shape)))}
        case "Dict" | "Tuple":
            return {
                f"{key}.{name}" if name else str(key): part
                for key, inner in inner_spaces(space)
                for name, part in parts_of(inner).items()
            }
    return {"": space}


def member_of_parts(space: Any, parts: Iterator[Any]) -> Any:
    """Return the member of a space whose parts these are, in the order of `parts_of`."""
    match kind_of(space):
        case "MultiDiscrete":
            values = [next(parts) for _ in np.ravel(space.nvec)]
            return np.array(values, space.dtype).reshape(np.shape(space.nvec))
        case "MultiBinary":
            values = [next(parts) for _ in range(int(np.prod(space.shape)))]
            return np.array(values, space.dtype).reshape(space.shape)
        case "Dict":
            return {key: member_of_parts(inner, parts) for key, inner in inner_spaces(space)}
        case "Tuple":
            return tuple(member_of_parts(inner, parts) for _, inner in inner_spaces(space))
    return next(parts)


def joint_choices(space: Any) -> int | None:
    """Return the number of choices in a space, all parts together; None for one with a continuous part."""
    parts = parts_of(space).values()
    choices = all(kind_of(part) == "Discrete" for part in parts)
    return math.prod(int(part.n) for part in parts) if choices else None


def choice(space: Any, k: int) -> Any:
    """Return the member of a space that a number of a joint choice stands for."""
    parts = parts_of(space).values()
    chosen = np.unravel_index(k, [int(part.n) for part in parts])
    return member_of_parts(space, (int(i + _start(part)) for i, part in zip(chosen, parts, strict=True)))


class ActionSpaces:
    """The agents' action spaces, as choices `0 ... n-1` or as dimensions within common bounds.

    A joint choice (MultiDiscrete, MultiBinary, a Tuple or Dict of choices) is one number, for up to 64
    choices. Continuous actions are mapped to each agent's own Box from the range that all Boxes share, or
    from [-1, 1] if they share none. Where some agents have choices and others a Box, all are continuous:
    an agent with n choices has n dimensions, and takes the choice of the largest.

    - `available`: the choices (or dimensions) that each agent has.
    - `bounds`: as in `Spec`; None: actions are discrete.
    """

    def __init__(self, spaces: Sequence[Any]):
        self.spaces = list(spaces)
        self.choices = [self._choices(space) for space in self.spaces]
        boxes = [s for s, n in zip(self.spaces, self.choices, strict=True) if n is None]
        self.sizes = [n or int(np.prod(s.shape)) for s, n in zip(self.spaces, self.choices, strict=True)]
        self.available: Bool[np.ndarray, "agents actions"]
        self.available = np.arange(max(self.sizes)) < np.array(self.sizes)[:, None]
        self.bounds = _shared_bounds(boxes) if boxes else None
        self._numbers = [kind_of(s) == "Discrete" and not _start(s) for s in self.spaces]

    def _choices(self, space: Any) -> int | None:
        if kind_of(space) == "Box":
            return None
        n = joint_choices(space)
        if n is None:
            raise UserError(
                f"an action from a space of kind {kind_of(space)} that mixes choices and numbers, or has no "
                "such parts, cannot be taken: wrap the world so that each agent has choices or one Box"
            )
        if n > MOST_JOINT_CHOICES and kind_of(space) != "Discrete":
            raise UserError(
                f"an action of {kind_of(space)} has {n} joint choices, more than {MOST_JOINT_CHOICES}: wrap "
                "the world so that an agent chooses less at once, or make each part an agent of its own"
            )
        return n

    def own(self, i: int, action: Any, legal: Bool[np.ndarray, " actions"]) -> Any:
        """Return an action of agent i as a member of its own space; `legal` are its legal choices."""
        space = self.spaces[i]
        if self.choices[i] is not None:
            k = int(action) if self.bounds is None else int(np.argmax(np.where(legal, action, -np.inf)))
            return k if self._numbers[i] else choice(space, k)
        assert self.bounds is not None
        low, high = self.bounds
        dims = np.asarray(action)[: self.sizes[i]].reshape(space.shape)
        return (space.low + (dims - low) / (high - low) * (space.high - space.low)).astype(space.dtype)

    def legal(self, mask: Any) -> Bool[np.ndarray, " actions"]:
        """Return an agent's own mask as a row of legal actions; the first where it allows none.

        A mask of joint choices has one entry for each; a tuple of masks has one mask for each part.
        """
        row = np.zeros(self.available.shape[1], bool)
        if isinstance(mask, tuple | list) and np.ndim(mask[0]):
            parts = np.meshgrid(*(np.asarray(part, bool) for part in mask), indexing="ij")
            mask = np.logical_and.reduce(parts)
        flat = np.ravel(np.asarray(mask, bool))
        row[: len(flat)] = flat
        row[0] |= not flat.any()
        return row


def _shared_bounds(boxes: Sequence[Any]) -> tuple[float, float]:
    """Return the range that all dimensions of all Boxes share, else [-1, 1]."""
    ranges = set()
    for box in boxes:
        low = np.broadcast_to(box.low, box.shape)
        high = np.broadcast_to(box.high, box.shape)
        ranges |= {(float(a), float(b)) for a, b in zip(low.flat, high.flat, strict=True)}
    if not np.isfinite(list(ranges)).all():
        raise UserError(
            "an action has no bounds: wrap the world so that every Box of actions has finite ones"
        )
    return ranges.pop() if len(ranges) == 1 else (-1.0, 1.0)
