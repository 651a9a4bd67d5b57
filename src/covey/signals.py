"""What this process does with signals, for as long as a block of code runs."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any


@contextmanager
def handling(numbers: Sequence[int], handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Let a function answer signals; afterwards, who answered them before."""
    try:
        old = {number: signal.signal(number, handler) for number in numbers}
    except ValueError:  # not the main thread, where no signal arrives
        old = {}
    try:
        yield
    finally:
        for number, before in old.items():
            signal.signal(number, before)
