"""What a hypernetwork remembers of an episode: a state, the last moments, increments added up."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Shaped

from ..core import Observation, Spec
from .actors import Actor
from .distributions import AbstractDistribution
from .layers import GRU


class Seen(eqx.Module):
    """Moments: what there was to see, what was done about it (0: nothing yet), the policies of then."""

    agents: Float[Array, "*t agents f"]
    alive: Bool[Array, "*t agents"]
    action: Float[Array, "*t agents a"]
    policy: AbstractDistribution | None
    real: Bool[Array, "*t"]


class Carried(eqx.Module):
    """From step to step of an episode; None what is not needed."""

    hidden: Float[Array, "*rows d"] | None  # of a recurrent core
    past: Seen | None  # the last k moments
    base: Float[Array, "agents h"] | None  # the memory of the actor without increments
    theta: Float[Array, "*rows P"] | None  # increments added up

    def push(self, obs: Observation, action: Shaped[Array, "..."], policy: AbstractDistribution) -> "Carried":
        """Once it is known what was done."""
        if self.past is None:
            return self
        policy_ = None if self.past.policy is None else policy
        now = moments(obs, action, policy_, jnp.ones((), bool))
        past = jax.tree.map(lambda x, y: jnp.concatenate([x[1:], y[None]]), self.past, now)
        return eqx.tree_at(lambda c: c.past, self, past)


def remembered(core: GRU, hidden, code: Float[Array, "t *rows d"], first: Bool[Array, " t"]):
    """A recurrent core along t moments; its state is wiped where an episode begins."""

    def tick(h, x):
        gates, first = x
        h = core(jnp.where(first, 0.0, h), gates)
        return h, h

    return jax.lax.scan(tick, hidden, (core.project(code), first))


def added_up(
    theta: Float[Array, "*rows P"], delta: Float[Array, "t *rows P"], first: Bool[Array, " t"]
) -> Float[Array, "t *rows P"]:
    """theta_t = theta_{t-1} + delta_t, from nothing where an episode begins."""

    def tick(theta, x):
        delta, first = x
        theta = jnp.where(first, 0.0, theta) + delta
        return theta, theta

    return jax.lax.scan(tick, theta, (delta, first))[1]


def moments(
    obs: Observation, action: Shaped[Array, "..."], policy: AbstractDistribution | None, real
) -> Seen:
    """Choices become one-hot."""
    if not jnp.issubdtype(action.dtype, jnp.floating):
        action = jax.nn.one_hot(action, obs.legal.shape[-1])
    return Seen(obs.agents, obs.alive, action, policy, real)


def joined(past: Seen, obs: Observation, action: Shaped[Array, "..."], policy: AbstractDistribution) -> Seen:
    """The moments before each of t: those of the past, and all but the last of the t."""
    policy_ = None if past.policy is None else policy
    now = moments(obs, action, policy_, jnp.ones(len(obs.first), bool))
    return jax.tree.map(lambda x, y: jnp.concatenate([x, y[:-1]]), past, now)


def nothing(spec: Spec, actor: Actor, k: int, policies: bool) -> Seen:
    """k moments that never were."""
    shape = (spec.agents, spec.actions)
    legal, alive = jnp.ones(shape, bool), jnp.ones(spec.agents, bool)
    obs = Observation(
        jnp.zeros((spec.agents, spec.features)), jnp.zeros(0), legal, alive, jnp.zeros((), bool)
    )
    policy = actor.policy(jnp.zeros(shape), obs) if policies else None
    one = moments(obs, jnp.zeros(shape), policy, jnp.zeros((), bool))
    return jax.tree.map(lambda x: jnp.broadcast_to(x, (k, *x.shape)), one)
