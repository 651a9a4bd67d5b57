"""The formulas algorithms share. One equation each; no state, no configuration."""

import zlib
from collections.abc import Callable, Mapping
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jax.ad_checkpoint import checkpoint_name
from jax.custom_derivatives import SymbolicZero
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, Key, PRNGKeyArray, PyTree, Shaped

from .core import Metrics
from .parts import AbstractOptimiser, Apart

P = TypeVar("P")
X = TypeVar("X")
PART = "part"  # the axis of devices that work on one seed together


def named(key: PRNGKeyArray, *names: str | int | Int[Array, ""]) -> PRNGKeyArray:
    """A key of its own for whatever bears this name.

    Keys come from names, never from a place in a split: so an added part moves no other's draw.
    """
    for name in names:
        key = jr.fold_in(key, zlib.crc32(name.encode()) if isinstance(name, str) else name)
    return key


def each(key: PRNGKeyArray, x: PyTree[Array]) -> Key[Array, " b"]:
    """A key for each example of a batch, of this device's share of it: the same whoever computes it."""
    size = jax.tree.leaves(x)[0].shape[0]
    try:
        place = jax.lax.axis_index(PART) * size + jnp.arange(size)
    except NameError:
        place = jnp.arange(size)
    return jax.vmap(jr.fold_in, (None, 0))(key, place)


def pooled(x: P) -> P:
    """The mean over the devices that share one seed, in one exchange; `x` itself on a single one."""
    flat, restore = ravel_pytree(x)
    try:
        return restore(jax.lax.pmean(flat, PART))
    except NameError:  # no such axis: nobody to share with
        return x


def share(x: P) -> P:
    """This device's share of what leads with examples; all of it where it cannot be cut evenly.

    Wherever gradients and means are `pooled`, it only decides who computes what.
    """
    try:
        parts, part = jax.lax.axis_size(PART), jax.lax.axis_index(PART)
    except NameError:
        return x
    size = jax.tree.leaves(x)[0].shape[0]
    if size % parts:
        return x
    size = size // parts
    return jax.tree.map(lambda x: jax.lax.dynamic_slice_in_dim(x, part * size, size), x)


def mean(x: Float[Array, "..."], mask: Shaped[Array, "..."], exact: bool = True) -> Float[Array, ""]:
    """The mean of x where `mask`, which may lack x's last axes.

    Its mean over devices that share a batch is `exact`, at the price of an exchange; what is only
    reported can do without.
    """
    weight = jnp.broadcast_to(mask.reshape(*mask.shape, *[1] * (x.ndim - mask.ndim)), x.shape)
    count = jnp.sum(weight, dtype=x.dtype)
    return jnp.sum(x * weight) / jnp.maximum(pooled(count) if exact else count, 1.0)


def standardised(x: Float[Array, "*b"], mask: Bool[Array, "*b"]) -> Float[Array, "*b"]:
    """Mean 0 and deviation 1 where `mask`."""
    x = x - jnp.mean(x, where=mask)
    return x / (jnp.sqrt(jnp.mean(x**2, where=mask)) + 1e-5)


def take(q: Float[Array, "*b actions"], action: Int[Array, "*b"]) -> Float[Array, "*b"]:
    """The entry that belongs to each action."""
    return jnp.take_along_axis(q, action[..., None].astype(int), axis=-1)[..., 0]


def masked(q: Float[Array, "*b actions"], legal: Bool[Array, "*b actions"]) -> Float[Array, "*b actions"]:
    """Values that no illegal action can win with."""
    return jnp.where(legal, q, -1e9)


def epsilon_greedy(
    q: Float[Array, "agents actions"],
    legal: Bool[Array, "agents actions"],
    epsilon: Float[Array, ""] | float,
    key: PRNGKeyArray,
) -> Int[Array, " agents"]:
    """One draw serves both: the last column is the coin, the others rank the legal actions."""
    u = jr.uniform(key, (q.shape[0], q.shape[1] + 1))
    random = jnp.argmax(masked(u[:, :-1], legal), axis=-1)
    greedy = jnp.argmax(masked(q, legal), axis=-1)
    return jnp.where(u[:, -1] < epsilon, random, greedy)


def td_lambda(
    reward: Float[Array, "T k"],
    next_value: Float[Array, "T k"],
    terminated: Bool[Array, " T"],
    valid: Bool[Array, " T"],
    gamma: float,
    lam: float,
) -> Float[Array, "T k"]:
    """G_t = r_t + gamma (1 - term_t) [(1 - lam) V_{t+1} + lam (G_{t+1} if step t+1 is real else V_{t+1})].

    With lam = 0 the one-step target. A cut-off episode bootstraps where it was cut.
    """
    discount = gamma * ~terminated[:, None]
    if lam == 0:
        return reward + discount * next_value
    real = jnp.append(valid[1:], False)[:, None]

    def back(later, x):
        reward, value, discount, real = x
        ahead = jnp.where(real, (1 - lam) * value + lam * later, value)
        now = reward + discount * ahead
        return now, now

    inputs = (reward, next_value, discount, real)
    return jax.lax.scan(back, jnp.zeros_like(reward[0]), inputs, reverse=True)[1]


