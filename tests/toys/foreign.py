"""Worlds that keep other packages' protocols to the letter, small enough to know every number of."""

from types import MappingProxyType, SimpleNamespace

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, Tuple


class Counting:
    """An AEC world: players in turn add 1 or 2 (or nothing: illegal at 0) until the sum reaches `goal`.

    Who reaches it earns 1, all others -1; a player who chooses 2 twice is out, with -0.5. Adding 1 pays the
    next player 0.1 at once. Those who are over must be stepped past with None.
    """

    metadata = MappingProxyType({"name": "counting_v0"})

    def __init__(self, players=2, goal=4, max_cycles=None):
        self.possible_agents = [f"player_{i}" for i in range(players)]
        self.goal, self.limit = goal, max_cycles
        if max_cycles:
            self.max_cycles = max_cycles

    @property
    def unwrapped(self):
        return self

    def observation_space(self, agent):
        return Dict(observation=Box(0, 99, (2,)), action_mask=Box(0, 1, (3,), np.int8))

    def action_space(self, agent):
        return Discrete(3)

    def observe(self, agent):
        mask = np.array([self.sum > 0, 1, 1], np.int8) * (agent == self.agent_selection)
        place = self.possible_agents.index(agent)
        return {"observation": np.array([self.sum, place], np.float32), "action_mask": mask}

    def reset(self, seed=None, options=None):
        self.agents = list(self.possible_agents)
        self.sum, self.turns, self.twos = 0, 0, dict.fromkeys(self.agents, 0)
        zero = lambda: dict.fromkeys(self.agents, 0.0)
        self.rewards, self._cumulative_rewards = zero(), zero()
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos = {agent: {} for agent in self.agents}
        self.agent_selection = self.agents[0]

    def next_agent(self):
        order = self.possible_agents
        at = order.index(self.agent_selection)
        return next(a for a in [*order[at + 1 :], *order[: at + 1]] if a in self.agents)

    def step(self, action):
        agent = self.agent_selection
        over = self.terminations[agent] or self.truncations[agent]
        assert (action is None) == over, "an agent that is over has no action, any other has one"
        if over:
            following = self.next_agent()
            for table in (self.terminations, self.truncations, self.rewards, self.infos):
                del table[agent]
            self.agents.remove(agent)
            self.agent_selection = following
            return
        assert self.observe(agent)["action_mask"][action], "an illegal action"
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self.turns += 1
        self.sum += action
        self.twos[agent] += action == 2
        following = self.next_agent()
        if self.sum >= self.goal:
            self.rewards = {a: 1.0 if a == agent else -1.0 for a in self.agents}
            self.terminations = dict.fromkeys(self.agents, True)
        elif self.twos[agent] == 2:
            self.rewards[agent] = -0.5
            self.terminations[agent] = True
            following = agent  # the dead step first
        elif action == 1:
            self.rewards[following] = 0.1
        if self.limit and self.turns >= self.limit and not any(self.terminations.values()):
            self.truncations = dict.fromkeys(self.agents, True)
        self.agent_selection = following

    def last(self):
        raise AssertionError("nothing needs it")

    def agent_iter(self):
        raise AssertionError("nothing needs it")


class Foraging(gym.Env):
    """A Gymnasium world as lbforaging's: tuples, a list of rewards, `terminated` also at its time limit."""

    observation_space = Tuple([Box(0, 9, (2,)), Box(0, 9, (2,))])
    action_space = Tuple([Discrete(3), Discrete(3)])
    n_agents = 2

    def __init__(self, food=2, max_episode_steps=3):
        self.food, self._max_episode_steps = food, max_episode_steps

    def look(self):
        return tuple(np.array([self.left, i], np.float32) for i in range(2))

    def reset(self, seed=None, options=None):
        self.left, self.t = self.food, 0
        return self.look(), {}

    def step(self, actions):
        self.t += 1
        eaten = [action == 2 for action in actions]
        self.left -= sum(eaten)
        over = self.left <= 0 or self.t >= self._max_episode_steps
        return self.look(), [0.5 * e for e in eaten], over, False, {}


