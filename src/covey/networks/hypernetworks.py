"""A network that reads a team's situation and writes increments to its actors' weights (Ha et al., 2017)."""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from ..core import Observation, Spec
from ..errors import SettingError
from ..ops import masked, named
from . import increments as inc
from .actors import Actor
from .attention import Attention, Block
from .distributions import AbstractDistribution
from .increments import Layers, Output
from .layers import GRU, MLP, Linear
from .recall import Carried, Seen, added_up, joined, moments, nothing, remembered

Context = Literal["team", "own"]
History = Literal["none", "recurrent", "last_k", "attention", "kl_weighted"]
Rows = Literal["shared", "agent"]


class Head(eqx.Module):
    """Increments from a code. It begins at zero, or at the weights `begin`.

    With a `rank` r each matrix is A B with A `[i, r]` and B `[r, o]`, both from the code; A begins at zero,
    B orthogonal, so that gradients reach A at once.
    """

    linear: Linear
    shapes: tuple[tuple[int, int], ...] = eqx.field(static=True)
    rank: int = eqx.field(static=True)

    def __init__(
        self, width: int, shapes: tuple[tuple[int, int], ...], rank: int,
        begin: Float[Array, " P"] | None = None, *, key: PRNGKeyArray,
    ):  # fmt: skip
        self.shapes, self.rank = shapes, rank
        parts = []
        for n, (i, o) in enumerate(shapes):
            r = min(rank, i, o)
            basis = jax.nn.initializers.orthogonal()(named(key, "basis", n), (r, o)) if r else jnp.zeros(0)
            parts += [jnp.zeros(i * (r or o)), basis.ravel(), jnp.zeros(o)]
        start = jnp.concatenate(parts) if begin is None else begin
        blank = Linear(width, len(start), bound=0.0, key=key)
        self.linear = eqx.tree_at(lambda x: x.bias, blank, start)

    def __call__(self, code: Float[Array, "*b d"]) -> Float[Array, "*b P"]:
        x = self.linear(code)
        if not self.rank:
            return x
        parts, at = [], 0
        for i, o in self.shapes:
            r = min(self.rank, i, o)
            a, b, bias = jnp.split(x[..., at : at + (i + o) * r + o], (i * r, (i + o) * r), axis=-1)
            whole = a.reshape(*a.shape[:-1], i, r) @ b.reshape(*b.shape[:-1], r, o)
            parts += [whole.reshape(*whole.shape[:-2], i * o), bias]
            at += (i + o) * r + o
        return jnp.concatenate(parts, axis=-1)


