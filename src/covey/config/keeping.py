"""Checkpoints by number: `--keep N`, `all` or `every=STEPS`. It imports nothing heavy."""

from typing import NamedTuple

from ..errors import RUN_FIELD, SettingError

_EVERY = "every="


class Keeping(NamedTuple):
    """The moments at which a run keeps a checkpoint, and the number of those that stay."""

    newest: int | None = None  # None: all stay
    every: int | None = None  # steps; None: at each evaluation

    def is_due(self, before: int, now: int, evaluated: bool) -> bool:
        """Return whether a report keeps a checkpoint; seeds had taken `before` steps at the one before."""
        return evaluated if self.every is None else now // self.every > before // self.every


def read_keeping(value: int | str) -> Keeping:
    """Read `--keep`."""
    text = str(value).strip()
    if text == "all":
        return Keeping()
    number = _whole(text.removeprefix(_EVERY))
    if number is None:
        problem = f"takes a number of checkpoints, all, or {_EVERY}STEPS, not {text}"
        raise SettingError(f"{RUN_FIELD}keep", problem)
    return Keeping(every=number) if text.startswith(_EVERY) else Keeping(newest=number)


def _whole(text: str) -> int | None:
    """Return a positive whole number, also of 2e6 or 2_000_000; None where it is none."""
    try:
        number = float(text.replace("_", ""))
    except ValueError:
        return None
    return int(number) if 1 <= number < 2**63 and number % 1 == 0 else None
