from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from covey.algorithms.qmix import QMIX
from covey.algorithms.random import Random
from covey.environments.probes import Death, Recall
from covey.experience import Replay
from covey.networks.agents import FeedForward
from covey.parts import Factory
from covey.training.devices import Layout
from covey.training.learners import LearnerSlot
from covey.training.loop import Trainer
from toys.worlds import Counting

KEY = jax.random.key(0)


def trainer():
    algorithm = QMIX(
        experience=Replay(capacity=64, batch_size=8, updates=2), agent=Factory(FeedForward, hidden=8, depth=1)
    )
    return Trainer(Recall(), (LearnerSlot("team", algorithm, (0, 1)),), copies=4, length=4)


@cache
def programs(seeds, devices):
    """A layout, and what it makes of beginning and of a chunk of five iterations."""
    layout, loop = Layout(seeds, jax.devices()[:devices]), trainer()
    keys = layout.put(jnp.stack([KEY] * layout.width))
    begin = layout.compiled(loop.init, keys)
    return layout, begin, layout.compiled(loop.chunk, begin(keys), jnp.arange(5), shared=1, donate=0)


def trained(keys, devices=1):
    """Learners, the first of three chunks' metrics, last fingerprints; and how often XLA compiled."""
    layout, begin, chunk = programs(len(keys), devices)
    state, metrics, finished = begin(layout.put(keys)), [], []
    count = lambda name, _, **__: finished.append(name) if "backend_compile" in name else None
    clocks = [jnp.arange(5 * i, 5 * i + 5) for i in range(3)]
    jax.monitoring.register_event_duration_secs_listener(count)
    for clock in clocks:
        state, told, prints = chunk(state, clock)
        metrics.append(told)
    jax.monitoring.unregister_event_duration_listener(count)
    return jax.tree.map(np.asarray, (state.learners, metrics[0], prints)), len(finished)


@pytest.fixture(scope="module")
def alone():
    return trained(KEY[None])


def close(a, b):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-5), a, b)


def test_the_same_run_twice_gives_the_same_bits(alone):
    # fails if a draw depends on anything but the key, or a fingerprint on anything but the weights
    again, _ = trained(KEY[None])
    jax.tree.map(np.testing.assert_array_equal, again, alone[0])


def test_nothing_is_compiled_once_a_run_is_under_way(alone):
    # fails if a chunk hands on another type or shape than it was given
    assert alone[1] == 0


@pytest.mark.slow
def test_two_devices_on_one_seed_learn_what_one_does(alone):
    # fails if a share of the batch is lost, counted twice, or averaged wrongly
    assert Layout(1).parts == 2
    (learners, metrics, _), _ = trained(KEY[None], devices=2)
    close(learners, alone[0][0])
    close(metrics["loss"], alone[0][1]["loss"])


@pytest.mark.slow
def test_a_seed_learns_the_same_alone_and_among_others(alone):
    # fails if seeds share draws, stores or clocks
    (learners, _, prints), _ = trained(jnp.stack([KEY, jax.random.key(1)]), devices=2)
    close(jax.tree.map(lambda x: x[:1], learners), alone[0][0])
    assert (prints[0][0] != prints[0][1]).any()


def test_no_update_before_warm_up_is_over(alone):
    # fails if the first updates learn from a store without a batch of episodes: two iterations make eight
    np.testing.assert_array_equal(np.isnan(alone[0][1]["loss"][0]), [True, False, False, False, False])


def judged(loop, episodes):
    return jax.jit(lambda key: loop.evaluate(loop.init(key).learners, key, jnp.array(0), episodes))(KEY)


def test_evaluation_sums_the_first_episode_only():
    # fails if a second episode's rewards are added, or an episode's last step is left out
    told = judged(
        Trainer(Counting(jnp.array(6)), (LearnerSlot("team", Random(), (0,)),), copies=1, length=7), 50
    )
    length = told["length"]
    assert set(length.tolist()) == set(range(1, 7))
    np.testing.assert_allclose(told["teams"][:, 0], 5 * length * (length + 1) + told["counts"]["acted"])
    np.testing.assert_array_equal(told["teams"], told["agents"])


def test_the_dead_are_paid_no_more():
    # fails if rewards are given to the wrong agent, or a team's reward is taken from its dead
    told = judged(Trainer(Death(life=2, horizon=4), (LearnerSlot("team", Random(), (0, 1)),), 1, 5), 50)
    assert told["agents"][:, 0].max() == 2
    assert told["teams"].max() > 2


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
def test_every_seed_is_wanted_once(seeds):
    # fails if seeds that fill a lane are counted, or the last seed is not trained at all
    layout = Layout(seeds, jax.devices()[:2])
    assert {len(lane) for lane in layout.lanes} == {layout.width}
    found = np.concatenate(layout.own([np.array(lane) for lane in layout.lanes]))
    np.testing.assert_array_equal(found, np.arange(seeds))