class Hypernetwork(eqx.Module):
    """Encode each agent, attend over agents, remember, write: increments for the team, or each agent.

    `context=own` reads one agent at a time: what it writes can be found without communication.
    """

    encoder: MLP
    attention: Attention | None
    core: GRU | MLP | Block | None
    place: Float[Array, "k+1 d"] | None  # of moments, for attention over them
    head: Head
    scales: Float[Array, " others"]  # of the layers that get no increments
    context: Context = eqx.field(static=True)
    history: History = eqx.field(static=True)
    increments: Rows = eqx.field(static=True)
    k: int = eqx.field(static=True)
    agent_id: bool = eqx.field(static=True)
    layers: Layers = eqx.field(static=True)
    output: Output = eqx.field(static=True)

    def __init__(
        self, spec: Spec, actor: Actor, layers: Layers, output: Output, *, context: Context = "team",
        history: History = "none", increments: Rows = "shared", rank: int = 0, k: int = 3, width: int = 64,
        heads: int = 4, agent_id: bool = True, key: PRNGKeyArray,
    ):  # fmt: skip
        self.context, self.history, self.increments, self.k = context, history, increments, k
        self.agent_id, self.layers, self.output = agent_id, layers, output
        self.check(actor, rank)
        part = lambda name: named(key, name)
        features = spec.features + agent_id * spec.agents + self.windowed * spec.actions
        self.encoder = MLP(features, width, width, activated=True, key=part("encoder"))
        self.attention = Attention(width, heads, key=part("agents")) if context == "team" else None
        self.core, self.place = None, None
        if history == "recurrent":
            self.core = GRU(width, width, key=part("core"))
        elif history == "last_k":
            self.core = MLP((k + 1) * width, width, activated=True, key=part("core"))
        elif history == "attention":
            self.core = Block(width, heads, key=part("core"))
            self.place = 0.1 * jax.random.normal(part("place"), (k + 1, width))
        net = (
            jax.tree.map(lambda x: x[0], actor.networks.nets)
            if not actor.networks.shared
            else actor.networks.nets
        )
        begin = inc.flat(net, layers) if output == "weights" else None
        self.head = Head(width, inc.shapes(net, layers), rank, begin, key=part("head"))
        self.scales = jnp.ones(len(inc.others(net, layers)))

    def check(self, actor: Actor, rank: int) -> None:
        """What cannot be, and what to do about it."""
        if not inc.chosen(actor.networks.nets, self.layers):
            problem = "has no linear layer of covey's to write increments to"
            raise SettingError("actor", problem, "set `layers=none`")
        if self.context == "own" and self.increments == "shared":
            problem = "reads one agent at a time"
            raise SettingError("hyper.context", problem, "set `hyper.increments=agent`", value=self.context)
        groups = actor.networks.groups
        if not actor.networks.shared and self.increments == "shared":
            problem = "gives one increment to agents whose networks are their own"
            remedy = "set `hyper.increments=agent`"
            raise SettingError("hyper.increments", problem, remedy, value=self.increments)
        if not actor.networks.shared and groups != tuple(range(len(groups))):
            problem = "must give all agents one network, or each its own, where increments are added"
            raise SettingError("sharing", problem, "set `sharing=all` or `sharing=none`")
        if self.history == "kl_weighted" and self.output == "weights":
            problem = "needs a policy of the actor's own weights, which `output=weights` leaves as they began"
            raise SettingError("hyper.history", problem, "set `output=increment`", value=self.history)
        if rank and self.output == "weights":
            raise SettingError("hyper.rank", "is for increments, not whole weights", "set `hyper.rank=0`")
        if self.windowed and self.k < 1:
            raise SettingError("hyper.k", f"must be at least 1, not {self.k}", "set it to 1 or more")

    @property
    def windowed(self) -> bool:
        """Does it remember moments, rather than a state?"""
        return self.history in ("last_k", "attention", "kl_weighted")

    def init_carry(self, spec: Spec, actor: Actor, accumulates: bool) -> Carried:
        """What an episode begins with."""
        rows = (spec.agents,) if self.increments == "agent" else ()
        size = inc.size(self.head.shapes)
        return Carried(
            jnp.zeros((*rows, self.width)) if self.history == "recurrent" else None,
            nothing(spec, actor, self.k, self.history == "kl_weighted") if self.windowed else None,
            actor.init_carry() if self.history == "kl_weighted" else None,
            jnp.zeros((*rows, size)) if accumulates else None,
        )

    @property
    def width(self) -> int:
        return self.encoder.layers[-1].bias.shape[-1]

    def encode(
        self, seen: Seen
    ) -> tuple[Float[Array, "*t rows d"] | Float[Array, "*t d"], Float[Array, "..."] | None]:
        """Of each moment by itself: a code for the team, or one for each agent; and who attended to whom."""
        n = seen.agents.shape[-2]
        inputs = [seen.agents]
        if self.agent_id:
            inputs.append(jnp.broadcast_to(jnp.eye(n), (*seen.alive.shape, n)))
        if self.windowed:
            inputs.append(seen.action)
        x, weight = self.encoder(jnp.concatenate(inputs, axis=-1)), None
        if self.attention is not None:
            y, weight = self.attention(x, seen.alive)
            x = x + y
        if self.increments == "agent":
            return x, weight
        live = seen.alive[..., None]
        return jnp.sum(x * live, axis=-2) / jnp.maximum(jnp.sum(live, axis=-2), 1), weight

    def unroll(
        self, actor: Actor, carried: Carried, obs: Observation, done: tuple | None = None
    ) -> tuple[Carried, Float[Array, "t *rows P"], Float[Array, "t *rows P"]]:
        """Of t moments: increments, and what the actor's weights differ by. `done`: actions and policies."""
        t, hidden, past, base, policy = len(obs.first), carried.hidden, carried.past, carried.base, None
        still = jnp.zeros((t, *obs.legal.shape[1:]))
        code = self.encode(moments(obs, still, None, jnp.ones(t, bool)))[0]
        if base is not None:
            base, policy = actor.follow(base, obs)
        if isinstance(self.core, GRU):
            hidden, code = remembered(self.core, hidden, code, obs.first)
        elif past is not None:
            steps = past if done is None else joined(past, obs, *done)
            code = self.recalled(steps, code, obs, policy)
        delta = self.head(code)
        theta = delta if carried.theta is None else added_up(carried.theta, delta, obs.first)
        total = None if carried.theta is None else theta[-1]
        return Carried(hidden, past, base, total), delta, theta

    def attended(self, obs: Observation) -> Float[Array, "t agents"] | None:
        """How much each agent was attended to, on average over the living and over heads."""
        still = jnp.zeros(obs.legal.shape)
        weight = self.encode(moments(obs, still, None, obs.first))[1]
        if weight is None:
            return None
        live = obs.alive[..., None]
        return jnp.sum(jnp.mean(weight, axis=-3) * live, axis=-2) / jnp.maximum(jnp.sum(live, axis=-2), 1)

    def unroll_policies(
        self,
        actor: Actor,
        carried: Carried,
        hidden: Float[Array, "agents h"],
        obs: Observation,
        done: tuple | None,
    ) -> tuple[Float[Array, "t *rows P"], Float[Array, "t *rows P"], AbstractDistribution]:
        """Increments, what the actor's weights differ by, and the policies of the actor with them.

        `carried` is the hypernetwork's carry before the first of t moments, `hidden` the actor's.
        """
        _, delta, theta = self.unroll(actor, carried, obs, done)
        return delta, theta, self.policies(actor, theta, hidden, obs)

    def shift(self, actor: Actor, theta: Float[Array, "*t P"]) -> Actor:
        return inc.shifted(actor, self.layers, self.output, theta, self.scales)

    def policies(
        self, actor: Actor, theta: Float[Array, "t *rows P"], h: Float[Array, "agents h"], obs: Observation
    ) -> AbstractDistribution:
        """Of an actor with these weights."""
        stepwise = self.layers == "everything" and h.shape[-1] > 0
        return inc.unrolled(lambda theta: self.shift(actor, theta), theta, h, obs, stepwise)

    def recalled(
        self,
        steps: Seen,
        code: Float[Array, "t *rows d"],
        obs: Observation,
        base: AbstractDistribution | None,
    ) -> Float[Array, "t *rows d"]:
        """Codes that know the k moments before them, of `steps`, if they are of the same episode."""
        t = len(obs.first)
        place = jnp.arange(t)[:, None] + jnp.arange(self.k)
        episode = jnp.concatenate([jnp.zeros(self.k, int), jnp.cumsum(obs.first)])
        same = steps.real[place] & (episode[place] == episode[self.k :, None])
        before = self.encode(steps)[0][place]  # t, k, rows
        if self.increments == "agent":
            before = jnp.swapaxes(before, 1, 2)
            same = jnp.broadcast_to(same[:, None], before.shape[:-1])
        if self.history == "kl_weighted":
            assert base is not None and steps.policy is not None
            weight = self.likeness(jax.tree.map(lambda x: x[place], steps.policy), base, obs.alive, same)
            return code + jnp.sum(weight[..., None] * before, axis=-2)
        before = before * same[..., None]
        if isinstance(self.core, Block):
            x = jnp.concatenate([before, code[..., None, :]], axis=-2) + jnp.asarray(self.place)
            return self.core(x, jnp.concatenate([same, jnp.ones_like(same[..., :1])], axis=-1))[..., -1, :]
        assert isinstance(self.core, MLP)
        return self.core(jnp.concatenate([before.reshape(*code.shape[:-1], -1), code], axis=-1))

    def likeness(
        self, then: AbstractDistribution, base: AbstractDistribution, alive, same
    ) -> Float[Array, "t *rows k"]:
        """softmax over j of -KL(pi_{t-j} || pi_base), of real moments only; no gradient goes through it."""
        t = len(alive)
        spread = lambda x: jnp.broadcast_to(x, (t, *x.shape[-2:]))[:, None]
        kl = jax.lax.stop_gradient(then.kl(jax.tree.map(spread, base)))  # t, k, agents
        if self.increments == "agent":
            kl = jnp.swapaxes(kl, 1, 2)
        else:
            live = alive[:, None]
            kl = jnp.sum(kl * live, axis=-1) / jnp.maximum(jnp.sum(live, axis=-1), 1)
        return jax.nn.softmax(masked(-kl, same), axis=-1) * same
