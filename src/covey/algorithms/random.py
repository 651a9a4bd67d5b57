"""Random actions: a baseline, and the player of agents without a learner."""

from typing import ClassVar

import jax.numpy as jnp
import jax.random as jr

from ..core import AbstractAlgorithm, AbstractExperience, Spec, Traits
from ..experience import OnPolicy
from ..ops import masked


class Random(AbstractAlgorithm[Spec]):
    """Uniform over legal actions, or over the box of a continuous world; it learns nothing."""

    traits: ClassVar[Traits] = Traits(
        centralised=False, on_policy=True, discrete=True, continuous=True, recurrent=False, cooperative=False
    )
    experience: AbstractExperience = OnPolicy(updates=0)

    def init(self, spec, key):
        return spec

    def init_carry(self, spec, learner):
        return None

    def act(self, learner, carry, obs, key, step, explore):
        u = jr.uniform(key, obs.legal.shape)
        if learner.bounds is None:
            return None, jnp.argmax(masked(u, obs.legal), axis=-1), None
        low, high = learner.bounds
        return None, jnp.where(obs.legal, low + (high - low) * u, low), None

    def update(self, learner, batch, key, step):
        return learner, {}
