"""Worlds whose agents act in turn."""

import jax
import jax.numpy as jnp
import numpy as np

from covey.environments.adapters.choices import WorldChoices
from covey.environments.adapters.pettingzoo import pettingzoo_environment
from covey.networks.distributions import Categorical
from toys.foreign import Counting


def counting(team=(), team_reward="mean", horizon=None, **options):
    world = Counting(**options)
    return pettingzoo_environment(world, "counting", options, WorldChoices(horizon or 9, team, team_reward))


def act(world, action):
    """Let whoever has the turn take an action; the others' actions are ignored."""
    return world.step(np.full(world.spec.agents, action))


def test_only_the_mover_has_a_choice_and_all_observe():
    # fails if a waiting agent has a choice, is dead, sees nothing, or the mover's mask is lost
    world = counting()
    seen = world.reset(0)
    assert seen.alive.all()
    np.testing.assert_array_equal(seen.legal, [[False, True, True], [True, False, False]])
    np.testing.assert_array_equal(seen.agents, [[0, 0], [0, 1]])
    told = act(world, 1)
    assert told.obs.alive.all()
    np.testing.assert_array_equal(told.obs.legal, [[True, False, False], [True, True, True]])
    np.testing.assert_array_equal(told.obs.agents, [[1, 0], [1, 1]])


def test_rewards_come_to_everybody_at_the_turn_that_brought_them():
    # fails if a reward between own turns is lost, comes twice, or waits for the agent's next turn
    world = counting()
    world.reset(0)
    np.testing.assert_allclose(act(world, 1).reward, [0, 0.1])
    np.testing.assert_allclose(act(world, 0).reward, [0, 0])
    np.testing.assert_allclose(act(world, 2).reward, [0, 0])
    told = act(world, 1)
    np.testing.assert_allclose(told.reward, [-1, 1])
    assert told.terminated
    assert not told.truncated


def test_an_agent_that_is_out_is_stepped_past():
    # fails if its dead step is left to the learner, its reward is lost, or the others' turns shift
    world = counting(players=3, goal=99)
    world.reset(0)
    for _ in range(3):
        told = act(world, 2)
    assert not told.terminated
    told = act(world, 2)  # player_0's second
    np.testing.assert_allclose(told.reward, [-0.5, 0, 0])
    np.testing.assert_array_equal(told.obs.alive, [False, True, True])
    np.testing.assert_array_equal(told.obs.legal.sum(1), [1, 3, 1])
    assert not told.obs.agents[0].any()
    told = act(world, 1)
    np.testing.assert_allclose(told.reward, [0, 0, 0.1])
    np.testing.assert_array_equal(told.obs.legal.sum(1), [1, 1, 3])


def test_a_cut_game_is_no_true_end():
    # fails if a time limit of the world is taken for an end, whose value is zero
    world = counting(goal=99, max_cycles=2)
    world.reset(0)
    assert not act(world, 1).truncated
    told = act(world, 1)
    assert told.truncated
    assert not told.terminated
    assert told.obs.alive.all()  # the last observation is there to bootstrap from


def test_opponents_are_teams_and_the_next_game_begins_anew():
    # fails if opponents share a reward, whose mean is always 0, or a game leaves traces in the next
    world = counting(team=None, team_reward="own")
    assert world.spec.teams == ("player_0", "player_1")
    first = world.reset(0)
    for action in (1, 2, 1):
        act(world, action)
    again = world.reset(0)
    jax.tree.map(np.testing.assert_array_equal, first, again)


def test_a_choice_of_one_has_no_gradient():
    # fails if a policy learns from an agent's waiting, by its loss or by its entropy
    legal = jnp.array([[True, False, False]])

    def terms(logits):
        policy = Categorical(logits, legal)
        return jnp.sum(policy.log_prob(jnp.array([0])) + policy.entropy())

    assert not np.any(jax.grad(terms)(jnp.array([[1.0, 2.0, 3.0]])))
