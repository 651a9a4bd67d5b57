"""What a person sees while a run goes on: one live line in a terminal, a line now and then elsewhere."""

import shutil
import sys
import time

from ..text import clock

PAUSE = 10.0  # seconds, where lines stay


def bar(share: float, room: int) -> str:
    width = max(0, min(20, room))
    return ("━" * round(width * share)).ljust(width, "─")


class Progress:
    """Rewrites its line in a terminal; elsewhere prints one now and then, and the last."""

    def __init__(self, total: int, quiet: bool = False):
        self.total, self.quiet, self.out = total, quiet, sys.stdout
        self.live = self.out.isatty()
        self.printed, self.started, self.width = -float("inf"), time.monotonic(), 0
        self.first: int | None = None

    def say(self, text: str) -> None:
        """A line that stays."""
        if not self.quiet:
            self.clear()
            print(text, file=self.out, flush=True)

    def clear(self) -> None:
        if self.live and self.width:
            print("\r" + " " * self.width + "\r", end="", file=self.out)
            self.width = 0

    def update(self, step: int, rate: float, news: str) -> None:
        """`step` of each seed, environment steps a second of all of them, and what to say beside."""
        now = time.monotonic()
        if self.quiet or (not self.live and now - self.printed < PAUSE and step < self.total):
            return
        self.first = step if self.first is None else self.first
        share = min(step / self.total, 1.0)
        done, left = step - self.first, max(self.total - step, 0)
        eta = clock((now - self.started) * left / done) if done and left else "0:00" if not left else "…"
        line = "  ".join(
            filter(None, [f"{share:4.0%}  step {step:,}", news, f"ETA {eta}  {rate:,.0f} steps/s"])
        )
        if self.printed == -float("inf"):
            self.started, self.first = now, step
        self.printed = now
        if self.live:
            room = shutil.get_terminal_size().columns - 1
            line = f"{bar(share, room - len(line) - 1)} {line}"[:room]
            print("\r" + line.ljust(self.width), end="", file=self.out, flush=True)
            self.width = len(line)
        else:
            print(line, file=self.out, flush=True)
