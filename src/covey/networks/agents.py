"""Agents' networks: feed-forward or recurrent, shared among agents or not."""

import abc
from collections.abc import Callable
from dataclasses import fields
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

from ..core import AgentGradients, Observation, Spec
from ..ops import named
from ..parts import Factory
from ..ranges import Depth, NonNegative, Width
from .interface import InputPart, NetworkInterface
from .layers import GRU, MLP, Activation, as_matrix

Sharing = Literal["team", "all", "none"]


class AbstractAgent(eqx.Module):
    """A network with a carry, such as a recurrent state; made as `Net(inputs, outputs, key=key)`.

    If its constructor names `interface`, it is made as `Net(inputs, outputs, interface, key=key)`, and the
    interface says what inputs and outputs stand for.

    `h` is the carry, `x` the input of one step and `xs` those of T steps.
    """

    @property
    @abc.abstractmethod
    def carry_size(self) -> int:
        """The width of the carry; 0 for a network without one."""

    @abc.abstractmethod
    def step(
        self, h: Float[Array, "*b h"], x: Float[Array, "*b i"]
    ) -> tuple[Float[Array, "*b h"], Float[Array, "*b o"]]:
        """Return the next carry and the output of one step."""

    @abc.abstractmethod
    def unroll(
        self, h: Float[Array, "*b h"], xs: Float[Array, "T *b i"], first: Bool[Array, " T"]
    ) -> tuple[Float[Array, "*b h"], Float[Array, "T *b o"]]:
        """Return the last carry and the outputs of T steps; the carry is reset before a `first` step."""


class FeedForward(AbstractAgent):
    """`depth` times Linear and activation, then Linear; no carry.

    With `norm`, the input and the output of every activation are normalised. With a `gain`, that of the last
    layer, weights start orthogonal; with `xavier`, uniform; biases start at zero in both cases. Without
    either, both start as in PyTorch.
    """

    layers: MLP

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        hidden: Width = 64,
        depth: Depth = 2,
        activation: Activation = "relu",
        norm: bool = False,
        gain: NonNegative | None = None,
        xavier: bool = False,
        key: PRNGKeyArray,
    ):
        sizes = (inputs, *[hidden] * depth, outputs)
        self.layers = MLP(*sizes, activation=activation, norm=norm, gain=gain, xavier=xavier, key=key)

    @property
    def carry_size(self) -> int:
        return 0

    def step(self, h, x):
        return h, self.layers(x)

    def unroll(self, h, xs, first):
        return h, as_matrix(self.layers, xs, self.layers.layers)


class Recurrent(AbstractAgent):
    """`depth` times Linear and activation, GRU, `after` times Linear and activation, Linear.

    The default is the agent of the value-mixing papers. `norm` and `gain` are as in `FeedForward`; with
    `norm`, the output of the GRU is normalised too.
    """

    embed: MLP
    gru: GRU
    head: MLP

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        hidden: Width = 64,
        depth: Depth = 1,
        after: Depth = 0,
        activation: Activation = "relu",
        norm: bool = False,
        gain: NonNegative | None = None,
        key: PRNGKeyArray,
    ):
        mlp = lambda name, *sizes, **options: MLP(
            *sizes, activation=activation, norm=norm, gain=gain, key=named(key, name), **options
        )
        gru_inputs = hidden if depth else inputs
        gru_gain = None if gain is None else 1.0
        self.embed = mlp("embed", inputs, *[hidden] * depth, activated=True)
        self.gru = GRU(gru_inputs, hidden, gain=gru_gain, key=named(key, "gru"))
        self.head = mlp("head", hidden, *[hidden] * after, outputs)

    @property
    def carry_size(self) -> int:
        return self.gru.hidden[0].bias.shape[-1]

    def step(self, h, x):
        h = self.gru(h, self.gru.project(self.embed(x)))
        return h, self.head(h)

    def unroll(self, h, xs, first):
        embedded = as_matrix(self.embed, xs, self.embed.layers)
        gates = as_matrix(self.gru.project, embedded, self.gru.inputs)
        hs = self.gru.unroll(h, gates, first)
        return hs[-1], as_matrix(self.head, hs, self.head.layers)


