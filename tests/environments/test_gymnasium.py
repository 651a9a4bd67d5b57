"""Gymnasium's worlds: tuples of agents, and single ones."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Discrete

from covey.config.making import make_environment
from covey.environments.adapters.choices import WorldChoices
from covey.environments.adapters.gymnasium import gymnasium_environment
from covey.errors import UserError
from toys.foreign import Crossing, Foraging, Grid, Old


def adapted(world, **choices):
    return gymnasium_environment(world, "toy", {}, WorldChoices(**choices))


def test_tuples_and_lists_of_rewards():
    # fails if agents are mixed up, a list of rewards is taken for one, or the world's own limit is not found
    world = adapted(Foraging())
    assert (world.spec.names, world.spec.horizon, world.spec.actions) == (("agent_0", "agent_1"), 3, 3)
    np.testing.assert_array_equal(world.reset(0).agents, [[2, 0], [2, 1]])
    told = world.step(np.array([2, 1]))
    np.testing.assert_allclose(told.reward, [0.5, 0])
    assert not told.terminated
    told = world.step(np.array([0, 2]))
    assert told.terminated
    assert not told.truncated


def test_an_end_at_the_time_limit_is_a_truncation():
    # fails if lbforaging's `terminated` at its limit stops values from bootstrapping
    world = adapted(Foraging(food=9))
    world.reset(0)
    for _ in range(3):
        told = world.step(np.array([0, 0]))
    assert told.truncated
    assert not told.terminated


def test_team_rewards_can_be_sums_or_own():
    # fails if `env.team_reward` changes nothing, or returns do not say what they are
    total = adapted(Foraging(food=9), team_reward="sum")
    total.reset(0)
    np.testing.assert_allclose(total.step(np.array([2, 2])).team_reward, [1.0])
    assert total.spec.team_reward == "sum of the agents' rewards"
    assert adapted(Foraging(), team_reward="own").spec.teams == ("agent_0", "agent_1")
    with pytest.raises(UserError, match="with team_reward=own each agent is a team"):
        adapted(Foraging(), team_reward="own", team=("a", "b"))


def test_own_rewards_and_ends_in_info():
    # fails if highway-env's one reward hides each car's own, or one that has arrived drives on
    world = adapted(Crossing())
    assert world.spec.horizon == 4  # two seconds, two decisions each
    world.reset(0)
    told = world.step(np.array([2, 0]))
    np.testing.assert_allclose(told.reward, [1, 0])
    np.testing.assert_array_equal(told.obs.alive, [False, True])
    assert not told.terminated
    told = world.step(np.array([0, 2]))
    assert told.terminated


def test_lists_spaces_of_one_agent_and_agents_that_leave():
    # fails if pogema's agents are taken for one, its seed is ignored, or those at their goals go on
    world = adapted(Grid())
    assert world.spec.agents == 3
    assert world.spec.horizon == 5
    one, two, again = (world.reset(seed).agents for seed in (1, 2, 1))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, two)
    told = world.step(np.array([0, 1, 0]))
    np.testing.assert_allclose(told.reward, [0, 1, 0])
    np.testing.assert_array_equal(told.obs.alive, [True, False, True])
    assert not told.obs.agents[1].any()
    told = world.step(np.array([1, 0, 1]))
    assert told.terminated


def test_a_world_of_the_old_protocol_and_one_agent():
    # fails if four values of a step, or a reset without a seed, are not understood
    world = adapted(Old())
    assert (world.spec.names, world.spec.horizon) == (("agent",), 4)
    np.testing.assert_array_equal(world.reset(3).agents, world.reset(3).agents)
    assert world.step(np.array([1])).terminated
    world.reset(3)
    for _ in range(4):
        told = world.step(np.array([0]))
    assert told.truncated


def test_registered_ids_and_their_options():
    # fails if an ID is not found, its limit is lost, or options do not reach the world
    gym.register("Foraging-toy-v0", "toys.foreign:Foraging", max_episode_steps=7)
    world, tree = make_environment("gym:toys.foreign:Foraging-toy-v0", {"food": 5})
    assert world.spec.horizon == 7
    np.testing.assert_array_equal(world.reset(0).agents[:, 0], [5, 5])
    assert tree["food"] == 5
    with pytest.raises(UserError, match="does not accept these options"):
        make_environment("gym:toys.foreign:Foraging-toy-v0", {"fud": 5})
    with pytest.raises(UserError, match=r"doesn't exist. \(a package that registers it"):
        make_environment("gym:Nothing-v0")


def test_cart_pole_is_a_team_of_one():
    # fails if Gymnasium's single-agent worlds do not work
    world, _ = make_environment("gym:CartPole-v1")
    assert (world.spec.agents, world.spec.features, world.spec.actions, world.spec.horizon) == (1, 4, 2, 500)
    np.testing.assert_array_equal(world.reset(3).agents, world.reset(3).agents)
    assert world.step(np.array([1])).reward == 1


def test_an_idle_action_is_found_for_every_kind():
    # fails if a world that wants everybody's action gets none for an agent that has left
    world = adapted(Grid()).world
    world.action_spaces = [Discrete(2)] * 3
    world.reset(0)
    assert world.step({"agent_0": 1}).reward == {"agent_0": 1.0, "agent_1": 0.0, "agent_2": 0.0}
