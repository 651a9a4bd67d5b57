"""Mixers: joint values from individual ones. Made as `Mixer(agents, world, key=key)`.

A mixer returns one value for the team or, where nothing is mixed, one per agent: its last axis
is `k`. Write your own as an `AbstractMixer` and train with `mixer=mine.py:Mixer`.
"""

import abc
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ..core import Observation, Spec
from ..ops import named
from .layers import MLP, Linear

MixerInput = Literal["state", "observations"]  # the world's state, or the team's observations


def world_width(by: MixerInput, team: Spec) -> int:
    """Of what a mixer reads."""
    return team.world if by == "state" else team.agents * team.features


def world_of(
    by: MixerInput, obs: Observation, members: tuple[int, ...] | None = None
) -> Float[Array, "*t world"]:
    """What the mixer of these agents reads, by default of all that the learner controls."""
    if by == "state":
        return obs.world
    own = obs.agents if members is None else obs.agents[..., np.array(members), :]
    return own.reshape(*own.shape[:-2], -1)


class AbstractMixer(eqx.Module):
    """Joint value from individual values."""

    @abc.abstractmethod
    def __call__(
        self, q: Float[Array, "*b agents"], world: Float[Array, "*b world"]
    ) -> Float[Array, "*b k"]: ...


class MonotonicMixer(AbstractMixer):
    """QMIX's mixing network (Rashid et al., 2018): weights from the state, made non-negative.

        h = ELU(q |W1(s)| + b1(s)),   Q_tot = h |W2(s)| + V(s)

    `hyper=0` is the older variant whose weights are one linear layer of the state.
    """

    w1: MLP
    b1: Linear
    w2: MLP
    v: MLP

    def __init__(self, agents: int, world: int, *, embed: int = 32, hyper: int = 64, key: PRNGKeyArray):
        inner = [hyper] if hyper else []
        self.w1 = MLP(world, *inner, agents * embed, key=named(key, "w1"))
        self.b1 = Linear(world, embed, key=named(key, "b1"))
        self.w2 = MLP(world, *inner, embed, key=named(key, "w2"))
        self.v = MLP(world, embed, 1, key=named(key, "v"))

    def __call__(self, q, world):
        w1 = jnp.abs(self.w1(world)).reshape(*q.shape, -1)
        hidden = jax.nn.elu(jnp.sum(q[..., None] * w1, axis=-2) + self.b1(world))
        return jnp.sum(hidden * jnp.abs(self.w2(world)), axis=-1, keepdims=True) + self.v(world)


class SumMixer(AbstractMixer):
    """VDN (Sunehag et al., 2018): the sum."""

    def __init__(self, agents: int, world: int, *, key: PRNGKeyArray):
        pass

    def __call__(self, q, world):
        return jnp.sum(q, axis=-1, keepdims=True)


class IndependentMixer(AbstractMixer):
    """IQL (Tan, 1993): no mixing, each agent's value by itself."""

    def __init__(self, agents: int, world: int, *, key: PRNGKeyArray):
        pass

    def __call__(self, q, world):
        return q


class UnrestrictedMixer(AbstractMixer):
    """A plain network of the state and the values, free to fall where one of them grows: the central
    mixer of weighted QMIX (Rashid et al., 2020). Agents cannot act by it alone.

        Q = f(s, q) + V(s)
    """

    f: MLP
    v: MLP

    def __init__(self, agents: int, world: int, *, hidden: int = 256, depth: int = 3, key: PRNGKeyArray):
        self.f = MLP(world + agents, *[hidden] * depth, 1, key=named(key, "f"))
        self.v = MLP(world, hidden, 1, key=named(key, "v"))

    def __call__(self, q, world):
        return self.f(jnp.concatenate([world, q], axis=-1)) + self.v(world)
