"""A property of mixers: does the team's value never fall as an agent's value rises?"""

from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr

from .mixers import Choices

POINTS = 256
_AGENTS = 3
_WORLD = 5
_ACTIONS = 4


def is_monotonic(make: Any) -> bool:
    """Return whether no value of the team falls as an agent's rises, at random points.

    `make` is the factory of a mixer; it makes a small one.
    """
    mixer = make.offer(layout=None)(_AGENTS, _WORLD, _ACTIONS, key=jr.key(0))
    values = jr.normal(jr.key(1), (POINTS, _AGENTS, _ACTIONS))
    action = jr.randint(jr.key(2), (POINTS, _AGENTS), 0, _ACTIONS)
    world = jr.normal(jr.key(3), (POINTS, _WORLD))
    legal = jnp.ones((_AGENTS, _ACTIONS), bool)

    def team_value(rise, values, action, world):
        risen = values + rise[:, None] * jax.nn.one_hot(action, _ACTIONS)
        return mixer(Choices(risen, action, legal), world)

    slopes = jax.vmap(lambda *point: jax.jacobian(team_value)(jnp.zeros(_AGENTS), *point))
    return bool(jax.jit(slopes)(values, action, world).min() > -1e-5)
