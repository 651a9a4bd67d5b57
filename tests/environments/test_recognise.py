"""A user's own world of another protocol, named by its file."""

import pytest

import covey
from covey.config import catalogue
from covey.config.config import Config
from covey.config.making import environment_maker, make_environment
from covey.config.paths import replace_files
from covey.environments.probes import Recall
from covey.errors import UserError
from covey.show.describe import describe_name

MINE = '''
import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Discrete, Tuple
from pettingzoo import AECEnv, ParallelEnv

from toys.foreign import Counting


class Together(ParallelEnv):
    """Two agents are paid for `size` in a row."""

    metadata = {"name": "together"}

    def __init__(self, size: int = 2, max_cycles: int = 4, weights=np.ones(2)):
        self.possible_agents = ["left", "right"]
        self.size, self.max_cycles, self.weights = size, max_cycles, weights

    def observation_space(self, agent):
        return Box(0, 1, (self.size,))

    def action_space(self, agent):
        return Discrete(2)

    def look(self):
        return {name: np.full(self.size, self.t / 4, np.float32) for name in self.possible_agents}

    def reset(self, seed=None, options=None):
        self.agents, self.t = list(self.possible_agents), 0
        return self.look(), {name: {} for name in self.agents}

    def step(self, actions):
        self.t += 1
        each = lambda x: dict.fromkeys(self.possible_agents, x)
        reward = {name: float(action) for name, action in actions.items()}
        cut = self.t >= self.max_cycles
        self.agents = [] if cut else self.agents
        return self.look(), reward, each(False), each(cut), each({})


class InTurn(Counting, AECEnv):
    pass


class Alone(gym.Env):
    observation_space = Box(0, 1, (1,))
    action_space = Tuple([Discrete(2), Discrete(3)])

    def __init__(self, horizon: int = 6):
        self.max_steps = horizon

    def reset(self, seed=None, options=None):
        return np.zeros(1, np.float32), {}

    def step(self, action):
        return np.zeros(1, np.float32), float(action[1]), False, False, {}


def together(**options):
    return Together(**options)
'''


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return str(path)


def test_a_users_class_is_recognised_by_what_it_has(mine):
    # fails if a world of the field's protocols must be derived from a class of ours
    together, tree = make_environment(f"{mine}:Together", {"size": 3})
    assert (together.spec.features, together.spec.horizon, tree["size"]) == (3, 4, 3)
    assert together.spec.teams == ("left", "right")
    assert Config.parse("random", f"{mine}:Together", ["env.size=3"]).env["size"] == 3
    turns, _ = make_environment(f"{mine}:InTurn", {"horizon": 7, "team": ["a", "a"]})
    assert turns.reset(0).legal.sum() == 3
    alone, _ = make_environment(f"{mine}:Alone", {"horizon": 5})  # which its class takes, too
    assert (alone.spec.actions, alone.spec.horizon, alone.spec.agents) == (6, 5, 1)


def test_a_prefix_tells_the_protocol_of_a_function(mine):
    # fails if a function, which cannot be recognised, can be named in no way
    world, _ = make_environment(f"pz:{mine}:together", {"size": 5})
    assert world.spec.features == 5
    moved = replace_files(f"pz:{mine}:together", lambda path: path.with_name("other.py"))
    assert moved == f"pz:{mine}:together".replace("mine.py", "other.py")  # as in a run's folder


def test_settings_are_those_of_the_class(mine):
    # fails if a wrong name or type is not told, or `covey describe` does not list what the class takes
    with pytest.raises(UserError, match=r"env\.size takes a whole number"):
        make_environment(f"{mine}:Together", {"size": "big"})
    page = describe_name(f"{mine}:Together", {"max_cycles": 9})
    assert "Two agents are paid" in page
    assert "env.size" in page
    assert "horizon      9" in page
    with pytest.raises(UserError, match=r"did you mean env\.goal"):
        make_environment(f"{mine}:InTurn", {"gaol": 3})


def test_coveys_own_worlds_stay_as_they_are():
    # fails if an adapter takes what needs none
    assert environment_maker("covey.environments.probes:Recall") is Recall
    assert environment_maker("probe/recall") is Recall
    assert catalogue.find("environment", "gym:lbforaging:Foraging-8x8-2p-3f-v3").fixed["id"].startswith("lbf")


@pytest.mark.slow
def test_a_users_file_trains_and_its_run_stands_alone(mine, tmp_path):
    # fails if a run of a user's class cannot be evaluated after the file is gone
    run = covey.train(
        "iql",
        f"{mine}:InTurn",
        settings={"agent.hidden": 4, "experience.capacity": 8, "experience.batch_size": 2},
        env={"horizon": 5, "team": ["a", "a"]},
        seeds=1,
        steps=40,
        envs=2,
        eval_episodes=2,
        out=tmp_path / "run",
        quiet=True,
    )
    (tmp_path / "mine.py").unlink()
    told = covey.evaluate(tmp_path / "run", episodes=3)
    assert told.length <= 5
    assert run.summary["status"] == "finished"
