"""Who learns for whom: a learner, its agents, and how they see a world that others live in too."""

from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Shaped

from ..core import AbstractAlgorithm, Observation, Spec, Trajectory


class LearnerSlot(eqx.Module):
    """A learner and the agents it controls."""

    name: str = eqx.field(static=True)
    algorithm: AbstractAlgorithm
    members: tuple[int, ...] = eqx.field(static=True)

    def spec(self, world: Spec) -> Spec:
        return world.subset(self.members)

    def own(self, x: Shaped[Array, "..."], axis: int) -> Shaped[Array, "..."]:
        """The rows of its own agents."""
        everyone = self.members == tuple(range(x.shape[axis]))
        return x if everyone else jnp.take(x, np.array(self.members), axis=axis)

    def foreign(self, x: Shaped[Array, "..."], axis: int) -> Shaped[Array, "..."]:
        """The rows of everybody else."""
        rest = [i for i in range(x.shape[axis]) if i not in self.members]
        return jnp.take(x, np.array(rest, int), axis=axis)


def observe_as(slot: LearnerSlot, obs: Observation) -> Observation:
    """Return the observation of a learner's agents, the other agents' apart from it, as numbers."""
    return Observation(
        agents=slot.own(obs.agents, -2).astype(float),
        state=obs.state.astype(float),
        legal=slot.own(obs.legal, -2),
        alive=slot.own(obs.alive, -1),
        first=obs.first,
        others=slot.foreign(obs.agents, -2).astype(float),
    )


def view_as(slot: LearnerSlot, world: Spec, joint: Trajectory) -> Trajectory:
    """Return a joint trajectory as a learner sees it."""
    agents = joint.reward.ndim - 1
    teams = [world.teams.index(team) for team in slot.spec(world).teams]
    return replace(
        joint,
        obs=observe_as(slot, joint.obs),
        action=slot.own(joint.action, agents),
        reward=slot.own(joint.reward, agents),
        team_reward=joint.team_reward[..., np.array(teams)],
        others=slot.foreign(joint.action, agents),
    )
