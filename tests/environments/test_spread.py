"""Spread beside the original, mpe2's simple_spread_v3, from the original's own state at each step."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from mpe2 import simple_spread_v3
from originals import assert_even, assert_same_steps, beginnings, distances, record, spread

from covey.environments.particles.spread import Spread, SpreadState


@pytest.mark.parametrize(("agents", "episodes"), [(3, 20), (2, 8), (5, 4)])
@pytest.mark.parametrize("continuous", [False, True], ids=["discrete", "continuous"])
def test_each_step_equals_the_original(agents, episodes, continuous):
    # Would break: any difference in physics, reward or observation; a constant in single precision.
    parallel = simple_spread_v3.parallel_env(N=agents, continuous_actions=continuous)
    told = record(parallel, spread, [1, 0.2] * (episodes // 2))
    apart = distances(told.after["pos"], told.after["pos"])
    sure = (np.abs(apart - 0.3) > 1e-5).all((0, 1))
    assert_same_steps(
        Spread(agents, continuous=continuous), SpreadState, told, told.reward.mean(1, keepdims=True), sure
    )
    assert ((apart > 0) & (apart < 0.3)).any((0, 1)).mean() > 0.08  # they bump,
    assert (np.abs(apart - 0.3) < 0.003).any()  # and just touch


def test_what_an_agent_sees_is_in_the_original_s_order():
    # Would break: another order or sign, whatever the physics; said without the original.
    pos, vel = np.array([[0.1, 0.2], [0.3, -0.4]]), np.array([[1.0, 2.0], [3.0, 4.0]])
    goal = np.array([[0.5, 0.5], [-0.5, 0.0], [0.0, 1.0]])
    env = Spread(agents=2, landmarks=3)
    state = SpreadState(
        *(jnp.asarray(x, jnp.float32)[..., None] for x in (pos, vel, goal)), jnp.zeros(1, int)
    )
    _, step = jax.jit(env.step)(state, jnp.zeros((1, 2), jnp.int8), jr.key(0))
    pos, vel = pos + 0.1 * vel, 0.75 * vel
    for i in range(2):
        parts = [vel[i], pos[i], (goal - pos[i]).ravel(), pos[1 - i] - pos[i], [0, 0]]
        np.testing.assert_allclose(step.obs.agents[0, i], np.concatenate(parts), atol=1e-6)
    assert env.spec.features == 14
    assert env.spec.world == 28


def test_episodes_start_as_in_the_original():
    # Would break: another range, copies that begin alike, agents that begin where landmarks do.
    state, obs = Spread(agents=2, landmarks=2).reset(jr.key(0), 20_000)
    theirs = beginnings(simple_spread_v3.parallel_env(N=2), spread, 2_000)
    for begun in (vars(state), theirs):
        assert_even(np.concatenate([begun["pos"], begun["landmarks"]]))
        assert not begun["vel"].any()
    assert obs.first.all()
