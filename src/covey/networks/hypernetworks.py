"""A network that reads a team's situation and writes increments to its actors' weights (Ha et al., 2017)."""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from ..core import Observation, Spec
from ..errors import SettingError
from ..ops import masked, named
from ..ranges import Extras, Members, NonNegative, Width
from . import increments as inc
from .actors import Actor
from .attention import Attention, TransformerBlock
from .distributions import AbstractDistribution
from .hyper_carry import (
    HyperCarry,
    Moments,
    accumulate,
    empty_moments,
    make_moments,
    preceding_moments,
    unroll_cell,
)
from .increments import IncrementHead, Layers, Output
from .layers import GRU, LSTM, MLP

Context = Literal["team", "own"]
Cell = Literal["gru", "lstm"]
History = Literal["none", "recurrent", "last_k", "attention", "kl_weighted"]
IncrementRows = Literal["shared", "agent"]


class Hypernetwork(eqx.Module):
    """Encode each agent, attend over agents, recall the past, and write increments.

    There is one increment for all agents, or one for each.

    With `context=own` it reads one agent at a time, so that an agent needs no communication to compute its
    increment.
    """

    encoder: MLP
    attention: Attention | None
    core: GRU | LSTM | MLP | TransformerBlock | None
    position: Float[Array, "k+1 d"] | None  # the embedding of each moment's place, for attention over them
    head: IncrementHead
    scales: Float[Array, " others"]  # of the layers that get no increments
    context: Context = eqx.field(static=True)
    history: History = eqx.field(static=True)
    increments: IncrementRows = eqx.field(static=True)
    k: int = eqx.field(static=True)
    agent_id: bool = eqx.field(static=True)
    layers: Layers = eqx.field(static=True)
    output: Output = eqx.field(static=True)
    limit: float = eqx.field(static=True)

    def __init__(
        self,
        spec: Spec,
        actor: Actor,
        layers: Layers,
        output: Output,
        *,
        context: Context = "team",
        history: History = "none",
        cell: Cell = "gru",
        increments: IncrementRows = "shared",
        rank: Extras = 0,
        limit: NonNegative = 0.0,
        k: Members = 3,
        width: Width = 64,
        heads: Width = 4,
        agent_id: bool = True,
        key: PRNGKeyArray,
    ):
        self.context = context
        self.history = history
        self.increments = increments
        self.k = k
        self.agent_id = agent_id
        self.layers = layers
        self.output = output
        self.limit = limit
        _check_settings(self, actor, rank)
        part = lambda name: named(key, name)
        features = spec.features + agent_id * spec.agents + self.recalls_moments * spec.actions
        self.encoder = MLP(features, width, width, activated=True, key=part("encoder"))
        self.attention = Attention(width, heads, key=part("agents")) if context == "team" else None
        self.core = self.make_core(cell, width, heads, part("core"))
        self.position = None
        if history == "attention":
            self.position = 0.1 * jax.random.normal(part("place"), (k + 1, width))
        net = actor.networks.nets
        if not actor.networks.shared:
            net = jax.tree.map(lambda x: x[0], net)
        start = inc.flatten_weights(net, layers) if output == "weights" else None
        self.head = IncrementHead(width, inc.layer_shapes(net, layers), rank, start, key=part("head"))
        self.scales = jnp.ones(len(inc.other_layers(net, layers)))

    def make_core(
        self, cell: Cell, width: int, heads: int, key: PRNGKeyArray
    ) -> GRU | LSTM | MLP | TransformerBlock | None:
        """Return the network that combines each code with the past."""
        if self.history == "recurrent":
            return {"gru": GRU, "lstm": LSTM}[cell](width, width, key=key)
        if self.history == "last_k":
            return MLP((self.k + 1) * width, width, activated=True, key=key)
        return TransformerBlock(width, heads, key=key) if self.history == "attention" else None

    @property
    def recalls_moments(self) -> bool:
        """True if it keeps past moments, not a recurrent state."""
        return self.history in ("last_k", "attention", "kl_weighted")

    @property
    def width(self) -> int:
        return self.encoder.layers[-1].bias.shape[-1]

    def init_carry(self, spec: Spec, actor: Actor, accumulates: bool) -> HyperCarry:
        """Return the carry at the start of an episode."""
        rows = (spec.agents,) if self.increments == "agent" else ()
        size = inc.increment_size(self.head.shapes)
        compares_policies = self.history == "kl_weighted"
        state = self.width * (2 if isinstance(self.core, LSTM) else 1)
        return HyperCarry(
            hidden=jnp.zeros((*rows, state)) if self.history == "recurrent" else None,
            past=empty_moments(spec, actor, self.k, compares_policies) if self.recalls_moments else None,
            base=actor.init_carry() if compares_policies else None,
            theta=jnp.zeros((*rows, size)) if accumulates else None,
        )

    def encode(
        self, moments: Moments
    ) -> tuple[Float[Array, "*t rows d"] | Float[Array, "*t d"], Float[Array, "..."] | None]:
        """Encode each moment by itself, for the team or for each agent; also return the attention weights."""
        n = moments.agents.shape[-2]
        inputs = [moments.agents]
        if self.agent_id:
            inputs.append(jnp.broadcast_to(jnp.eye(n), (*moments.alive.shape, n)))
        if self.recalls_moments:
            inputs.append(moments.action)
        x = self.encoder(jnp.concatenate(inputs, axis=-1))
        weight = None
        if self.attention is not None:
            y, weight = self.attention(x, moments.alive)
            x = x + y
        if self.increments == "agent":
            return x, weight
        alive = moments.alive[..., None]
        return jnp.sum(x * alive, axis=-2) / jnp.maximum(jnp.sum(alive, axis=-2), 1), weight

    def unroll(
        self, actor: Actor, carry: HyperCarry, obs: Observation, done: tuple | None = None
    ) -> tuple[HyperCarry, Float[Array, "t *rows P"], Float[Array, "t *rows P"]]:
        """Return the next carry, the increments of t moments, and the differences to the actor's weights.

        The last two are the same unless increments accumulate. `done` holds the actions and policies of the
        moments, where they are known.
        """
        t = len(obs.first)
        hidden = carry.hidden
        past = carry.past
        base = carry.base
        policy = None
        no_action = jnp.zeros((t, *obs.legal.shape[1:]))
        code = self.encode(make_moments(obs, no_action, None, jnp.ones(t, bool)))[0]
        if base is not None:
            base, policy = actor.unroll_with_carry(base, obs)
        if isinstance(self.core, GRU | LSTM) and hidden is not None:
            hidden, code = unroll_cell(self.core, hidden, code, obs.first)
        elif past is not None:
            preceding = past if done is None else preceding_moments(past, obs, *done)
            code = self.recall(preceding, code, obs, policy)
        delta = inc.limited(self.head(code), self.limit)
        if carry.theta is None:
            return HyperCarry(hidden, past, base, None), delta, delta
        theta = accumulate(carry.theta, delta, obs.first)
        return HyperCarry(hidden, past, base, theta[-1]), delta, theta

    def unroll_policies(
        self,
        actor: Actor,
        carry: HyperCarry,
        h: Float[Array, "agents h"],
        obs: Observation,
        done: tuple | None,
    ) -> tuple[Float[Array, "t *rows P"], Float[Array, "t *rows P"], AbstractDistribution]:
        """Return the increments, the differences to the actor's weights, and the policies with them.

        `carry` is the hypernetwork's before the first of t moments, and `h` the actor's.
        """
        _, delta, theta = self.unroll(actor, carry, obs, done)
        return delta, theta, self.policies(actor, theta, h, obs)

    def add_increments(self, actor: Actor, theta: Float[Array, "*t P"]) -> Actor:
        """Return the actor whose weights differ by `theta`."""
        return inc.add_increments(actor, self.layers, self.output, theta, self.scales)

    def policies(
        self, actor: Actor, theta: Float[Array, "t *rows P"], h: Float[Array, "agents h"], obs: Observation
    ) -> AbstractDistribution:
        """Return the policies of t moments, in each of which the actor's weights differ by `theta`."""
        stepwise = self.layers == "everything" and h.shape[-1] > 0
        incremented = lambda theta: self.add_increments(actor, theta)
        return inc.unroll_incremented(incremented, theta, h, obs, stepwise)

    def attention_weights(self, obs: Observation) -> Float[Array, "t agents agents"] | None:
        """Return how much each agent, a row, attends to each, on average over heads."""
        no_action = jnp.zeros(obs.legal.shape)
        weight = self.encode(make_moments(obs, no_action, None, obs.first))[1]
        return None if weight is None else jnp.mean(weight, axis=-3)

    def attention_received(self, obs: Observation) -> Float[Array, "t agents"] | None:
        """Return how much each agent is attended to, on average over living agents and over heads."""
        weight = self.attention_weights(obs)
        if weight is None:
            return None
        alive = obs.alive[..., None]
        total = jnp.sum(weight * alive, axis=-2)
        return total / jnp.maximum(jnp.sum(alive, axis=-2), 1)

    def recall(
        self,
        preceding: Moments,
        code: Float[Array, "t *rows d"],
        obs: Observation,
        base: AbstractDistribution | None,
    ) -> Float[Array, "t *rows d"]:
        """Combine each code with the k moments before it, if they belong to the same episode.

        `preceding` holds k + t - 1 moments: those before moment i are i, ..., i + k - 1 of them.
        """
        t = len(obs.first)
        index = jnp.arange(t)[:, None] + jnp.arange(self.k)
        episode = jnp.concatenate([jnp.zeros(self.k, int), jnp.cumsum(obs.first)])
        same = preceding.real[index] & (episode[index] == episode[self.k :, None])
        before = self.encode(preceding)[0][index]  # [t, k, rows, d]
        if self.increments == "agent":
            before = jnp.swapaxes(before, 1, 2)
            same = jnp.broadcast_to(same[:, None], before.shape[:-1])
        if self.history == "kl_weighted":
            assert base is not None and preceding.policy is not None
            then = jax.tree.map(lambda x: x[index], preceding.policy)
            weight = self.policy_similarity(then, base, obs.alive, same)
            return code + jnp.sum(weight[..., None] * before, axis=-2)
        before = before * same[..., None]
        if isinstance(self.core, TransformerBlock):
            x = jnp.concatenate([before, code[..., None, :]], axis=-2) + jnp.asarray(self.position)
            mask = jnp.concatenate([same, jnp.ones_like(same[..., :1])], axis=-1)
            return self.core(x, mask)[..., -1, :]
        assert isinstance(self.core, MLP)
        return self.core(jnp.concatenate([before.reshape(*code.shape[:-1], -1), code], axis=-1))

    def policy_similarity(
        self,
        then: AbstractDistribution,
        base: AbstractDistribution,
        alive: Bool[Array, "t agents"],
        same: Bool[Array, "..."],
    ) -> Float[Array, "t *rows k"]:
        """Return softmax over j of -KL(pi_{t-j} || pi_base), over real moments; it passes no gradient."""
        t = len(alive)
        spread = lambda x: jnp.broadcast_to(x, (t, *x.shape[-2:]))[:, None]
        kl = jax.lax.stop_gradient(then.kl(jax.tree.map(spread, base)))  # [t, k, agents]
        if self.increments == "agent":
            kl = jnp.swapaxes(kl, 1, 2)
        else:
            living = alive[:, None]
            kl = jnp.sum(kl * living, axis=-1) / jnp.maximum(jnp.sum(living, axis=-1), 1)
        return jax.nn.softmax(masked(-kl, same), axis=-1) * same


