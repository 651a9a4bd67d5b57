"""Small parts that settings are made of: schedules, optimisers, targets, factories.

They are data, not closures: they stand in a YAML file, `key=value` reaches their fields, and they
become Optax, numbers or networks only where they are used.
"""

import abc
from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

P = TypeVar("P")
T = TypeVar("T", covariant=True)
ClipBy = Literal["norm", "variable"]


class AbstractSchedule(eqx.Module):
    """A number that may change as training goes on."""

    @abc.abstractmethod
    def __call__(self, step: Int[Array, ""] | int) -> Float[Array, ""]: ...


class Constant(AbstractSchedule):
    """The same number throughout."""

    value: float

    def __call__(self, step):
        return jnp.asarray(self.value, float)


class Linear(AbstractSchedule):
    """From `start` to `end` within the first `steps` steps, then constant."""

    start: float
    end: float
    steps: int

    def __call__(self, step):
        done = jnp.clip(step / self.steps, 0.0, 1.0)
        return self.start + (self.end - self.start) * done


class Ramp(AbstractSchedule):
    """From 0 to 1 within the first `steps` steps, then 1."""

    steps: int = 10_000

    def __call__(self, step):
        return jnp.clip(step / self.steps, 0.0, 1.0)


class Phases(AbstractSchedule):
    """0 until `begin`, in a line to `final` at `end`, then constant."""

    final: float = 0.7
    begin: int = 10_000
    end: int = 50_000

    def __call__(self, step):
        return self.final * jnp.clip((step - self.begin) / (self.end - self.begin), 0.0, 1.0)


def clip_by_variable(limit: float) -> optax.GradientTransformation:
    """Each array's gradient by its own norm."""
    size = lambda g: jnp.sqrt(jnp.sum(g**2))
    one = lambda g: jnp.where(size(g) > limit, g * (limit / jnp.maximum(size(g), limit)), g)
    return optax.stateless(lambda grads, _: jax.tree.map(one, grads))


class AbstractOptimiser(eqx.Module):
    """Turned into Optax where it is used. A schedule of `lr` counts optimiser steps."""

    lr: eqx.AbstractVar[AbstractSchedule]
    clip: eqx.AbstractVar[float]  # the largest norm of a gradient; 0: no clipping
    clip_by: eqx.AbstractVar[ClipBy]  # the norm of all of it, or of each variable by itself

    @abc.abstractmethod
    def direction(self) -> optax.GradientTransformation:
        """The step for a learning rate of 1, up to its sign."""

    @property
    def optax(self) -> optax.GradientTransformation:
        by = {"norm": optax.clip_by_global_norm, "variable": clip_by_variable}[self.clip_by]
        clip = by(self.clip) if self.clip else optax.identity()
        return optax.chain(clip, self.direction(), optax.scale_by_learning_rate(self.lr))  # pyright: ignore[reportArgumentType]


class Adam(AbstractOptimiser):
    """Kingma and Ba (2015)."""

    lr: AbstractSchedule = Constant(1e-3)
    clip: float = 10.0
    eps: float = 1e-8
    clip_by: ClipBy = "norm"

    def direction(self):
        return optax.scale_by_adam(eps=self.eps)


class RAdam(AbstractOptimiser):
    """Liu et al. (2020): Adam with its early variance rectified."""

    lr: AbstractSchedule = Constant(1e-3)
    clip: float = 10.0
    eps: float = 1e-8
    clip_by: ClipBy = "norm"

    def direction(self):
        return optax.scale_by_radam(eps=self.eps)


class RMSProp(AbstractOptimiser):
    """PyTorch's form: `eps` outside the root."""

    lr: AbstractSchedule = Constant(5e-4)
    clip: float = 10.0
    decay: float = 0.99
    eps: float = 1e-5
    clip_by: ClipBy = "norm"

    def direction(self):
        return optax.scale_by_rms(self.decay, eps=self.eps, eps_in_sqrt=False)


class Apart(eqx.Module):
    """Parameters side by side, each part with an optimiser and a clip of its own."""

    optimisers: tuple[AbstractOptimiser, ...]

    @property
    def optax(self) -> optax.GradientTransformation:
        each = [optimiser.optax for optimiser in self.optimisers]

        def update(grads: Any, state: Any, params: Any = None):
            groups = zip(each, grads, state, params, strict=True)
            done = [one.update(grad, before, now) for one, grad, before, now in groups]
            return tuple(step for step, _ in done), tuple(state for _, state in done)

        init = lambda params: tuple(one.init(p) for one, p in zip(each, params, strict=True))
        return optax.GradientTransformation(init, update)  # pyright: ignore[reportArgumentType]


class AbstractTarget(eqx.Module):
    """How a target network follows the one that learns."""

    @abc.abstractmethod
    def __call__(self, online: P, target: P, updates: Int[Array, ""]) -> P: ...


class Hard(AbstractTarget):
    """A copy every `period` updates (van Hasselt's and PyMARL's way)."""

    period: int = 200

    def __call__(self, online, target, updates):
        return jax.tree.map(lambda n, o: jnp.where(updates % self.period == 0, n, o), online, target)


class Soft(AbstractTarget):
    """A step of `tau` towards the online network after every update (Lillicrap et al., 2016)."""

    tau: float = 0.01

    def __call__(self, online, target, updates):
        return jax.tree.map(lambda n, o: self.tau * n + (1 - self.tau) * o, online, target)


class Make(eqx.Module, Generic[T]):
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
