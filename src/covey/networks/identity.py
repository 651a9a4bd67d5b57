"""Networks whose weights a hypernetwork makes from who an agent is (HyperMARL: Tessera et al., 2025)."""

from typing import Annotated, Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from ..errors import SettingError
from ..ops import named
from ..ranges import Between, Width
from .agents import AbstractAgent, AgentNetworks
from .layers import MLP


class HyperSettings(eqx.Module):
    """Weights by identity: whose, from which embedding, by which hypernetwork."""

    context: Literal["none", "identity"] = "none"  # what the hypernetwork reads; none: there is none
    generate: Literal["actor", "both"] = (
        "actor"  # the networks whose weights it makes; both: the critic's too
    )
    embedding: Literal["one_hot", "learned"] = "learned"  # of each agent; learned: it starts orthogonal
    embed: Width = 64  # width of a learned embedding
    hidden: Width = 64  # width of the hypernetwork's hidden layers
    depth: Annotated[int, Between(0, 100)] = 1  # hidden layers; 0: a linear hypernetwork

    @property
    def makes_actor(self) -> bool:
        return self.context == "identity"

    @property
    def makes_critic(self) -> bool:
        return self.context == "identity" and self.generate == "both"

    def __call__(self, networks: AgentNetworks, key: PRNGKeyArray) -> "IdentityNetworks":
        """Return networks that start as these, each agent's own, and whose weights are made."""
        agents = len(networks.groups)
        for name, width in (("embed", self.embed), ("hidden", self.hidden)):
            used = self.embedding == "learned" if name == "embed" else self.depth > 0
            if used and width < agents:
                problem = (
                    f"must be at least the number of agents, {agents}: each begins with weights of its own"
                )
                raise SettingError(f"hyper.{name}", problem, f"set `hyper.{name}={agents}`", value=width)
        learned = self.embedding == "learned"
        embedding = jnp.eye(agents)
        if learned:
            shape = (agents, self.embed)
            embedding = jax.nn.initializers.orthogonal()(named(key, "embedding"), shape)
        trunk = None
        if self.depth:
            sizes = (embedding.shape[-1], *[self.hidden] * self.depth)
            # tanh: codes of few numbers are independent too, where a ReLU may leave nothing of one.
            trunk = MLP(*sizes, activation="tanh", gain=1.0, activated=True, key=named(key, "trunk"))
        return IdentityNetworks(networks, embedding if learned else None, trunk)


class IdentityNetworks(eqx.Module):
    """Agent networks without weights of their own: theta_i = f(e_i) H, from agent i's embedding e_i alone.

    f is a feed-forward network or, in a linear hypernetwork, the identity; H is `head`. H starts such that
    theta_i are the weights of the networks given, so gains and orthogonality are theirs, for every agent.
    """

    embedding: Float[Array, "agents e"] | None  # None: one-hot
    trunk: MLP | None
    head: Float[Array, "d P"]
    groups: tuple[int, ...] = eqx.field(static=True)
    carry_size: int = eqx.field(static=True)
    structure: Any = eqx.field(static=True)  # of the networks that are made
    shapes: tuple[tuple[int, ...], ...] = eqx.field(static=True)

    def __init__(
        self, networks: AgentNetworks, embedding: Float[Array, "agents e"] | None, trunk: MLP | None
    ):
        leaves, structure = jax.tree.flatten(networks)
        self.groups = networks.groups
        self.carry_size = networks.nets.carry_size
        self.structure = structure
        self.shapes = tuple(x.shape for x in leaves)
        self.embedding = embedding
        self.trunk = trunk
        start = jnp.concatenate([x.reshape(len(self.groups), -1) for x in leaves], axis=-1)
        self.head = start
        if embedding is not None or trunk is not None:
            # The smallest H with f(e_i) H = start_i: f(e_i) are linearly independent.
            code = self.codes()
            self.head = code.T @ jnp.linalg.solve(code @ code.T, start)

    @property
    def shared(self) -> bool:
        return False

    @property
    def weight_groups(self) -> tuple[int, ...]:
        """All agents share the hypernetwork."""
        return (0,) * len(self.groups)

    @property
    def nets(self) -> AbstractAgent:
        """The networks that are made."""
        return self.make().nets

    def codes(self) -> Float[Array, "agents d"]:
        """Return f(e_i) of every agent."""
        embedding = jnp.eye(len(self.groups)) if self.embedding is None else self.embedding
        return embedding if self.trunk is None else self.trunk(embedding)

    def make(self) -> AgentNetworks:
        """Return the networks with the weights that they have now."""
        plain = self.embedding is None and self.trunk is None
        theta = self.head if plain else self.codes() @ self.head
        sizes = [int(np.prod(shape)) // len(self.groups) for shape in self.shapes]
        parts = jnp.split(theta, np.cumsum(sizes)[:-1], axis=-1)
        leaves = [x.reshape(shape) for x, shape in zip(parts, self.shapes, strict=True)]
        return jax.tree.unflatten(self.structure, leaves)

    def init_carry(self) -> Float[Array, "agents h"]:
        return jnp.zeros((len(self.groups), self.carry_size))

    def step(
        self, h: Float[Array, "agents h"], x: Float[Array, "agents i"]
    ) -> tuple[Float[Array, "agents h"], Float[Array, "agents o"]]:
        return self.make().step(h, x)

    def unroll(
        self, h: Float[Array, "agents h"], xs: Float[Array, "T agents i"], first: Bool[Array, " T"]
    ) -> tuple[Float[Array, "agents h"], Float[Array, "T agents o"]]:
        return self.make().unroll(h, xs, first)