def _check_settings(hyper: Hypernetwork, actor: Actor, rank: int) -> None:
    """Refuse settings that contradict each other."""
    networks = actor.networks
    if not inc.chosen_layers(networks.nets, hyper.layers):
        problem = "has no linear layer of covey's to write increments to"
        raise SettingError("actor", problem, "set `layers=none`")
    if hyper.context == "own" and hyper.increments == "shared":
        problem = "reads one agent at a time"
        raise SettingError("hyper.context", problem, "set `hyper.increments=agent`", value=hyper.context)
    if not networks.shared and hyper.increments == "shared":
        problem = "gives one increment to agents whose networks are their own"
        remedy = "set `hyper.increments=agent`"
        raise SettingError("hyper.increments", problem, remedy, value=hyper.increments)
    if not networks.shared and networks.groups != tuple(range(len(networks.groups))):
        problem = "must give all agents one network, or each its own, where increments are added"
        raise SettingError("sharing", problem, "set `sharing=all` or `sharing=none`")
    if hyper.history == "kl_weighted" and hyper.output == "weights":
        problem = "needs a policy of the actor's own weights, which `output=weights` never trains"
        raise SettingError("hyper.history", problem, "set `output=increment`", value=hyper.history)
    if rank and hyper.output == "weights":
        raise SettingError("hyper.rank", "is for increments, not whole weights", "set `hyper.rank=0`")
    if hyper.limit and hyper.output == "weights":
        raise SettingError("hyper.limit", "is for increments, not whole weights", "set `hyper.limit=0`")
