"""Speaker and listener beside the original, mpe2's simple_speaker_listener_v4, from its own states."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from mpe2 import simple_speaker_listener_v4
from originals import assert_even, assert_fair, assert_same_steps, beginnings, record, speaker_listener

from covey.environments.particles.speaker_listener import LEGAL, SpeakerListener, SpeakerListenerState


@pytest.mark.parametrize("continuous", [False, True], ids=["discrete", "continuous"])
def test_each_step_equals_the_original(continuous):
    # Would break: any difference in physics, reward or observation; a speaker that uses dimensions it lacks.
    parallel = simple_speaker_listener_v4.parallel_env(continuous_actions=continuous)
    told = record(parallel, speaker_listener, [1, 2] * 4)
    env = SpeakerListener(continuous)
    assert env.spec.names == tuple(parallel.possible_agents)
    assert env.spec.features == told.seen.shape[-1]
    assert_same_steps(env, SpeakerListenerState, told, told.reward.mean(1, keepdims=True))
    assert set(told.after["goal"]) == {0, 1, 2}
    assert np.linalg.norm(told.after["vel"][1], axis=0).max() > 1  # no speed limit


def test_the_speaker_has_three_words_and_the_listener_five_moves():
    # Would break: a speaker that may choose what the original has no word for.
    np.testing.assert_array_equal(LEGAL, [[True, True, True, False, False], [True] * 5])
    _, obs = SpeakerListener().reset(jr.key(0), 2)
    np.testing.assert_array_equal(obs.legal, [LEGAL, LEGAL])


def test_what_is_said_is_heard_and_seen_in_the_original_s_order():
    # Would break: a word late by a step, another order of features, a listener that sees the goal.
    env, words = SpeakerListener(), 3
    state, obs = env.reset(jr.key(0), words)
    assert not obs.agents[:, 1, 8:].any()  # silence
    there = np.moveaxis(np.asarray(state.landmarks - state.pos[1]), -1, 0).reshape(words, 6)
    action = jnp.array([[word, 0] for word in range(words)], jnp.int8)
    go = jax.jit(env.step)
    later, step = go(state, action, jr.key(0))
    np.testing.assert_array_equal(step.obs.agents[:, 1, 8:], np.eye(words))
    np.testing.assert_allclose(step.obs.agents[:, 1, :8], np.pad(there, ((0, 0), (2, 0))), atol=1e-6)
    colour = np.where(np.arange(3) == np.asarray(state.goal)[:, None], 0.65, 0.15)
    np.testing.assert_allclose(step.obs.agents[:, 0], np.pad(colour, ((0, 0), (0, 8))), rtol=1e-6)
    _, step = go(later, action[::-1], jr.key(0))
    np.testing.assert_array_equal(step.obs.agents[:, 1, 8:], np.eye(words)[::-1])


def test_episodes_start_as_in_the_original():
    # Would break: another range, goals that are rarer or depend on places, words from an episode before.
    state, obs = SpeakerListener().reset(jr.key(0), 20_000)
    parallel = simple_speaker_listener_v4.parallel_env()
    for begun in (vars(state), beginnings(parallel, speaker_listener, 2_000)):
        places = np.concatenate([begun["pos"], begun["landmarks"]])
        assert_even(places)
        assert_fair(begun["goal"], 3, places)
        assert not begun["vel"].any()
        assert not begun["words"].any()
    assert obs.first.all()
