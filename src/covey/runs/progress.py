"""The progress of a run on screen: one live line in a terminal, a line now and then elsewhere."""

import shutil
import sys
import time

from ..text import clock

_PAUSE = 10.0  # seconds between lines outside a terminal


def progress_bar(share: float, room: int) -> str:
    width = max(0, min(20, room))
    return ("━" * round(width * share)).ljust(width, "─")


class Progress:
    """A line that is rewritten in a terminal; elsewhere one is printed now and then, and the last."""

    def __init__(self, total: int, quiet: bool = False):
        self.total = total
        self.quiet = quiet
        self.out = sys.stdout
        self.live = self.out.isatty()
        self.width = 0  # of the live line
        self.printed = -float("inf")
        self.started = time.monotonic()
        self.first: int | None = None  # the step of the first line, from which the time left is estimated

    def say(self, text: str) -> None:
        """Print a line that stays."""
        if not self.quiet:
            self.clear()
            print(text, file=self.out, flush=True)

    def clear(self) -> None:
        if self.live and self.width:
            print("\r" + " " * self.width + "\r", end="", file=self.out)
            self.width = 0

    def update(self, step: int, rate: float, news: str) -> None:
        """Show the step of each seed, the news, and the environment steps a second of all seeds."""
        now = time.monotonic()
        if self.quiet or (not self.live and now - self.printed < _PAUSE and step < self.total):
            return
        share = min(step / self.total, 1.0)
        left = f"ETA {self._time_left(step, now)}  {rate:,.0f} steps/s"
        line = "  ".join(filter(None, [f"{share:4.0%}  step {step:,}", news, left]))
        if self.first is None:
            self.started = now
            self.first = step
        self.printed = now
        if self.live:
            room = shutil.get_terminal_size().columns - 1
            line = f"{progress_bar(share, room - len(line) - 1)} {line}"[:room]
            print("\r" + line.ljust(self.width), end="", file=self.out, flush=True)
            self.width = len(line)
        else:
            print(line, file=self.out, flush=True)

    def _time_left(self, step: int, now: float) -> str:
        left = max(self.total - step, 0)
        if not left:
            return "0:00"
        done = step - (step if self.first is None else self.first)
        return clock((now - self.started) * left / done) if done else "…"
