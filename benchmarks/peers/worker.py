"""A contestant in a process of its own, which trains for a turn when told to.

The process answers in lines of JSON: one when it is ready, and one after each turn. It gets an empty line
for a turn. What is not an answer (a warning that some package prints) is passed over.
"""

import contextlib
import json
import os
import select
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def parsed(line: bytes) -> dict[str, Any] | None:
    """Return the answer that a line holds, or None."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


class WorkerError(Exception):
    """No answer: the process ended, or took too long."""


class Worker:
    """A process in which a contestant trains, a turn at a time."""

    def __init__(self, command: Sequence[str | Path], limit: float):
        """Start the process, with JAX's own settings; `limit` is its longest time to answer, in seconds."""
        self.limit = limit
        variables = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "XLA_"))}
        self.process = subprocess.Popen(
            [*command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=variables | {"JAX_PLATFORMS": "cpu"},
        )
        self.text = b""
        self.errors = b""

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def answer(self) -> dict[str, Any]:
        """Return the next answer."""
        assert self.process.stdout
        assert self.process.stderr
        end = time.monotonic() + self.limit
        waiting = [self.process.stdout, self.process.stderr]
        while True:
            line, newline, rest = self.text.partition(b"\n")
            if newline:
                self.text = rest
                if (found := parsed(line)) is not None:
                    return found
                continue
            ready = select.select(waiting, [], [], max(0.0, end - time.monotonic()))[0]
            if not ready:
                raise WorkerError(f"no answer within {self.limit:.0f} s")
            for stream in ready:
                self.take(stream, waiting)

    def take(self, stream: Any, waiting: list[Any]) -> None:
        """Read what the process wrote; its errors end the wait once it has ended."""
        data = os.read(stream.fileno(), 1 << 16)
        if stream is self.process.stdout:
            self.text += data
        else:
            self.errors = (self.errors + data)[-4000:]
        if not data:
            waiting.remove(stream)
        if not waiting:
            last = self.errors.decode(errors="replace").strip().splitlines()[-1:]
            raise WorkerError(f"ended: {''.join(last) or 'without a message'}")

    def turn(self) -> dict[str, Any]:
        """Train for a turn; return what the process says of it."""
        assert self.process.stdin
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(b"\n")
            self.process.stdin.flush()
        return self.answer()

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()
