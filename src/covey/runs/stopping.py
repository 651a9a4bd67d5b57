"""The signals by which a run is stopped with everything saved."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

from ..signals import handling
from .progress import Progress


@runtime_checkable
class Stoppable(Protocol):
    """A run that stops after the current chunk once `stop` is set."""

    stop: bool
    progress: Progress


@contextmanager
def stop_on_signals(run: Stoppable) -> Iterator[None]:
    """Let Ctrl-C or a termination signal end the current chunk and save; a second one does not wait."""

    def request(number, frame):
        if run.stop:
            raise KeyboardInterrupt
        run.stop = True
        run.progress.say("stopping after this chunk …")

    with handling((signal.SIGINT, signal.SIGTERM), request):
        yield
