"""A class and its options, made later."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import equinox as eqx

T = TypeVar("T", covariant=True)


class Factory(eqx.Module, Generic[T]):
    """A class and the keyword options it will be made with: `Make(MonotonicMixer, embed=64)`.

    Called with what only training knows (sizes, a key) it makes the thing itself. Any option of
    the class's constructor can be set by name: `mixer.embed=64`.
    """

    target: Callable[..., T] = eqx.field(static=True)
    options: tuple[tuple[str, Any], ...] = eqx.field(static=True)

    def __init__(self, target: Callable[..., T], **options: Any):
        self.target, self.options = target, tuple(options.items())

    def __call__(self, *args: Any, **kwargs: Any) -> T:
        return self.target(*args, **dict(self.options), **kwargs)
