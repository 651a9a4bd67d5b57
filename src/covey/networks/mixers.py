"""Mixers: joint values from individual ones. Made as `Mixer(agents, world, actions, key=key)`.

A mixer whose constructor names `layout` is made as `Mixer(agents, world, actions, layout, key=key)`, and
the layout tells its input as rows of entities; None where the world does not.

A mixer returns one value for the team or, where nothing is mixed, one per agent: its last axis
is `k`. Write your own as an `AbstractMixer` and train with `mixer=mine.py:Mixer`.
"""

import abc
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from ..core import Observation, Spec
from ..ops import masked, named, take
from ..ranges import Depth, Extras, Width
from .interface import InputPart, side_by_side, state_part
from .layers import MLP, Linear

MixerInput = Literal["state", "observations"]  # the world's state, or the team's observations


def mixer_part(mixer_input: MixerInput, team: Spec) -> InputPart:
    """Return what is told of `mixer_world`."""
    if mixer_input == "state":
        return state_part(team)
    return InputPart(team.agents * team.features, side_by_side(team.agents, team.features))


def mixer_world(
    mixer_input: MixerInput, obs: Observation, members: tuple[int, ...] | None = None
) -> Float[Array, "*t world"]:
    """Return what the mixer of these agents reads; the default is all agents of the learner."""
    if mixer_input == "state":
        return obs.world
    own = obs.agents if members is None else obs.agents[..., np.array(members), :]
    return own.reshape(*own.shape[:-2], -1)


class Choices(eqx.Module):
    """The values of all actions of all agents, the actions chosen, and those that are legal."""

    values: Float[Array, "*b agents actions"]
    action: Int[Array, "*b agents"]
    legal: Bool[Array, "*b agents actions"]

    @property
    def chosen(self) -> Float[Array, "*b agents"]:
        """The value of each agent's chosen action."""
        single = self.values.shape[-1] == 1
        return self.values[..., 0] if single else take(self.values, self.action)

    @property
    def best(self) -> Float[Array, "*b agents"]:
        """The value of each agent's best legal action."""
        return jnp.max(masked(self.values, self.legal), axis=-1)


def single_choices(values: Float[Array, "*b agents"]) -> Choices:
    """Return choices with one action an agent, for critics that value only the action taken."""
    column = values[..., None]
    return Choices(column, jnp.zeros(values.shape, int), jnp.ones(column.shape, bool))


class AbstractMixer(eqx.Module):
    """A joint value from individual values.

    Its constructor gets the number of agents, the width of `world`, and the number of actions in `choices`.
    """

    @abc.abstractmethod
    def __call__(self, choices: Choices, world: Float[Array, "*b world"]) -> Float[Array, "*b k"]: ...


class MonotonicMixer(AbstractMixer):
    """QMIX's mixing network (Rashid et al., 2018): weights from the state, made non-negative.

        h = ELU(q |W1(s)| + b1(s)),   Q_tot = h |W2(s)| + V(s)

    `hyper=0` is the older variant whose weights are one linear layer of the state.
    """

    w1: MLP
    b1: Linear
    w2: MLP
    v: MLP

    def __init__(
        self,
        agents: int,
        world: int,
        actions: int,
        *,
        embed: Width = 32,
        hyper: Extras = 64,
        key: PRNGKeyArray,
    ):
        inner = [hyper] if hyper else []
        self.w1 = MLP(world, *inner, agents * embed, key=named(key, "w1"))
        self.b1 = Linear(world, embed, key=named(key, "b1"))
        self.w2 = MLP(world, *inner, embed, key=named(key, "w2"))
        self.v = MLP(world, embed, 1, key=named(key, "v"))

    def __call__(self, choices, world):
        q = choices.chosen
        w1 = jnp.abs(self.w1(world)).reshape(*q.shape, -1)
        hidden = jax.nn.elu(jnp.sum(q[..., None] * w1, axis=-2) + self.b1(world))
        return jnp.sum(hidden * jnp.abs(self.w2(world)), axis=-1, keepdims=True) + self.v(world)


class SumMixer(AbstractMixer):
    """VDN (Sunehag et al., 2018): the sum."""

    def __init__(self, agents: int, world: int, actions: int, *, key: PRNGKeyArray):
        pass

    def __call__(self, choices, world):
        return jnp.sum(choices.chosen, axis=-1, keepdims=True)


class IndependentMixer(AbstractMixer):
    """IQL (Tan, 1993): no mixing, one value for each agent."""

    def __init__(self, agents: int, world: int, actions: int, *, key: PRNGKeyArray):
        pass

    def __call__(self, choices, world):
        return choices.chosen


class UnrestrictedMixer(AbstractMixer):
    """The central mixer of weighted QMIX (Rashid et al., 2020), a plain network of the state and the values.

    It may fall where one of the values grows, so agents cannot act by it alone.

        Q = f(s, q) + V(s)
    """

    f: MLP
    v: MLP

    def __init__(
        self,
        agents: int,
        world: int,
        actions: int,
        *,
        hidden: Width = 256,
        depth: Depth = 3,
        key: PRNGKeyArray,
    ):
        self.f = MLP(world + agents, *[hidden] * depth, 1, key=named(key, "f"))
        self.v = MLP(world, hidden, 1, key=named(key, "v"))

    def __call__(self, choices, world):
        return self.f(jnp.concatenate([world, choices.chosen], axis=-1)) + self.v(world)
