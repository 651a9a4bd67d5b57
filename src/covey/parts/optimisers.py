"""Optimisers as data: they become Optax where they are used."""

import abc
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

from ..ranges import NonNegative, Positive, Unit
from .numbers import Number, is_off
from .schedules import ConstantSchedule, LearningRate

ClipBy = Literal["norm", "variable"]


def clip_by_variable(limit: Number) -> optax.GradientTransformation:
    """Clip each array's gradient by its own norm."""
    norm = lambda g: jnp.sqrt(jnp.sum(g**2))
    clip = lambda g: jnp.where(norm(g) > limit, g * (limit / jnp.maximum(norm(g), limit)), g)
    return optax.stateless(lambda grads, _: jax.tree.map(clip, grads))


class AbstractOptimiser(eqx.Module):
    """An optimiser; a schedule of `lr` counts optimiser steps."""

    lr: eqx.AbstractVar[LearningRate]
    clip: eqx.AbstractVar[NonNegative]  # the largest norm of a gradient; 0: no clipping
    clip_by: eqx.AbstractVar[ClipBy]  # the norm of all of it, or of each variable by itself

    @abc.abstractmethod
    def direction(self) -> optax.GradientTransformation:
        """Return the step for a learning rate of 1, up to its sign."""

    @property
    def optax(self) -> optax.GradientTransformation:
        by = {"norm": optax.clip_by_global_norm, "variable": clip_by_variable}[self.clip_by]
        clip = optax.identity() if is_off(self.clip) else by(self.clip)
        return optax.chain(clip, self.direction(), optax.scale_by_learning_rate(self.lr))  # pyright: ignore[reportArgumentType]


class Adam(AbstractOptimiser):
    """Adam (Kingma and Ba, 2015)."""

    lr: LearningRate = ConstantSchedule(1e-3)
    clip: NonNegative = 10.0
    eps: Positive = 1e-8
    clip_by: ClipBy = "norm"

    def direction(self):
        return optax.scale_by_adam(eps=self.eps)


class RAdam(AbstractOptimiser):
    """Adam with its early variance rectified (Liu et al., 2020)."""

    lr: LearningRate = ConstantSchedule(1e-3)
    clip: NonNegative = 10.0
    eps: Positive = 1e-8
    clip_by: ClipBy = "norm"

    def direction(self):
        return optax.scale_by_radam(eps=self.eps)


class RMSProp(AbstractOptimiser):
    """RMSProp in PyTorch's form: `eps` outside the root."""

    lr: LearningRate = ConstantSchedule(5e-4)
    clip: NonNegative = 10.0
    decay: Unit = 0.99
    eps: Positive = 1e-5
    clip_by: ClipBy = "norm"

    def direction(self):
        return optax.scale_by_rms(self.decay, eps=self.eps, eps_in_sqrt=False)
