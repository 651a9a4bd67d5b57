"""Experience: on-policy rollouts, or a replay buffer."""

from .on_policy import OnPolicy, episode_steps
from .replay import WHOLE_EPISODES, Replay, require_whole_episodes, without_memory

__all__ = [
    "WHOLE_EPISODES",
    "OnPolicy",
    "Replay",
    "episode_steps",
    "require_whole_episodes",
    "without_memory",
]
