"""Losses and ratios shown to whoever watches a trace, such as the effect audit. In a run nobody watches."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

Watcher = Callable[..., None]

_losses: ContextVar[Watcher | None] = ContextVar("losses", default=None)
_ratios: ContextVar[Watcher | None] = ContextVar("ratios", default=None)


@contextmanager
def _watched(place: ContextVar[Watcher | None], watcher: Watcher) -> Iterator[None]:
    token = place.set(watcher)
    try:
        yield
    finally:
        place.reset(token)


def watching_losses(watcher: Watcher) -> Any:
    """Show every loss whose gradient is asked for in this context: `watcher(loss, params, args)`."""
    return _watched(_losses, watcher)


def watching_ratios(watcher: Watcher) -> Any:
    """Show every ratio of likelihoods in this context: `watcher(ratio)`."""
    return _watched(_ratios, watcher)


def show_loss(loss: Callable[..., Any], params: Any, args: tuple[Any, ...]) -> None:
    """Show a loss to its watcher, if there is one."""
    if (watcher := _losses.get()) is not None:
        watcher(loss, params, args)


def show_ratio(ratio: Any) -> None:
    """Show a ratio to its watcher, if there is one."""
    if (watcher := _ratios.get()) is not None:
        watcher(ratio)
