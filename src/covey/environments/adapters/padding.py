"""Agents of different shapes padded to one, for worlds that are JAX programs."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree, Shaped

from ...core import Spec
from ...errors import UserError
from .choices import WorldChoices
from .spaces import ActionSpaces
from .teams import TEAM_REWARDS, TeamReward, choose_teams


class Padding:
    """The observations and actions of agents, stacked along an axis and padded to the widest.

    `ActionSpaces` tells how many actions each agent has; see there for the bounds of continuous ones.
    """

    def __init__(self, title: str, widths: Sequence[int], action_spaces: Sequence[Any]):
        try:
            actions = ActionSpaces(action_spaces)
        except UserError as error:
            raise UserError(f"{title}: {error}") from error
        if actions.bounds and any(actions.choices):
            raise UserError(f"{title} has both discrete and continuous actions: train on one kind")
        self.widths = tuple(widths)
        self.features = max(widths)
        self.spaces = actions.spaces
        self.sizes = actions.sizes
        self.available = actions.available
        self.bounds = actions.bounds

    def spec(self, title: str, names: Sequence[Any], horizon: int, state: int, choices: WorldChoices) -> Spec:
        """Return the spec of a world of these agents."""
        return Spec(
            names=tuple(map(str, names)),
            features=self.features,
            actions=self.available.shape[1],
            horizon=horizon,
            state=state,
            bounds=self.bounds,
            team=choose_teams(names, choices.team, choices.team_reward, title),
            team_reward=TEAM_REWARDS[choices.team_reward],
        )

    def stack(self, own: Sequence[PyTree]) -> Float[Array, "agents features"]:
        """Return all agents' observations: each one's arrays flattened, side by side, padded with zeros."""
        return jnp.stack([jnp.pad(row, (0, self.features - row.size)) for row in map(flat_numbers, own)])

    def legal(
        self, masks: Sequence[Shaped[Array, "..."]] | None, alive: Bool[Array, " agents"]
    ) -> Bool[Array, "agents actions"]:
        """Return the legal actions. The dead have one only: the first that is open to them."""
        legal: Array = jnp.asarray(self.available)
        if masks is not None:
            width = legal.shape[1]
            legal = legal & jnp.stack([jnp.pad(jnp.ravel(m) > 0, (0, width - m.size)) for m in masks])
        if self.bounds is None:
            legal = legal.at[:, 0].set(legal[:, 0] | ~legal.any(1))
            legal = legal & (alive[:, None] | (jnp.cumsum(legal, axis=1) == 1))
        return legal

    def own_action(self, i: int, action: Shaped[Array, "..."]) -> Shaped[Array, "..."]:
        """Return an action of agent i as a member of its own space."""
        if self.bounds is None:
            return action.astype(jnp.int32)
        space = self.spaces[i]
        low, high = self.bounds
        part = (action[: self.sizes[i]].reshape(space.shape) - low) / (high - low)
        return jnp.asarray(space.low) + part * (space.high - space.low)


def flat_numbers(tree: PyTree) -> Float[Array, " width"]:
    """Return all numbers of an observation side by side."""
    leaves = [jnp.ravel(jnp.asarray(x)).astype(jnp.float32) for x in jax.tree.leaves(tree)]
    return jnp.concatenate(leaves) if leaves else jnp.zeros(0)


def width_of(shapes: PyTree) -> int:
    """Return how many numbers `flat_numbers` gives."""
    return sum(int(np.prod(x.shape)) for x in jax.tree.leaves(shapes))


def raw_key(key: Shaped[Array, ""]) -> Shaped[Array, "..."]:
    """Return a key as plain numbers, which a world may keep in its state and a checkpoint can hold."""
    return jax.random.key_data(key)


def settled(state: PyTree, like: PyTree) -> PyTree[Array]:
    """Return a world's state in the types that it has after a reset, so that a scan can carry it."""
    cast = lambda x, y: jax.lax.convert_element_type(jnp.asarray(x), y.dtype)
    return jax.tree.map(cast, state, like)


def team_rewards(spec: Spec, kind: TeamReward, reward: Float[Array, " agents"]) -> Float[Array, " teams"]:
    """Return each team's reward: the mean or the sum of its agents'."""
    means = spec.team_mean(reward)
    sizes = jnp.array([len(spec.members(team)) for team in spec.teams], means.dtype)
    return means * sizes if kind == "sum" else means
