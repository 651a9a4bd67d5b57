"""Losses shown to whoever watches a trace, such as the effect audit. In a run nobody watches."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

Watcher = Callable[[Callable[..., Any], Any, tuple[Any, ...]], None]  # gets loss, parameters, other arguments

_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Show the watcher every loss whose gradient is asked for in this context."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def show(loss: Callable[..., Any], params: Any, args: tuple[Any, ...]) -> None:
    """Show a loss to the watcher, if there is one."""
    if (watcher := _watcher.get()) is not None:
        watcher(loss, params, args)
