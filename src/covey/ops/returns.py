"""Returns and advantages."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..parts import Number, is_off


def td_lambda(
    reward: Float[Array, "T k"],
    next_value: Float[Array, "T k"],
    terminated: Bool[Array, " T"],
    valid: Bool[Array, " T"],
    gamma: Number,
    lam: Number,
) -> Float[Array, "T k"]:
    """Return the targets G_t of TD(lambda).

        G_t = r_t + gamma (1 - term_t) [(1 - lam) V_{t+1} + lam (G_{t+1} if step t+1 is valid else V_{t+1})]

    With lam = 0 it is the one-step target. A truncated episode bootstraps where it was cut.
    """
    discount = gamma * ~terminated[:, None]
    if is_off(lam):
        return reward + discount * next_value
    next_valid = jnp.append(valid[1:], False)[:, None]

    def step_back(next_return, x):
        reward, value, discount, next_valid = x
        bootstrap = jnp.where(next_valid, (1 - lam) * value + lam * next_return, value)
        current = reward + discount * bootstrap
        return current, current

    inputs = (reward, next_value, discount, next_valid)
    return jax.lax.scan(step_back, jnp.zeros_like(reward[0]), inputs, reverse=True)[1]


def gae(
    reward: Float[Array, "T agents"],
    value: Float[Array, "T+1 agents"],
    terminated: Bool[Array, " T"],
    valid: Bool[Array, " T"],
    gamma: Number,
    lam: Number,
) -> Float[Array, "T agents"]:
    """Return the generalised advantage estimates A_t (Schulman et al., 2016); 0 at a reset's own step.

    A_t = delta_t + gamma lam (1 - term_t) A_{t+1},   delta_t = r_t + gamma (1 - term_t) V_{t+1} - V_t
    """
    discount = (gamma * ~terminated)[:, None]
    delta = reward + discount * value[1:] - value[:-1]

    def step_back(next_advantage, x):
        delta, discount, valid = x
        current = valid * (delta + lam * discount * next_advantage)
        return current, current

    return jax.lax.scan(step_back, jnp.zeros_like(delta[0]), (delta, discount, valid), reverse=True)[1]
