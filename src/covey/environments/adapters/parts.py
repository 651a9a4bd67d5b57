"""Actions of many parts: each part is chosen by an agent of its own.

A joint choice is one number where it is small (`spaces.MOST_JOINT_CHOICES`). Of a larger one, and of an
action that mixes choices and numbers, each part becomes an agent: `tank_0.move`, `tank_0.fire`; of a
MultiDiscrete `tank_0.0`, `tank_0.1`. The policy of the whole is then the product of its parts',
as in Tavakoli et al., "Action Branching Architectures for Deep Reinforcement Learning", AAAI 2018. Value
methods learn a value of each part, which VDN and QMIX mix.

All parts observe what their agent does, and which part they are; they earn its reward. A team's reward
counts each agent once.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...errors import UserError
from .foreign_world import AbstractForeignWorld, ForeignMoment
from .spaces import (
    MOST_JOINT_CHOICES,
    Discrete,
    Tuple,
    inner_spaces,
    joint_choices,
    kind_of,
    member_of_parts,
    parts_of,
    without_mask,
)


def in_parts(world: AbstractForeignWorld) -> tuple[AbstractForeignWorld, Sequence[int]]:
    """Return a world whose agents choose little at once, and the world's own agent of each, by its place.

    It is the same world, unless actions are large.
    """
    if not any(map(_is_split, world.action_spaces)):
        return world, range(len(world.names))
    parted = WorldInParts(world)
    return parted, [i for i, agent in enumerate(parted.agents.values()) for _ in agent.parts]


def _is_split(space: Any) -> bool:
    """Say whether an action is too much for one head."""
    n = joint_choices(space)
    if n is None:
        return kind_of(space) in ("Dict", "Tuple")
    return n > MOST_JOINT_CHOICES and kind_of(space) != "Discrete"


def masks_of_parts(space: Any, mask: Any) -> list[Any]:
    """Return the mask of each part, from masks nested as the space is, or from one row; a Box has none."""
    kind = kind_of(space)
    if kind in ("Dict", "Tuple") and isinstance(mask, dict | tuple | list):
        of = mask if isinstance(mask, dict) else dict(enumerate(mask))
        keys = [key for key, _ in inner_spaces(space)]
        if set(of) == set(keys):
            return [row for key, inner in inner_spaces(space) for row in masks_of_parts(inner, of[key])]
    parts = list(parts_of(space).values())
    sizes = [part.n if kind_of(part) == "Discrete" else 0 for part in parts]
    if kind == "Box" or mask is None:
        return [None] * len(parts)
    if isinstance(mask, tuple | list):
        mask = np.concatenate([np.ravel(row) for row in mask])
    flat = np.ravel(np.asarray(mask))
    if len(flat) != sum(sizes):
        raise UserError(
            f"an action mask has {len(flat)} entries, but its action has {len(sizes)} parts of {sum(sizes)} "
            "choices together: give masks nested as the action is, or all side by side"
        )
    rows = np.split(flat, np.cumsum(sizes)[:-1])
    return [row if n else None for row, n in zip(rows, sizes, strict=True)]


class _Agent(NamedTuple):
    """An agent of the world, and its parts.

    - `numbered`: whether parts observe which they are. With pictures, only their ids in the networks tell.
    """

    name: Any
    space: Any
    split: bool
    parts: tuple[Any, ...]
    spaces: tuple[Any, ...]
    seen: Any
    numbered: bool

    @staticmethod
    def of(name: Any, space: Any, observation: Any) -> "_Agent":
        if not _is_split(space):
            return _Agent(name, space, False, (name,), (space,), observation, False)
        own = parts_of(space)
        seen = without_mask(observation)
        numbered = not (kind_of(seen) == "Box" and len(seen.shape) == 3)
        return _Agent(
            name,
            space,
            True,
            tuple(f"{name}.{part}" for part in own),
            tuple(own.values()),
            Tuple((seen, Discrete(len(own)))) if numbered else seen,
            numbered,
        )

    def observe(self, x: Any) -> dict[Any, Any]:
        return {part: (x, k) if self.numbered else x for k, part in enumerate(self.parts)}

    def act(self, chosen: Sequence[Any]) -> Any:
        return member_of_parts(self.space, iter(chosen)) if self.split else chosen[0]

    def masks(self, mask: Any) -> dict[Any, Any]:
        try:
            own = masks_of_parts(self.space, mask) if self.split else [mask]
        except UserError as error:
            raise UserError(f"{self.name}: {error}") from error
        return dict(zip(self.parts, own, strict=True))


class WorldInParts(AbstractForeignWorld):
    """A world in which each part of a large action is an agent."""

    def __init__(self, inner: AbstractForeignWorld):
        self.inner = inner
        self.world = getattr(inner, "world", None)
        self.limit = inner.limit
        self.counts = inner.counts
        each = zip(inner.names, inner.action_spaces, inner.observation_spaces, strict=True)
        self.agents = {name: _Agent.of(name, space, seen) for name, space, seen in each}
        agents = self.agents.values()
        self.names = tuple(part for agent in agents for part in agent.parts)
        self.action_spaces = [space for agent in agents for space in agent.spaces]
        self.observation_spaces = [agent.seen for agent in agents for _ in agent.parts]

    def reset(self, seed: int) -> ForeignMoment:
        return self._each(self.inner.reset(seed))

    def step(self, actions: dict[Any, Any]) -> ForeignMoment:
        acting = [agent for agent in self.agents.values() if agent.parts[0] in actions]
        joint = {agent.name: agent.act([actions[part] for part in agent.parts]) for agent in acting}
        return self._each(self.inner.step(joint))

    def _each(self, moment: ForeignMoment) -> ForeignMoment:
        """Return a moment of the agents as one of their parts."""
        obs = {}
        masks = {}
        for name, x in moment.obs.items():
            obs |= self.agents[name].observe(x)
        for name, mask in moment.masks.items():
            masks |= self.agents[name].masks(mask)
        return moment._replace(
            obs=obs,
            playing=self._parts(moment.playing),
            reward={part: r for name, r in moment.reward.items() for part in self.agents[name].parts},
            terminated=self._parts(moment.terminated),
            truncated=self._parts(moment.truncated),
            masks=masks,
            turn=None if moment.turn is None else self._parts(moment.turn),
        )

    def _parts(self, names: Iterable[Any]) -> list[Any]:
        return [part for name in names for part in self.agents[name].parts]