def gae(
    reward: Float[Array, "T agents"],
    value: Float[Array, "T+1 agents"],
    terminated: Bool[Array, " T"],
    valid: Bool[Array, " T"],
    gamma: float,
    lam: float,
) -> Float[Array, "T agents"]:
    """A_t = delta_t + gamma lam (1 - term_t) A_{t+1}; a reset's own step has none (Schulman et al., 2016)."""
    discount = (gamma * ~terminated)[:, None]
    delta = reward + discount * value[1:] - value[:-1]

    def back(later, x):
        delta, discount, valid = x
        now = valid * (delta + lam * discount * later)
        return now, now

    return jax.lax.scan(back, jnp.zeros_like(delta[0]), (delta, discount, valid), reverse=True)[1]


def surrogate(ratio: Float[Array, "*b"], advantage: Float[Array, "*b"], clip: float) -> Float[Array, "*b"]:
    """min(rho A, clip(rho, 1 - eps, 1 + eps) A) (Schulman et al., 2017): no gain from going further."""
    return jnp.minimum(ratio * advantage, jnp.clip(ratio, 1 - clip, 1 + clip) * advantage)


def huber(error: Float[Array, "*b"], delta: float) -> Float[Array, "*b"]:
    """Half the square; a straight line beyond delta (Huber, 1964)."""
    size = jnp.minimum(jnp.abs(error), delta)
    return size * (jnp.abs(error) - 0.5 * size)


def clipped_value_loss(
    value: Float[Array, "*b"], old: Float[Array, "*b"], goal: Float[Array, "*b"], clip: float, delta: float
) -> Float[Array, "*b"]:
    """max(h(G - V), h(G - V_clipped)), V_clipped within `clip` of the old value; clip = 0: h(G - V)."""
    plain = huber(goal - value, delta)
    near = old + jnp.clip(value - old, -clip, clip)
    return jnp.maximum(plain, huber(goal - near, delta)) if clip else plain


def total(
    values: Mapping[str, Float[Array, "*b"]], **weights: Float[Array, ""] | float
) -> Float[Array, "*b"]:
    """A loss of several terms, each value times its weight.

    Names stay visible in the program, so that the effect audit knows the terms and which have a gradient.
    """
    return sum((weight * term(name)(values[name]) for name, weight in weights.items()), jnp.zeros(()))


def term(name: str) -> Callable[[Float[Array, "*b"]], Float[Array, "*b"]]:
    """Changes nothing but what the program says: "term NAME", and "slope NAME" where it is differentiated."""

    @jax.custom_jvp
    def known(x):
        return checkpoint_name(x, f"term {name}")

    def slope(x, dx):
        if isinstance(dx[0], SymbolicZero):
            return known(x[0]), jnp.zeros_like(x[0])
        return checkpoint_name(known(x[0]), f"slope {name}"), dx[0]

    known.defjvp(slope, symbolic_zeros=True)
    return known


def cosine(a: PyTree[Array], b: PyTree[Array]) -> Float[Array, ""]:
    """Of the angle between two; 0 where either is nothing."""
    a, b = ravel_pytree(a)[0], ravel_pytree(b)[0]
    return a @ b / jnp.maximum(jnp.sqrt((a @ a) * (b @ b)), 1e-20)


def previous(x: Shaped[Array, "T *rest"], first: Bool[Array, "T+1"]) -> Shaped[Array, "T+1 *rest"]:
    """What was done before each observation; -1, nothing, where an episode begins."""
    before = jnp.concatenate([jnp.full_like(x[:1], -1), x])
    return jnp.where(first.reshape(-1, *[1] * (x.ndim - 1)), jnp.full_like(before, -1), before)


def copy(tree: P) -> P:
    """Distinct buffers: what is donated may not be shared."""
    return jax.tree.map(jnp.copy, tree)


def moments(optimiser: AbstractOptimiser, params: PyTree, stacked: bool = False) -> PyTree[Array]:
    """What the optimiser remembers about these parameters; `stacked`: about each of a stack of networks."""
    init = optimiser.optax.init
    return (jax.vmap(init) if stacked else init)(params)  # pyright: ignore[reportArgumentType]


def gradients(loss: Callable[..., tuple[Float[Array, ""], X]], params: P, *args) -> tuple[P, X]:
    """Of `loss(params, *args)`, and what else it tells."""
    grads, told = jax.grad(loss, has_aux=True)(params, *args)
    return pooled(grads), told


def step(
    optimiser: AbstractOptimiser | Apart, params: P, state: PyTree[Array], grads: P, stacked: bool = False
) -> tuple[P, PyTree[Array]]:
    """One optimiser step; the only place where Optax is called. A stack's networks are clipped one by one."""
    update = optimiser.optax.update
    updates, state = (jax.vmap(update) if stacked else update)(grads, state, params)  # pyright: ignore[reportArgumentType]
    return eqx.apply_updates(params, updates), state


def descend(
    optimiser: AbstractOptimiser | Apart,
    loss: Callable[..., tuple[Float[Array, ""], Metrics]],
    params: P,
    state: PyTree[Array],
    *args,
    stacked: bool = False,
) -> tuple[P, PyTree[Array], Metrics]:
    """One gradient step on `loss(params, *args)`."""
    grads, metrics = gradients(loss, params, *args)
    return *step(optimiser, params, state, grads, stacked), metrics
