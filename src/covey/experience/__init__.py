"""Two ways to learn from rollouts: once, fresh; or many times, replayed."""

from .on_policy import OnPolicy, an_episode
from .replay import EPISODE, Replay, keep_whole

__all__ = [
    "EPISODE",
    "OnPolicy",
    "Replay",
    "an_episode",
    "keep_whole",
]
