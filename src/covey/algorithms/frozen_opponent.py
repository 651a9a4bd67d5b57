"""An opponent from an earlier run: it acts as it learned to there, and learns no more."""

from dataclasses import replace
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PyTree

from ..core import AbstractAlgorithm, AbstractExperience, Observation, Spec, Traits
from ..experience import OnPolicy
from ..ranges import Count, Index
from .random import Random


class Learner(eqx.Module):
    """The earlier learner, the step it was trained to, and the places of its agents among those it had."""

    player: PyTree[Array]
    step: Int[Array, ""]  # its schedules stay there
    places: tuple[int, ...] = eqx.field(static=True)


class FrozenOpponent(AbstractAlgorithm[Learner]):
    """A trained learner slot of the run at `run`; written `TEAM=run:DIR` or `TEAM=run:DIR@STEP`.

    It plays the same in evaluation and training: greedily, or as it explored where `greedy` is false. By
    default an on-policy player draws from its policy, an off-policy one is greedy. Seed k plays against the
    earlier run's seed k, from the first again where there are fewer; with `seed` all play against that one.
    """

    traits: ClassVar[Traits] = Random.traits
    run: str
    slot: str  # the name of its slot there
    player: AbstractAlgorithm
    world: Spec  # the spec of that slot
    seeds: Count  # the number that the run trained
    greedy: bool | None = None
    seed: Index | None = None
    experience: AbstractExperience = OnPolicy(updates=0)

    def __check_init__(self):
        if self.seed is not None and not 0 <= self.seed < self.seeds:
            raise ValueError(f"seed {self.seed} is not in {self.run}: it trained seeds 0 to {self.seeds - 1}")

    def earlier_seed(self, seed: int) -> int:
        """Return the earlier run's seed that plays against one of this run's."""
        return seed % self.seeds if self.seed is None else self.seed

    def init(self, spec: Spec, key) -> Learner:
        places = tuple(map(self.world.names.index, spec.names))
        return Learner(self.player.init(self.world, key), jnp.zeros((), int), places)

    def init_carry(self, spec: Spec, learner: Learner):
        return self.player.init_carry(self.world, learner.player)

    def act(self, learner: Learner, carry, obs: Observation, key, step, explore: bool):
        explore = self.player.traits.on_policy if self.greedy is None else not self.greedy
        obs = restore_obs(self.world, obs, learner.places)
        carry, action, _ = self.player.act(learner.player, carry, obs, key, learner.step, explore)
        return carry, action[np.array(learner.places)], None

    def update(self, learner: Learner, batch, key, step):
        return learner, {}


def restore_obs(world: Spec, obs: Observation, places: tuple[int, ...]) -> Observation:
    """Return the observation of `world`'s agents: with those that a player learned for and does not play.

    `places` are those of the agents that it plays.
    """
    if len(places) == world.agents:
        return obs
    own = np.array(places)
    rest = np.setdiff1d(np.arange(world.agents), places)
    agents = jnp.zeros((world.agents, world.features)).at[own].set(obs.agents)
    legal = jnp.ones((world.agents, world.actions), bool).at[own].set(obs.legal)
    alive = jnp.ones(world.agents, bool).at[own].set(obs.alive)
    agents = agents.at[rest].set(obs.others)
    return replace(obs, agents=agents, legal=legal, alive=alive, others=obs.others[:0])
