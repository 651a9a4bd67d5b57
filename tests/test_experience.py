from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from covey.algorithms.random import Random
from covey.environments.probes import Truncation
from covey.errors import UserError
from covey.experience import Replay
from covey.training import Side, Trainer
from toys.worlds import Counting

SERIAL, TIME, END, TRUE, DID = range(5)  # what the clerk of `Counting` sees


@cache
def collected(copies, length, iterations):
    """A compiled function: the rollouts `[iterations, n, ...]` of a world whose episodes are `longest` or shorter."""

    @jax.jit
    def run(longest, key):
        trainer = Trainer(Counting(longest), (Side("team", Random(), (0,)),), copies, length)
        step = lambda state, clock: trainer.collect(state, clock)[:2]
        return jax.lax.scan(step, trainer.init(key), jnp.arange(iterations))[1]

    return lambda longest, seed: run(jnp.array(longest), jax.random.key(seed))


@given(st.sampled_from([(1, 9), (3, 4)]), st.integers(1, 6), st.integers(0, 2**31 - 1))
@example((3, 4), 1, 0)
@settings(max_examples=20, deadline=None)
def test_where_valid_the_next_observation_is_what_the_action_led_to(size, longest, seed):
    # fails if a reset overwrites a final observation, costs no step of its own, or comes at another time
    rollouts = jax.tree.map(np.asarray, collected(*size, iterations=3)(longest, seed))
    for iteration in range(3):
        now, later = rollouts.obs.agents[iteration, :, :-1, 0], rollouts.obs.agents[iteration, :, 1:, 0]
        valid, first = rollouts.valid[iteration], rollouts.obs.first[iteration]
        action, reward = rollouts.action[iteration, ..., 0], rollouts.reward[iteration, ..., 0]
        over = now[..., TIME] == now[..., END]
        np.testing.assert_array_equal(valid, ~over)
        np.testing.assert_array_equal(later[valid][:, [SERIAL, END, TRUE]], now[valid][:, [SERIAL, END, TRUE]])
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
    np.testing.assert_array_equal(joined[:-1, :, -1], joined[1:, :, 0])  # a rollout begins where the last ended


N, LENGTH = 3, 7


@cache
def replayed(window, iterations):
    """Everything that happened, as one long story of each copy, and many windows drawn at its end."""
    replay = Replay(capacity={None: 24, 1: 168}[window], window=window, batch_size=3000)
    spec = Counting(jnp.array(6)).spec
    rollouts = jax.tree.map(lambda x: x, collected(N, LENGTH, iterations)(6, 1))
    store = replay.init(spec, jax.tree.map(lambda x: x[0], rollouts))
    add, draw = jax.jit(replay.add), jax.jit(partial(replay.batch, spec))
    for clock in range(iterations):
        latest = jax.tree.map(lambda x, i=clock: x[i], rollouts)
        store = add(store, latest, jnp.array(clock))
    batch = draw(store, latest, jnp.array(iterations - 1), jax.random.key(0))
    story = jax.tree.map(lambda x: np.concatenate(np.asarray(x), axis=1), replay.steps_of(latest_first(rollouts)))
    return store, story, jax.tree.map(np.asarray, batch)


def latest_first(rollouts):
    """Rollouts as they are, with n leading where `steps_of` expects it."""
    return rollouts


@pytest.mark.parametrize("iterations", [4, 8, 9, 21])
@pytest.mark.parametrize("window", [None, 1])
def test_windows_are_pieces_of_what_happened_each_with_equal_chance(window, iterations):
    # fails if a window crosses the seam, outlives its steps, reads unwritten ones, or some are favoured
    store, story, batch = replayed(window, iterations)
