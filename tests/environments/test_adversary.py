"""Adversary beside the original, mpe2's simple_adversary_v3, from the original's own state at each step."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from mpe2 import simple_adversary_v3
from originals import adversary, assert_even, assert_fair, assert_same_steps, beginnings, by_team, record

from covey.environments.particles.adversary import Adversary, AdversaryState


def original(landmarks, adversaries=1, **options):
    """mpe2 has one adversary: the agents that follow it change sides."""
    parallel = simple_adversary_v3.parallel_env(N=landmarks, **options)
    for agent in parallel.unwrapped.world.agents[:adversaries]:
        agent.adversary = True
    return parallel


@pytest.mark.parametrize(
    ("landmarks", "adversaries", "continuous"), [(2, 1, False), (2, 1, True), (3, 1, False), (3, 2, True)]
)
def test_each_step_equals_the_original(landmarks, adversaries, continuous):
    # Would break: any difference in physics, reward or observation; an adversary that sees the goal.
    told = record(original(landmarks, adversaries, continuous_actions=continuous), adversary, [1, 2] * 4)
    agents = landmarks + 1 - adversaries
    env = Adversary(agents, adversaries, landmarks, continuous)
    assert env.spec.features == told.seen.shape[-1]
    assert_same_steps(env, AdversaryState, told, by_team(told.reward, adversaries))
    assert not told.seen[:, :adversaries, -2:].any()
    assert set(told.after["goal"]) == set(range(landmarks))


def test_the_defaults_equal_the_original():
    # Would break: other names, which a policy is carried over by; other teams.
    env = Adversary()
    assert env.spec.names == tuple(original(2).possible_agents)
    assert env.spec.team == ("adversary", "agent", "agent")
    assert env.landmarks == 2
    assert Adversary(agents=3).landmarks == 3


def test_good_agents_are_paid_for_the_nearest_of_them_alone():
    # Would break: a sum over good agents, or an adversary that is paid for being far.
    pos, landmarks = jnp.array([[1.0, 0.0], [0.0, 0.5], [0.0, -0.2]]), jnp.array([[0.0, 0.0], [1.0, 1.0]])
    still = jnp.zeros((3, 2, 1))
    state = AdversaryState(pos[..., None], still, landmarks[..., None], jnp.zeros(1, int), jnp.zeros(1, int))
    _, step = jax.jit(Adversary().step)(state, jnp.zeros((1, 3), jnp.int8), jr.key(0))
    np.testing.assert_allclose(step.reward[0], [-1, 0.8, 0.8], atol=1e-6)
    np.testing.assert_allclose(step.team_reward[0], [-1, 0.8], atol=1e-6)
    seen = [0, -0.5, 0, -0.5, 1, 0.5, 1, -0.5, 0, -0.7]  # goal, landmarks, others
    np.testing.assert_allclose(step.obs.agents[0, 1], seen, atol=1e-6)


def test_episodes_start_as_in_the_original():
    # Would break: another range, a goal that is rarer or depends on places.
    state, obs = Adversary(agents=3).reset(jr.key(0), 20_000)
    for begun in (vars(state), beginnings(original(3), adversary, 2_000)):
        places = np.concatenate([begun["pos"], begun["landmarks"]])
        assert_even(places)
        assert_fair(begun["goal"], 3, places)
        assert not begun["vel"].any()
    assert obs.first.all()
