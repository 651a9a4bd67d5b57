"""The carry of a hypernetwork: a recurrent state, the last k moments, the sum of increments."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Shaped

from ..core import Observation, Spec
from .actors import Actor
from .distributions import AbstractDistribution
from .layers import GRU, LSTM


class Moments(eqx.Module):
    """Observations of one or more moments, with the actions taken there and the policies of that time."""

    agents: Float[Array, "*t agents f"]
    alive: Bool[Array, "*t agents"]
    action: Float[Array, "*t agents a"]  # 0: not yet known
    policy: AbstractDistribution | None
    real: Bool[Array, "*t"]  # False before the first moment of a run


class HyperCarry(eqx.Module):
    """The carry from one step of an episode to the next; None where a part is not needed."""

    hidden: Float[Array, "*rows d"] | None = None  # of a recurrent core
    past: Moments | None = None  # the last k moments, oldest first
    base: Float[Array, "agents h"] | None = None  # the carry of the actor without increments
    theta: Float[Array, "*rows P"] | None = None  # the sum of increments

    def push(
        self, obs: Observation, action: Shaped[Array, "..."], policy: AbstractDistribution
    ) -> "HyperCarry":
        """Append this moment, with the action that was taken, and drop the oldest."""
        if self.past is None:
            return self
        policy_or_none = None if self.past.policy is None else policy
        now = make_moments(obs, action, policy_or_none, jnp.ones((), bool))
        past = jax.tree.map(lambda x, y: jnp.concatenate([x[1:], y[None]]), self.past, now)
        return eqx.tree_at(lambda c: c.past, self, past)


def unroll_cell(
    core: GRU | LSTM,
    hidden: Float[Array, "*rows s"],
    code: Float[Array, "t *rows d"],
    first: Bool[Array, " t"],
) -> tuple[Float[Array, "*rows s"], Float[Array, "t *rows d"]]:
    """Run a recurrent core along t moments; return its last state and the outputs after each.

    The state is reset where an episode starts.
    """

    def tick(h, x):
        gates, first = x
        h = core(jnp.where(first, 0.0, h), gates)
        return h, h

    state, states = jax.lax.scan(tick, hidden, (core.project(code), first))
    return state, states[..., : code.shape[-1]]


def accumulate(
    theta: Float[Array, "*rows P"], delta: Float[Array, "t *rows P"], first: Bool[Array, " t"]
) -> Float[Array, "t *rows P"]:
    """Return theta_t = theta_{t-1} + delta_t, from zero where an episode starts."""

    def tick(theta, x):
        delta, first = x
        theta = jnp.where(first, 0.0, theta) + delta
        return theta, theta

    return jax.lax.scan(tick, theta, (delta, first))[1]


def make_moments(
    obs: Observation,
    action: Shaped[Array, "..."],
    policy: AbstractDistribution | None,
    real: Bool[Array, "*t"],
) -> Moments:
    """Return moments; discrete actions become one-hot."""
    if not jnp.issubdtype(action.dtype, jnp.floating):
        action = jax.nn.one_hot(action, obs.legal.shape[-1])
    return Moments(obs.agents, obs.alive, action, policy, real)


def preceding_moments(
    past: Moments, obs: Observation, action: Shaped[Array, "..."], policy: AbstractDistribution
) -> Moments:
    """Return the moments before each of t: those of the past, then all but the last of the t."""
    policy_or_none = None if past.policy is None else policy
    now = make_moments(obs, action, policy_or_none, jnp.ones(len(obs.first), bool))
    return jax.tree.map(lambda x, y: jnp.concatenate([x, y[:-1]]), past, now)


def empty_moments(spec: Spec, actor: Actor, k: int, policies: bool) -> Moments:
    """Return k moments that are not `real`."""
    shape = (spec.agents, spec.actions)
    obs = Observation(
        agents=jnp.zeros((spec.agents, spec.features)),
        state=jnp.zeros(0),
        legal=jnp.ones(shape, bool),
        alive=jnp.ones(spec.agents, bool),
        first=jnp.zeros((), bool),
    )
    policy = actor.policy(jnp.zeros(shape), obs) if policies else None
    one = make_moments(obs, jnp.zeros(shape), policy, jnp.zeros((), bool))
    return jax.tree.map(lambda x: jnp.broadcast_to(x, (k, *x.shape)), one)
