"""Mixers with one defect each, for `covey train qmix`."""

import jax
import jax.numpy as jnp

from covey import ops
from covey.networks import AbstractMixer
from covey.networks.layers import MLP


class SoundMixer(AbstractMixer):
    """Weights from the state, made non-negative."""

    weight: MLP
    bias: MLP

    def __init__(self, agents, world, actions, *, hidden: int = 8, key):
        self.weight = MLP(world, hidden, agents, key=ops.named(key, "weight"))
        self.bias = MLP(world, hidden, 1, key=ops.named(key, "bias"))

    def factors(self, world):
        return jnp.abs(self.weight(world))

    def __call__(self, choices, world):
        return jnp.sum(self.factors(world) * choices.chosen, axis=-1, keepdims=True) + self.bias(world)


class NotMonotone(SoundMixer):
    def factors(self, world):
        return self.weight(world)


class ValuesUnread(SoundMixer):
    """The state's part alone: the agents are left out."""

    def __call__(self, choices, world):
        return jnp.sum(self.factors(world), axis=-1, keepdims=True) + self.bias(world)


class FactorsDetached(SoundMixer):
    def factors(self, world):
        return jax.lax.stop_gradient(super().factors(world))


class BiasUncalled(SoundMixer):
    def __call__(self, choices, world):
        return jnp.sum(self.factors(world) * choices.chosen, axis=-1, keepdims=True)


class GainUnread(SoundMixer):
    gain: float

    def __init__(self, agents, world, actions, *, gain: float = 2.0, key):
        super().__init__(agents, world, actions, key=key)
        self.gain = gain


_ONES = jnp.ones(1)


class ArrayAsDefault(SoundMixer):
    """No defect: an option whose default is an array."""

    gain: jax.Array

    def __init__(self, agents, world, actions, *, gain=_ONES, key):
        super().__init__(agents, world, actions, key=key)
        self.gain = jnp.asarray(gain)

    def factors(self, world):
        return self.gain * super().factors(world)
