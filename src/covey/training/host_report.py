"""The time that training in a Python world took, and what went wrong in its processes."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class HostReport:
    """Where the time of training in a Python world went, by ticks, and what went wrong in its workers."""

    seconds: dict[str, float] = field(default_factory=dict)
    ticks: int = 0
    workers: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    news: list[str] = field(default_factory=list)

    def add_seconds(self, seconds: Mapping[str, float]) -> None:
        for what, more in seconds.items():
            self.seconds[what] = self.seconds.get(what, 0.0) + more
