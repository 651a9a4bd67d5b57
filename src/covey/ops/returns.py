"""Returns and advantages."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


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
