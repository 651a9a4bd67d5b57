"""Scenes of the particle worlds: positions, highlights, contacts and words."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.core.scene import Scenic
from covey.environments.particles import adversary, chase, pursuit, reference, speaker_listener, spread, tag

N = 3
WORLDS = {  # and the field of their state with the objects
    "spread": (spread.Spread(2, 3), "landmarks"),
    "tag": (tag.Tag(), "obstacles"),
    "tag, no obstacles": (tag.Tag(1, 2, 0), "obstacles"),
    "pursuit": (pursuit.Pursuit(), "obstacles"),
    "speaker_listener": (speaker_listener.SpeakerListener(), "landmarks"),
    "reference": (reference.Reference(), "landmarks"),
    "adversary": (adversary.Adversary(2, 2, 3), "landmarks"),
}


@pytest.mark.parametrize("name", WORLDS)
def test_a_scene_holds_every_agent_and_object_once(name):
    # Would break: a radius, colour or kind too few; objects that are not where they are observed.
    env, things = WORLDS[name]
    assert isinstance(env, Scenic)
    state = jax.jit(lambda key: env.reset(key, N)[0])(jr.key(0))
    scene, things = env.scene(state), getattr(state, things)
    np.testing.assert_array_equal(scene.agents, state.pos)
    np.testing.assert_array_equal(scene.objects, things)
    assert len(scene.agent_radii) == env.spec.agents
    assert len(scene.object_radii) == len(scene.object_colours) == len(scene.object_kinds) == len(things)
    assert scene.touching.shape == scene.words.shape == (env.spec.agents, N)
    assert scene.highlighted.shape == (len(things), N)
    assert scene.links.shape[1:] == (2, 2, N)
    assert (scene.words == -1).all()  # nobody has spoken yet


def column(*places):
    return jnp.array(places)[..., None]


def test_contacts_are_marked():
    # Would break: hunters that touch each other, or another radius.
    pos = column([0.0, 0.0], [0.01, 0.0], [0.13, 0.0], [0.9, 0.9])
    still, none = jnp.zeros_like(pos), jnp.zeros((0, 2, 1))
    state = chase.ChaseState(pos, still, none, jnp.zeros(1, int))
    assert tag.Tag(2, 2, 0).scene(state).touching[:, 0].tolist() == [False, True, True, False]
    assert pursuit.Pursuit(2, 2, 0).scene(state).touching[:, 0].tolist() == [False, True, True, False]
    pos = column([0.0, 0.0], [0.29, 0.0], [0.6, 0.0])
    state = spread.SpreadState(pos, still[:3], pos, jnp.zeros(1, int))
    assert spread.Spread(3).scene(state).touching[:, 0].tolist() == [True, True, False]


def test_goals_are_highlighted_words_shown_and_links_drawn():
    # Would break: an agent's own goal highlighted instead of the other's, or a word at the wrong agent.
    pos, marks = column([0.0, 0.0], [1.0, 1.0]), column([0.1, 0.0], [0.2, 0.0], [0.3, 0.0])
    still, clock = jnp.zeros_like(pos), jnp.zeros(1, int)
    said = jnp.zeros((2, 10, 1)).at[0, 7, 0].set(1.0)
    scene = reference.Reference().scene(
        reference.ReferenceState(pos, still, marks, jnp.array([[0], [2]]), said, clock)
    )
    assert scene.highlighted[:, 0].tolist() == [True, False, True]
    assert scene.words[:, 0].tolist() == [7, -1]
    np.testing.assert_array_equal(
        scene.links[..., 0], [[pos[0, :, 0], marks[2, :, 0]], [pos[1, :, 0], marks[0, :, 0]]]
    )

    goal = jnp.array([1])
    state = speaker_listener.SpeakerListenerState(
        pos, still, marks, goal, jnp.array([[[0.2], [0.9], [0.4]]]), clock
    )
    scene = speaker_listener.SpeakerListener().scene(state)
    assert scene.highlighted[:, 0].tolist() == [False, True, False]
    assert scene.words[:, 0].tolist() == [1, -1]  # the loudest
    np.testing.assert_array_equal(scene.links[..., 0], [[pos[1, :, 0], marks[1, :, 0]]])
    scene = adversary.Adversary(1, 1, 3).scene(adversary.AdversaryState(pos, still, marks, goal, clock))
    assert scene.highlighted[:, 0].tolist() == [False, True, False]
