import sys
from types import SimpleNamespace

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, Tuple

from covey.config.making import make_environment
from covey.errors import UserError


class Rendezvous:
    """A batch of one copy: each agent's place grows by what it does; over at 3."""

    def __init__(self, scenario, num_envs, terminated_truncated, n_agents=2, continuous_actions=True):
        assert (scenario, num_envs, terminated_truncated) == ("rendezvous", 1, True)
        self.agents = [SimpleNamespace(name=f"agent_{i}") for i in range(n_agents)]
        action = Box(-2, 2, (1,)) if continuous_actions else Discrete(3)
        self.action_space = Tuple([action] * n_agents)
        self.observation_space = Tuple([Dict(place=Box(-9, 9, (1,)), goal=Box(-9, 9, (2,)))] * n_agents)

    def look(self):
        return [{"place": self.at[i : i + 1, None], "goal": np.ones((1, 2))} for i in range(len(self.agents))]

    def reset(self, seed):
        self.at = np.random.default_rng(seed).uniform(size=len(self.agents))
        return self.look()

    def step(self, actions):
        assert all(action.shape == (1, 1) and action.dtype == np.float32 for action in actions)
        self.at = self.at + np.ravel(actions)
        over = np.array([self.at[0] >= 3])
        return self.look(), [self.at[i : i + 1] for i in range(len(self.agents))], over, ~over & False, []


@pytest.fixture
def package(monkeypatch):
    torch = SimpleNamespace(as_tensor=np.asarray, set_num_threads=lambda n: None)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "vmas", SimpleNamespace(make_env=Rendezvous))


@pytest.mark.usefixtures("package")
def test_a_scenario():
    # fails if an observation, an action, an own reward or the end is not the first copy's
    env, _ = make_environment("vmas:rendezvous", {"n_agents": 3})
    assert (env.spec.agents, env.spec.features, env.spec.bounds, env.spec.horizon) == (3, 3, (-2, 2), 100)
    seen = env.reset(4)
    np.testing.assert_array_equal(seen.agents, env.reset(4).agents)
    told = env.step(np.array([[2.0], [0.0], [-1.0]], np.float32))
    moved = told.obs.agents - seen.agents
    np.testing.assert_allclose(moved[:, 0], [2, 0, -1], atol=1e-6)
    np.testing.assert_allclose(told.reward, told.obs.agents[:, 0])
    told = env.step(np.array([[2.0], [0.0], [0.0]], np.float32))
    assert told.terminated


@pytest.mark.usefixtures("package")
def test_discrete_actions():
    # fails if a choice does not reach the scenario
    env, _ = make_environment("vmas:rendezvous", {"continuous_actions": False})
    assert env.spec.actions == 3
    before = env.reset(0).agents
    told = env.step(np.array([2, 0]))
    np.testing.assert_allclose((told.obs.agents - before)[:, 0], [2, 0], atol=1e-6)


def test_without_the_package_the_remedy_is_named(monkeypatch):
    # fails if the sentence does not say what to install
    monkeypatch.setitem(sys.modules, "vmas", None)
    with pytest.raises(UserError, match="pip install vmas"):
        make_environment("vmas:navigation")


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["navigation", "balance", "transport", "football"])
def test_vmas_scenarios(name):
    # fails if a scenario's spaces are not what the adapter takes them for
    pytest.importorskip("vmas")
    env, _ = make_environment(f"vmas:{name}")
    seen = env.reset(0)
    assert seen.agents.any()
    rng = np.random.default_rng(0)
    for _ in range(10):
        told = env.step(rng.uniform(*env.spec.bounds, env.spec.action_shape).astype(np.float32))
        assert np.isfinite(told.obs.agents).all()
