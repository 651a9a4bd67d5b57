"""A class and its options, instantiated later."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import equinox as eqx

_T = TypeVar("_T", covariant=True)


class Factory(eqx.Module, Generic[_T]):
    """A class and keyword options for its constructor: `Factory(MonotonicMixer, embed=64)`.

    Training calls it with what only training knows, sizes and a key, and gets an instance. Any option of the
    class's constructor can be set by name: `mixer.embed=64`.
    """

    target: Callable[..., _T] = eqx.field(static=True)
    options: tuple[tuple[str, Any], ...] = eqx.field(static=True)

    def __init__(self, target: Callable[..., _T], **options: Any):
        self.target = target
        self.options = tuple(options.items())

    def __call__(self, *args: Any, **kwargs: Any) -> _T:
        return self.target(*args, **dict(self.options), **kwargs)
