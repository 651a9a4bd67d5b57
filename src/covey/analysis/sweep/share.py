"""The share of a machine that a job of a sweep gets. It imports nothing heavy."""

import os
import re
from typing import NamedTuple

from ...errors import UserError
from ...runs import launch

_SHARE = re.compile(r"(\d*\.?\d+) ?(cpu|gpu)s?")


class Share(NamedTuple):
    """So many cores, or so much of a GPU."""

    amount: float = 1.0
    kind: str = "cpu"

    @classmethod
    def read(cls, text: str | None) -> "Share":
        """Read `2 cpu` or `0.25 gpu`; by default a job has a core."""
        match = _SHARE.fullmatch(text.strip()) if text else None
        if text and (match is None or float(match[1]) <= 0):
            raise UserError(f"--per {text} is no share of a machine: write --per '2 cpu' or --per '0.25 gpu'")
        found = cls(float(match[1]), match[2]) if match else cls()
        if found.kind == "cpu" and not found.amount.is_integer():
            raise UserError(f"--per {text}: a job has whole cores, as in --per '1 cpu'")
        return found

    def __str__(self) -> str:
        return f"{self.amount:g} {self.kind}"

    def prepare(self) -> None:
        """Set JAX up to keep to the share, before JAX is imported. Its devices are a part of a run's bits."""
        if self.kind == "gpu":
            fraction = f"{0.9 * min(self.amount, 1.0):.2f}"
            os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", fraction)
            launch.prepare("gpu")
        else:
            launch.prepare("cpu", devices=int(self.amount))