class Crossing(Foraging):
    """As highway-env's: one reward, each car's own and its end in `info`; a limit in seconds."""

    def __init__(self):
        super().__init__(food=9, max_episode_steps=None)
        self.config = {"duration": 2, "policy_frequency": 2}
        del self._max_episode_steps

    def step(self, actions):
        self.t += 1
        arrived = tuple(action == 2 for action in actions)
        own = {"agents_rewards": tuple(map(float, arrived)), "agents_terminated": arrived}
        return self.look(), sum(arrived) / 2, all(arrived), self.t >= 4, own


class Grid:
    """As pogema's: lists throughout, spaces of one agent, a seed in its settings, agents that leave."""

    observation_space = Box(-1, 1, (1, 2))
    action_space = Discrete(2)
    metadata = MappingProxyType({})
    spec = None

    def __init__(self, num_agents=3):
        self.grid_config = SimpleNamespace(num_agents=num_agents, seed=None, max_episode_steps=5)
        self.unwrapped = self

    def look(self):
        return [np.array([[self.map, i / 9]], np.float32) for i in range(self.grid_config.num_agents)]

    def reset(self, seed=None):
        self.map = np.random.default_rng(self.grid_config.seed).uniform()
        self.there, self.t = [False] * self.grid_config.num_agents, 0
        return self.look(), [{} for _ in self.there]

    def step(self, actions):
        self.t += 1
        reward = [float(action and not there) for action, there in zip(actions, self.there, strict=True)]
        self.there = [there or bool(action) for action, there in zip(actions, self.there, strict=True)]
        cut = [self.t >= 5] * len(self.there)
        return self.look(), reward, list(self.there), cut, [{} for _ in self.there]


class Old:
    """One agent, gym's protocol before 0.26: no seed to reset, four values of a step."""

    observation_space = Box(0, 9, (1,))
    action_space = Discrete(2)
    metadata = MappingProxyType({})
    max_steps = 4

    def __init__(self):
        self.unwrapped, self.spec = self, None

    def reset(self):
        self.x, self.t = np.random.uniform(), 0
        return np.array([self.x], np.float32)

    def step(self, action):
        self.t += 1
        cut = self.t >= 4
        return np.array([self.x], np.float32), 1.0, cut or action == 1, {"TimeLimit.truncated": cut}


class Screens:
    """A ParallelEnv of two agents that see pictures in bytes: the brighter half says what pays."""

    metadata = MappingProxyType({"name": "screens_v0"})
    possible_agents = ("left", "right")

    def __init__(self, size=6, max_cycles=3, channels_first=False):
        self.size, self.max_cycles, self.channels_first = size, max_cycles, channels_first

    @property
    def unwrapped(self):
        return self

    def observation_space(self, agent):
        side = self.size
        return Box(0, 255, (3, side, side) if self.channels_first else (side, side, 3), np.uint8)

    def action_space(self, agent):
        return Discrete(2)

    def look(self):
        self.bits = self.draw.integers(2, size=2)
        seen = {}
        for name, bit in zip(self.possible_agents, self.bits, strict=True):
            picture = np.zeros((self.size, self.size, 3), np.uint8)
            half = self.size // 2
            picture[:, half * bit : half * (bit + 1), self.t % 3] = 200
            seen[name] = np.moveaxis(picture, -1, 0) if self.channels_first else picture
        return seen

    def reset(self, seed=None, options=None):
        self.draw, self.t = np.random.default_rng(seed), 0
        self.agents = list(self.possible_agents)
        return self.look(), {name: {} for name in self.agents}

    def step(self, actions):
        self.t += 1
        reward = {name: float(actions[name] == bit) for name, bit in zip(actions, self.bits, strict=True)}
        cut = self.t >= self.max_cycles
        each = lambda x: dict.fromkeys(self.possible_agents, x)
        self.agents = [] if cut else self.agents
        return self.look(), reward, each(False), each(cut), each({})
