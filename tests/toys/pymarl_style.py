"""A world as PyMARL's users write it: the methods of `MultiAgentEnv`."""

import numpy as np


class Lift:
    """Two agents lift a table when both pull at once; who has pulled must rest for a step."""

    n_agents, episode_limit = 2, 4

    def __init__(self, weight=1.0):
        self.weight = weight

    def reset(self):
        self.t, self.tired = 0, [False, False]
        return self.get_obs(), self.get_state()

    def get_obs(self):
        return [np.array([self.t / 4, tired], np.float32) for tired in self.tired]

    def get_state(self):
        return np.array([self.t / 4, *self.tired, self.weight], np.float32)

    def get_avail_actions(self):
        return [[1, not tired] for tired in self.tired]

    def step(self, actions):
        assert all(mask[a] for mask, a in zip(self.get_avail_actions(), actions, strict=True))
        self.t, self.tired = self.t + 1, [a == 1 for a in actions]
        done = self.t >= self.episode_limit
        return self.weight * all(self.tired), done, {"lifts": sum(self.tired), "episode_limit": done}

    def get_env_info(self):
        return {"n_agents": 2, "n_actions": 2, "obs_shape": 2, "state_shape": 4, "episode_limit": 4}
