from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from covey.algorithms.random import Random
from covey.environments.particles.pursuit import Pursuit
from covey.environments.particles.spread import Spread
from covey.environments.probes import Truncation
from covey.errors import UserError
from covey.experience import Replay
from covey.training.costs import bytes_of
from covey.training.learners import LearnerSlot
from covey.training.loop import Trainer
from toys.worlds import Counting

SERIAL, TIME, END, TRUE, DID = range(5)  # what the clerk of `Counting` sees


@cache
def collected(copies, length, iterations):
    """Compiled: the rollouts `[iterations, n, ...]` of a world whose episodes are `longest` at most."""

    @jax.jit
    def run(longest, key):
        trainer = Trainer(Counting(longest), (LearnerSlot("team", Random(), (0,)),), copies, length)
        step = lambda state, clock: trainer.collect(state, clock)[:2]
        return jax.lax.scan(step, trainer.init(key), jnp.arange(iterations))[1]

    return lambda longest, seed: run(jnp.array(longest), jax.random.key(seed))


@given(st.sampled_from([(1, 9), (3, 4)]), st.integers(1, 6), st.integers(0, 2**31 - 1))
@example((3, 4), 1, 0)
@settings(max_examples=20, deadline=None)
def test_where_valid_the_next_observation_follows_from_the_action(size, longest, seed):
    # fails if a reset overwrites a final observation, costs no step of its own, or comes at another time
    rollouts = jax.tree.map(np.asarray, collected(*size, iterations=3)(longest, seed))
    for iteration in range(3):
        now, later = rollouts.obs.agents[iteration, :, :-1, 0], rollouts.obs.agents[iteration, :, 1:, 0]
        valid, first = rollouts.valid[iteration], rollouts.obs.first[iteration]
        action, reward = rollouts.action[iteration, ..., 0], rollouts.reward[iteration, ..., 0]
        over = now[..., TIME] == now[..., END]
        np.testing.assert_array_equal(valid, ~over)
        np.testing.assert_array_equal(
            later[valid][:, [SERIAL, END, TRUE]], now[valid][:, [SERIAL, END, TRUE]]
        )
        np.testing.assert_array_equal(later[valid][:, TIME], now[valid][:, TIME] + 1)
        np.testing.assert_array_equal(later[valid][:, DID], action[valid])
        np.testing.assert_allclose(reward[valid], 10 * later[valid][:, TIME] + action[valid])
        ends = valid & (later[..., TIME] == later[..., END]) & (later[..., TRUE] > 0)
        np.testing.assert_array_equal(rollouts.terminated[iteration], ends)
        np.testing.assert_array_equal(first[:, 1:], ~valid)
        assert (later[~valid][:, TIME] == 0).all()
        assert (later[~valid][:, SERIAL] != now[~valid][:, SERIAL]).all()
        assert not reward[~valid].any()
    joined = rollouts.obs.agents
    np.testing.assert_array_equal(
        joined[:-1, :, -1], joined[1:, :, 0]
    )  # a rollout begins where the last ended


COPIES, LENGTH, BLOCKS = 3, 7, 8
SIZE = BLOCKS * LENGTH


@cache
def programs(window):
    """Return the rollouts of 21 iterations, an empty buffer, and functions that fill it and sample."""
    capacity = COPIES * SIZE if window else COPIES * BLOCKS
    replay, spec = Replay(capacity=capacity, window=window, batch_size=3000), Counting(jnp.array(6)).spec
    rollouts = jax.tree.map(np.asarray, collected(COPIES, LENGTH, 21)(6, 1))
    empty = replay.init(spec, jax.tree.map(lambda x: x[0], rollouts))
    return rollouts, empty, jax.jit(replay.add), jax.jit(lambda *args: replay.batch(spec, *args))


def replayed(window, iterations):
    """Return the buffer, all steps of every copy, and many windows drawn at the end."""
    rollouts, buffer, add, draw = programs(window)
    for clock in range(iterations):
        latest = jax.tree.map(lambda x, i=clock: x[i], rollouts)
        buffer = add(buffer, latest, jnp.array(clock))
    batch = draw(buffer, latest, jnp.array(iterations - 1), jax.random.key(0))
    joined = lambda x: np.concatenate(x[:iterations, :, :LENGTH], axis=1)
    return buffer, jax.tree.map(joined, rollouts), jax.tree.map(np.asarray, batch)


