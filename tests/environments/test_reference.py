"""Reference beside the original, mpe2's simple_reference_v3, from the original's own state at each step."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from mpe2 import simple_reference_v3
from originals import assert_even, assert_fair, assert_same_steps, beginnings, record, reference

from covey.environments.particles.reference import Reference, ReferenceState


@pytest.mark.parametrize(("continuous", "local_ratio"), [(False, 0.5), (True, 0.5), (False, 0.2)])
def test_each_step_equals_the_original(continuous, local_ratio):
    # Would break: any difference in physics, reward or observation; who is paid for whose way.
    parallel = simple_reference_v3.parallel_env(local_ratio=local_ratio, continuous_actions=continuous)
    told = record(parallel, reference, [1, 2] * 4)
    env = Reference(continuous, local_ratio)
    assert env.spec.names == tuple(parallel.possible_agents)
    assert_same_steps(env, ReferenceState, told, told.reward.mean(1, keepdims=True))
    assert (told.reward[:, 0] != told.reward[:, 1]).all()
    assert (told.after["goal"][0] != told.after["goal"][1]).any()
    assert continuous or set(told.action.ravel()) == set(range(50))


def test_every_action_moves_and_speaks():
    # Would break: move and word exchanged among the 50, or a word that its speaker hears.
    env, action = Reference(), np.arange(50)
    state, obs = jax.jit(env.reset, static_argnums=1)(jr.key(0), 50)
    assert not obs.agents[..., 11:].any()  # silence
    _, step = jax.jit(env.step)(state, jnp.asarray(np.stack([action, 0 * action], 1), jnp.int8), jr.key(0))
    moves = np.array([[0, 0], [-0.5, 0], [0.5, 0], [0, -0.5], [0, 0.5]])
    np.testing.assert_allclose(step.obs.agents[:, 0, :2], moves[action % 5], atol=1e-6)
    np.testing.assert_array_equal(step.obs.agents[:, 1, 11:], np.eye(10)[action // 5])
    np.testing.assert_array_equal(step.obs.agents[:, 0, 11:], np.tile(np.eye(10)[0], (50, 1)))


def test_each_sees_where_the_other_has_to_go():
    # Would break: an agent that sees its own goal, or a colour that is not the landmark's.
    state, obs = jax.jit(Reference().reset, static_argnums=1)(jr.key(0), 50)
    for i in range(2):
        colour = np.where(np.arange(3) == np.asarray(state.goal[i])[:, None], 0.75, 0.25)
        np.testing.assert_allclose(obs.agents[:, i, 8:11], colour)
    there = np.moveaxis(np.asarray(state.landmarks[None] - state.pos[:, None]), -1, 0).reshape(50, 2, 6)
    np.testing.assert_allclose(obs.agents[:, :, 2:8], there)


def test_episodes_start_as_in_the_original():
    # Would break: another range, one goal for both, words from an episode before.
    state, obs = Reference().reset(jr.key(0), 20_000)
    for begun in (vars(state), beginnings(simple_reference_v3.parallel_env(), reference, 2_000)):
        places = np.concatenate([begun["pos"], begun["landmarks"]])
        assert_even(places)
        assert_fair(begun["goal"], 3, places)
        assert not begun["vel"].any()
        assert not begun["words"].any()
    assert obs.first.all()