class AgentNetworks(eqx.Module):
    """The networks of several agents, which share weights by group.

    Inputs and outputs have a row per agent. `groups` says which group's network each agent uses.
    """

    nets: AbstractAgent  # one network or, if there are several groups, a stack with groups as the first axis
    groups: tuple[int, ...] = eqx.field(static=True)
    placed: bool = eqx.field(static=True)  # whether inputs end with each agent's number, one-hot

    def __init__(
        self,
        factory: Factory[AbstractAgent],
        spec: Spec,
        interface: NetworkInterface,
        sharing: Sharing,
        *,
        key: PRNGKeyArray,
    ):
        one = ("",) * spec.agents
        owners = {"all": one, "team": spec.team or one, "none": spec.names}[sharing]
        order = list(dict.fromkeys(owners))
        self.groups = tuple(order.index(name) for name in owners)
        # One network at a time, not under vmap: orthogonal weights would need XLA's batched decompositions,
        # which can wait for each other for ever where two CPU devices start at once.
        self.placed = interface.names_allies and factory.asks_for("interface")
        if self.placed:
            place = InputPart(spec.agents, kind="place")
            interface = interface._replace(parts=(*interface.parts, place))
        make = factory.offer(interface=interface)
        nets = [make(interface.inputs, interface.outputs, key=named(key, name)) for name in order]
        self.nets = nets[0] if len(order) == 1 else jax.tree.map(lambda *w: jnp.stack(w), *nets)

    @property
    def shared(self) -> bool:
        """True if all agents use one network."""
        return len(set(self.groups)) == 1

    @property
    def stacked(self) -> bool:
        """True if the weights have a first axis of groups."""
        return not self.shared

    def init_carry(self) -> Float[Array, "agents h"]:
        return jnp.zeros((len(self.groups), self.nets.carry_size))

    def per_agent(self) -> AbstractAgent:
        """Return a stack of networks with agents as the first axis."""
        stack = jax.tree.map(lambda w: w[None], self.nets) if self.shared else self.nets
        return jax.tree.map(lambda w: w[np.array(self.groups)], stack)

    def with_places(self, x: Float[Array, "*t agents i"]) -> Float[Array, "*t agents j"]:
        """Append each agent's number, where actions name agents and the network asks which is its own."""
        if not self.placed:
            return x
        n = len(self.groups)
        return jnp.concatenate([x, jnp.broadcast_to(jnp.eye(n), (*x.shape[:-1], n))], axis=-1)

    @property
    def weight_groups(self) -> tuple[int, ...]:
        """The group of each agent; those of one group share weights."""
        return self.groups

    def unshared(self) -> "AgentNetworks":
        """Return the same networks with a copy of the weights for each agent.

        The gradient of a copy is the part that reaches the weights through that agent's outputs.
        """
        nets = self.per_agent() if len(self.groups) > 1 else self.nets
        same = {field.name: getattr(self, field.name) for field in fields(self)}
        copy = object.__new__(AgentNetworks)  # `groups` is static, and no argument of `__init__`
        for name, value in (same | {"nets": nets, "groups": tuple(range(len(self.groups)))}).items():
            object.__setattr__(copy, name, value)
        return copy

    def step(
        self, h: Float[Array, "agents h"], x: Float[Array, "agents i"]
    ) -> tuple[Float[Array, "agents h"], Float[Array, "agents o"]]:
        x = self.with_places(x)
        if self.shared:
            return self.nets.step(h, x)
        return jax.vmap(lambda net, h, x: net.step(h, x))(self.per_agent(), h, x)

    def unroll(
        self, h: Float[Array, "agents h"], xs: Float[Array, "T agents i"], first: Bool[Array, " T"]
    ) -> tuple[Float[Array, "agents h"], Float[Array, "T agents o"]]:
        xs = self.with_places(xs)
        if self.shared:
            return self.nets.unroll(h, xs, first)
        one = lambda net, h, x: net.unroll(h, x, first)
        return jax.vmap(one, (0, 0, 1), (0, 1))(self.per_agent(), h, xs)


def gradients_by_agent(
    loss: Callable[[AgentNetworks], Float[Array, ""]], networks: AgentNetworks
) -> AgentGradients:
    """Return the part of a loss's gradient that reaches shared weights through each agent's outputs."""
    return agent_gradients(jax.grad(loss)(networks.unshared()), networks.groups)


def agent_gradients(tree: PyTree[Array], groups: tuple[int, ...]) -> AgentGradients:
    """Return gradients whose arrays have agents as the first axis as one row for each agent."""
    rows = [x.reshape(len(groups), -1) for x in jax.tree.leaves(tree)]
    return AgentGradients(jnp.concatenate(rows, axis=1), groups)


class AgentCarry(eqx.Module):
    """The carry of agents that may read their last actions."""

    hidden: Float[Array, "*b agents h"]
    action: Int[Array, "*b agents"]  # the last one, -1 at the start


def init_agent_carry(networks: AgentNetworks) -> AgentCarry:
    """Return the carry of an episode's start, in which no action has been taken yet."""
    return AgentCarry(networks.init_carry(), jnp.full(len(networks.groups), -1, int))


def agent_inputs(
    obs: Observation, last: Int[Array, "*t agents"], last_action: bool, agent_id: bool
) -> Float[Array, "*t agents i"]:
    """Return the agents' observations with, if asked for, their last actions and ids, one-hot."""
    parts = [obs.agents]
    if last_action:
        parts.append(jax.nn.one_hot(last, obs.legal.shape[-1]))
    if agent_id:
        parts.append(jnp.broadcast_to(jnp.eye(last.shape[-1]), (*last.shape, last.shape[-1])))
    return jnp.concatenate(parts, axis=-1)
