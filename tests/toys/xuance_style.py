"""A world as XuanCe's users write it: the members of `RawMultiAgentEnv`."""

import numpy as np
from gymnasium.spaces import Box, Discrete


class Chase:
    """Two agents are paid where they go to the side that the state shows; the second rests at the end."""

    def __init__(self, env_config):
        self.sides = env_config.sides
        self.agents = ["scout_0", "scout_1"]
        self.num_agents = 2
        self.state_space = Box(0, 1, (3,))
        self.observation_space = {name: Box(0, 1, (2,)) for name in self.agents}
        self.action_space = {name: Discrete(self.sides) for name in self.agents}
        self.max_episode_steps = 4

    def get_env_info(self):
        return {"agents": self.agents, "max_episode_steps": self.max_episode_steps}

    def avail_actions(self):
        return {name: np.ones(self.sides, np.bool_) for name in self.agents}

    def agent_mask(self):
        return {"scout_0": True, "scout_1": self.t < 3}

    def state(self):
        return np.array([self.side, self.t / 4, 1.0], np.float32)

    def reset(self):
        self.t = 0
        self.side = np.random.randint(2)
        return {name: self.state()[:2] for name in self.agents}, {}

    def step(self, action_dict):
        self.t += 1
        rewards = {name: float(action == self.side) for name, action in action_dict.items()}
        obs = {name: self.state()[:2] for name in self.agents}
        return obs, rewards, dict.fromkeys(self.agents, False), self.t >= self.max_episode_steps, {}

    def render(self, *args):
        return np.zeros((4, 4, 3))

    def close(self):
        pass