@pytest.mark.parametrize("iterations", [4, BLOCKS, BLOCKS + 1, 21])
@pytest.mark.parametrize("window", [None, 1])
def test_windows_are_recorded_steps_drawn_with_equal_probability(window, iterations):
    # fails if a window crosses the seam, outlives its steps, reads unwritten ones, or some are favoured
    _, story, batch = replayed(window, iterations)
    span, end = 7 if window is None else 2, iterations * LENGTH
    seen = story.obs.agents[:, :, 0]
    place = {(c, t): seen[c, t, [SERIAL, TIME]].tobytes() for c in range(COPIES) for t in range(end)}
    found = {what: where for where, what in place.items()}
    assert len(found) == len(place)
    possible = [
        (c, t)
        for c, t in place
        if max(0, end - SIZE) <= t <= end - span and (window or story.obs.first[c, t])
    ]
    drawn = [found[x.tobytes()] for x in batch.obs.agents[:, 0, 0][:, [SERIAL, TIME]]]
    counts = np.array([drawn.count(where) for where in possible])
    assert counts.sum() == len(drawn)
    expected = len(drawn) / len(possible)
    assert np.sum((counts - expected) ** 2) / expected < len(possible) + 4 * np.sqrt(2 * len(possible))
    for i, (c, t) in list(enumerate(drawn))[:300]:
        np.testing.assert_array_equal(batch.obs.agents[i], story.obs.agents[c, t : t + span])
        np.testing.assert_array_equal(batch.obs.first[i], story.obs.first[c, t : t + span])
        np.testing.assert_array_equal(batch.action[i], story.action[c, t : t + span - 1])
        np.testing.assert_array_equal(batch.reward[i], story.reward[c, t : t + span - 1])
        own = batch.obs.agents[i, :-1, 0, SERIAL] == batch.obs.agents[i, 0, 0, SERIAL]
        real = story.valid[c, t : t + span - 1]
        np.testing.assert_array_equal(batch.valid[i], real if window else real & own)


@pytest.mark.parametrize("window", [None, 1])
def test_nothing_is_stored_twice(window):
    # fails if windows are stored, or an observation as one step's last and the next one's first
    buffer, story, _ = replayed(window, BLOCKS)
    assert {x.shape[:2] for x in jax.tree.leaves(buffer)} == {(COPIES, SIZE)}
    np.testing.assert_array_equal(buffer.obs.agents, story.obs.agents)


@pytest.mark.parametrize(("window", "capacity"), [(None, 2), (1, 20)])
def test_a_small_capacity_is_refused_and_the_advised_one_is_enough(window, capacity):
    # fails if the error advises a capacity that is refused again
    spec, rollouts = Truncation().spec, collected(8, 6, 1)(6, 0)
    first = jax.tree.map(lambda x: x[0], rollouts)
    with pytest.raises(UserError, match=r"set experience.capacity=\d+ or more") as refusal:
        Replay(capacity=capacity, window=window).init(spec, first)
    advised = int(str(refusal.value).split("capacity=")[2].split()[0])
    Replay(capacity=advised, window=window).init(spec, first)


@pytest.mark.parametrize("copies", [1, 3, 7, 8, 16, 100, 128])
def test_updates_follow_steps_for_any_number_of_copies(copies):
    # fails if an iteration owes part of an update, or takes many times an episode
    replay, spec = Replay(window=1, every=100), Spread().spec
    length = replay.rollout_length(spec, copies)
    assert copies * length == 100 * replay.updates_per_iteration(copies, length)
    assert length <= 100
    assert Replay(window=1, every=100, updates=2).updates_per_iteration(
        copies, length
    ) == 2 * replay.updates_per_iteration(copies, length)


def test_updates_follow_the_steps_of_an_iteration_of_another_length():
    # fails if the length of an iteration, which the longest rollout decides, is ignored
    assert Replay(window=1, every=100).updates_per_iteration(8, 50) == 4
    assert Replay(window=1, updates=3).updates_per_iteration(8, 50) == 3


@pytest.mark.slow
def test_half_precision_keeps_three_digits_in_half_the_memory():
    # fails if anything but observations is rounded, or learners are given float16
    rollouts = jax.tree.map(lambda x: x[0], collected(3, 7, 8)(6, 0))
    full, half = (Replay(capacity=200, window=1, batch_size=50, half=half) for half in (False, True))
    spec, clock, key = Counting(jnp.array(6)).spec, jnp.array(1), jax.random.key(0)

    def drawn(replay):
        buffer = replay.init(spec, rollouts)
        for past in range(2):
            buffer = replay.add(buffer, rollouts, jnp.array(past))
        return buffer, replay.batch(spec, buffer, rollouts, clock, key)

    (_, exact), (buffer, near) = drawn(full), drawn(half)
    assert buffer.obs.agents.dtype == jnp.float16
    for a, b in zip(jax.tree.leaves(exact), jax.tree.leaves(near), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-3)
    np.testing.assert_array_equal(exact.reward, near.reward)


@pytest.mark.parametrize(("half", "gigabytes"), [(False, 0.89), (True, 0.49)])
def test_a_million_transitions_of_pursuit(half, gigabytes):
    # fails if an observation is stored twice, or anything in a wider type than it needs
    replay = Replay(capacity=1_000_000, window=1, half=half, steps=25)
    trainer = Trainer(Pursuit(), (LearnerSlot("all", Random(experience=replay), tuple(range(7))),), 16, 25)
    buffer = jax.eval_shape(trainer.init, jax.random.key(0)).buffers[0]
    assert bytes_of(buffer) / 1e9 == pytest.approx(gigabytes, abs=0.01)
