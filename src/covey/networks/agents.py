"""Agents' networks: feed-forward or recurrent, shared among agents or not."""

import abc
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from ..core import Observation, Spec
from ..ops import named
from ..parts import Factory
from .layers import GRU, MLP, Activation

Sharing = Literal["team", "all", "none"]


class AbstractAgent(eqx.Module):
    """A network with a memory of its own; made as `Net(inputs, outputs, key=key)`."""

    @property
    @abc.abstractmethod
    def carry_size(self) -> int:
        """Of the memory."""

    @abc.abstractmethod
    def step(
        self, h: Float[Array, "*b h"], x: Float[Array, "*b i"]
    ) -> tuple[Float[Array, "*b h"], Float[Array, "*b o"]]:
        """One moment."""

    @abc.abstractmethod
    def unroll(
        self, h: Float[Array, "*b h"], xs: Float[Array, "T *b i"], first: Bool[Array, " T"]
    ) -> tuple[Float[Array, "*b h"], Float[Array, "T *b o"]]:
        """All of a trajectory; memory is wiped where an episode begins."""


class FeedForward(AbstractAgent):
    """`depth` times Linear and activation, then Linear; no memory.

    With `norm` the input and what comes out of every activation are normalised. With a `gain`, that of
    the last layer, weights begin orthogonal and biases at zero, with `xavier` uniform and at zero; without
    them, as in PyTorch.
    """

    layers: MLP

    def __init__(
        self, i: int, o: int, *, hidden: int = 64, depth: int = 2, activation: Activation = "relu",
        norm: bool = False, gain: float | None = None, xavier: bool = False, key: PRNGKeyArray,
    ):  # fmt: skip
        sizes = (i, *[hidden] * depth, o)
        self.layers = MLP(*sizes, activation=activation, norm=norm, gain=gain, xavier=xavier, key=key)

    @property
    def carry_size(self) -> int:
        return 0

    def step(self, h, x):
        return h, self.layers(x)

    def unroll(self, h, xs, first):
        return h, self.layers(xs)


class Recurrent(AbstractAgent):
    """`depth` times Linear and activation, GRU, `after` times Linear and activation, Linear.

    By default the agent of the value-mixing papers. `norm` and `gain` are as in `FeedForward`; with
    `norm`, what comes out of the GRU is normalised too.
    """

    embed: MLP
    gru: GRU
    head: MLP

    def __init__(
        self, i: int, o: int, *, hidden: int = 64, depth: int = 1, after: int = 0,
        activation: Activation = "relu", norm: bool = False, gain: float | None = None, key: PRNGKeyArray,
    ):  # fmt: skip
        part = lambda name, *sizes, **options: MLP(
            *sizes, activation=activation, norm=norm, gain=gain, key=named(key, name), **options
        )
        self.embed = part("embed", i, *[hidden] * depth, activated=True)
        self.gru = GRU(
            hidden if depth else i, hidden, gain=None if gain is None else 1.0, key=named(key, "gru")
        )
        self.head = part("head", hidden, *[hidden] * after, o)

    @property
    def carry_size(self) -> int:
        return self.gru.hidden[0].bias.shape[-1]

    def step(self, h, x):
        h = self.gru(h, self.gru.project(self.embed(x)))
        return h, self.head(h)

    def unroll(self, h, xs, first):
        hs = self.gru.unroll(h, self.gru.project(self.embed(xs)), first)
        return hs[-1], self.head(hs)


class AgentNetworks(eqx.Module):
    """The networks of several agents, which share parameters by group.

    Arrays with a row per agent go in and come out; `groups` says whose network each agent uses.
    """

    nets: AbstractAgent  # one network; where there are several groups, leaves lead with group
    groups: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self, make: Factory[AbstractAgent], spec: Spec, i: int, o: int, sharing: Sharing, *, key: PRNGKeyArray
    ):
        owners = {"all": ("",) * spec.agents, "team": spec.team or ("",) * spec.agents, "none": spec.names}
        owner = owners[sharing]
        order = list(dict.fromkeys(owner))
        self.groups = tuple(order.index(name) for name in owner)
        # one by one: XLA's batched decompositions, which orthogonal weights would need, can wait for each
        # other for ever where two CPU devices begin at once
        nets = [make(i, o, key=named(key, name)) for name in order]
        self.nets = nets[0] if len(order) == 1 else jax.tree.map(lambda *w: jnp.stack(w), *nets)

    @property
    def shared(self) -> bool:
        return len(set(self.groups)) == 1

    @property
    def stacked(self) -> bool:
        """Do leaves lead with groups?"""
        return not self.shared

    def init_carry(self) -> Float[Array, "agents h"]:
        return jnp.zeros((len(self.groups), self.nets.carry_size))

    def each(self) -> AbstractAgent:
        """One network an agent: leaves lead with agents."""
        stack = jax.tree.map(lambda w: w[None], self.nets) if self.shared else self.nets
        return jax.tree.map(lambda w: w[np.array(self.groups)], stack)

    def step(
        self, h: Float[Array, "agents h"], x: Float[Array, "agents i"]
    ) -> tuple[Float[Array, "agents h"], Float[Array, "agents o"]]:
        if self.shared:
            return self.nets.step(h, x)
        return jax.vmap(lambda net, h, x: net.step(h, x))(self.each(), h, x)

    def unroll(
        self, h: Float[Array, "agents h"], xs: Float[Array, "T agents i"], first: Bool[Array, " T"]
    ) -> tuple[Float[Array, "agents h"], Float[Array, "T agents o"]]:
        if self.shared:
            return self.nets.unroll(h, xs, first)
        one = lambda net, h, x: net.unroll(h, x, first)
        return jax.vmap(one, (0, 0, 1), (0, 1))(self.each(), h, xs)


class AgentCarry(eqx.Module):
    """What agents carry through an episode."""

    hidden: Float[Array, "*b agents h"]
    action: Int[Array, "*b agents"]  # the last one, -1 for none


def init_agent_carry(networks: AgentNetworks) -> AgentCarry:
    return AgentCarry(networks.init_carry(), jnp.full(len(networks.groups), -1, int))


def agent_inputs(
    obs: Observation, last: Int[Array, "*t agents"], last_action: bool, agent_id: bool
) -> Float[Array, "*t agents i"]:
    """What an agent's network reads: its observation, what it did, who it is."""
    parts = [obs.agents]
    if last_action:
        parts.append(jax.nn.one_hot(last, obs.legal.shape[-1]))
    if agent_id:
        parts.append(jnp.broadcast_to(jnp.eye(last.shape[-1]), (*last.shape, last.shape[-1])))
    return jnp.concatenate(parts, axis=-1)
