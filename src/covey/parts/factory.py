"""A class and its options, instantiated later."""

import copy
import inspect
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

    def asks_for(self, name: str) -> bool:
        """Return whether the constructor names an argument that is no option: one without a default."""
        parameter = inspect.signature(self.target).parameters.get(name)
        if parameter is None or parameter.kind is parameter.KEYWORD_ONLY:
            return False
        return parameter.default is parameter.empty

    def offer(self, **arguments: Any) -> "Factory[_T]":
        """Return the factory with those of these arguments that the constructor asks for."""
        wanted = {name: value for name, value in arguments.items() if self.asks_for(name)}
        return self.with_options(**wanted)

    def with_options(self, **options: Any) -> "Factory[_T]":
        """Return the factory with more options, or other values of them.

        No constructor runs, since the effect audit makes options inputs of a program, and Equinox warns of
        those in static fields.
        """
        new = copy.copy(self)
        object.__setattr__(new, "options", tuple((dict(self.options) | options).items()))
        return new
