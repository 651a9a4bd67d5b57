"""Two ways to learn from rollouts: once, fresh; or many times, replayed."""

from .on_policy import Fresh, an_episode
from .replay import EPISODE, Replay, keep_whole

__all__ = [
    "EPISODE",
    "Fresh",
    "Replay",
    "an_episode",
    "keep_whole",
]
