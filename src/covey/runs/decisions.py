"""The reasons that learners give for an episode's decisions, put together for all agents."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from ..core import HasDecisions, Trajectory
from ..training.learners import view_as
from ..training.loop import Trainer


def explain_decisions(
    trainer: Trainer, learners: tuple, rollouts: Trajectory
) -> dict[str, Float[Array, "n steps agents *k"]]:
    """Return what learners say of each agent's decisions; NaN where an agent's learner says nothing."""
    decisions: dict[str, Any] = {}
    agents = trainer.spec.agents
    for slot, learner in zip(trainer.slots, learners, strict=True):
        algorithm = slot.algorithm
        if not isinstance(algorithm, HasDecisions):
            continue
        view = view_as(slot, trainer.spec, slot.own_rollouts(rollouts))
        found = jax.vmap(lambda one, a=algorithm, learner=learner: a.decisions(learner, one))(view)
        for name, x in found.items():
            if x.ndim < 3 or (x.shape[2] != len(slot.members) and x.shape[2] != 1):
                continue
            x = jnp.broadcast_to(x, (*x.shape[:2], len(slot.members), *x.shape[3:]))
            if name == "attention":
                x = _spread(x, slot.members, agents, 3)
            rows = _spread(x, slot.members, agents, 2)
            decisions[name] = (
                jnp.where(jnp.isnan(decisions[name]), rows, decisions[name]) if name in decisions else rows
            )
    return decisions


def _spread(
    x: Shaped[Array, "..."], members: tuple[int, ...], agents: int, axis: int
) -> Shaped[Array, "..."]:
    """Put the rows of a slot's agents at their places among all agents, NaN elsewhere."""
    x = jnp.moveaxis(x, axis, 0)
    whole = jnp.full((agents, *x.shape[1:]), jnp.nan, x.dtype).at[np.array(members)].set(x)
    return jnp.moveaxis(whole, 0, axis)
