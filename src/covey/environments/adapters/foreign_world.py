"""The protocol of worlds of other packages, whose agents have names: what an adapter implements."""

import abc
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

_NOTHING: Mapping[Any, Any] = MappingProxyType({})


class ForeignMoment(NamedTuple):
    """The outcome of a reset or a step, by agents' names, in the world's own terms.

    - `obs`: the observations of the agents that are there, without their masks.
    - `playing`: the agents that are asked for an action next. None are left: the episode is over.
    - `reward`: of this step alone. An agent that is missing earned nothing.
    - `terminated`, `truncated`: the agents for which this step was an end.
    - `masks`: the legal actions of agents that have some.
    - `turn`: the agents whose turn it is; the others wait, with one legal action. None: everybody's.
    - `state`: the global state, if the world has one.
    - `team_reward`: where the world defines its own.
    """

    obs: Mapping[Any, Any]
    playing: Collection[Any]
    reward: Mapping[Any, float] = _NOTHING
    terminated: Collection[Any] = ()
    truncated: Collection[Any] = ()
    masks: Mapping[Any, Any] = _NOTHING
    turn: Collection[Any] | None = None
    state: Any = None
    counts: Mapping[str, float] = _NOTHING
    team_reward: Float[np.ndarray, " teams"] | None = None


class AbstractForeignWorld(abc.ABC):
    """One copy of a world of another package. `spaces` of both kinds are in the order of `names`.

    - `limit`: the longest episode in steps, where the world says it.
    - `counts`: the names that `ForeignMoment.counts` may use.
    - `versions`: of programs that the world runs, after its first reset.
    - `state_is_read`: the environment sets it false where nobody reads `ForeignMoment.state`.
    """

    names: tuple[Any, ...]
    observation_spaces: Sequence[Any]
    action_spaces: Sequence[Any]
    limit: int | None = None
    counts: tuple[str, ...] = ()
    versions: Mapping[str, str] = _NOTHING
    state_is_read: bool = True

    @abc.abstractmethod
    def reset(self, seed: int) -> ForeignMoment:
        """Start an episode."""

    @abc.abstractmethod
    def step(self, actions: dict[Any, Any]) -> ForeignMoment:
        """Take one action of each agent that plays, a member of its own space."""
