"""Chunks, and passes over them."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey import ops
from covey.algorithms.on_policy.passes import cut_chunks, run_epochs
from covey.errors import UserError


@pytest.mark.parametrize(
    ("size", "length", "count"), [(1, 1, 7), (3, 3, 3), (4, 4, 2), (7, 7, 1), (99, 7, 1)]
)
def test_chunks_hold_every_step_once(size, length, count):
    # Would break: steps lost, doubled or out of order; padding that is not marked; needlessly much of it.
    t = jnp.arange(2 * 7.0).reshape(2, 7)
    cut, valid = cut_chunks((t, jnp.ones((2, 7), bool)), size)
    assert cut.shape == (2 * count, length)
    padded = jnp.pad(t, [(0, 0), (0, count * length - 7)])
    np.testing.assert_array_equal(cut.reshape(2, -1), padded)
    np.testing.assert_array_equal(valid.reshape(2, -1)[:, :7], True)
    assert valid.sum() == 14


def test_chunks_of_whatever_shape_begin_at_multiples_of_their_length():
    # Would break: axes other than the first two cut, or padding in front, where a chunk's memory comes from.
    t = jnp.arange(2 * 7.0).reshape(2, 7)
    cut = cut_chunks(jnp.stack([t, -t], axis=-1), 3)
    assert cut.shape == (6, 3, 2)
    np.testing.assert_array_equal(cut[:, 0], [[x, -x] for x in (0, 3, 6, 7, 10, 13)])


def visited(count, times, minibatches):
    """How often each example was learned from, and the mean of all."""

    def learn(seen, x):
        return seen.at[x].add(1), {"mean": jnp.mean(x, dtype=float)}

    run = jax.jit(
        lambda key: run_epochs(learn, jnp.zeros(count, int), jnp.arange(count), times, minibatches, key)
    )
    return run(jr.key(0))


@pytest.mark.parametrize("minibatches", [1, 2, 5])
def test_every_epoch_sees_every_example_once(minibatches):
    # Would break: draws with replacement, one order for all epochs that leaves examples out.
    seen, told = visited(10, 3, minibatches)
    np.testing.assert_array_equal(seen, 3)
    assert float(told["mean"]) == pytest.approx(4.5)


def orders(key):
    """What is learned from in three epochs, in turn: 4 minibatches of 3 each."""

    def learn(learner, x):
        turn, log = learner
        return (turn + 1, log.at[turn].set(x)), {"turn": 1.0 * turn}

    begin = jnp.array(0), jnp.zeros((12, 3), int)
    (_, log), told = run_epochs(learn, begin, jnp.arange(12), 3, 4, key)
    return log.reshape(3, 12), told["turn"]


def test_each_epoch_has_an_order_of_its_own_and_keys_decide_it():
    # Would break: one order for all epochs, an order that no key decides, one met twice in an epoch, or
    # metrics of the last minibatch alone.
    run = jax.jit(orders)
    (log, turn), (same, _), (other, _) = (jax.device_get(run(jr.key(seed))) for seed in (0, 0, 1))
    np.testing.assert_array_equal(np.sort(log, axis=1), np.tile(np.arange(12), (3, 1)))
    assert len({tuple(epoch) for epoch in [np.arange(12), *log, *other]}) == 7
    np.testing.assert_array_equal(log, same)
    assert turn == pytest.approx(5.5)


def test_what_does_not_fill_a_minibatch_sits_out_in_turn():
    # Would break: the same order in every epoch, which would always leave the same ones out.
    seen, _ = visited(10, 60, 4)  # minibatches of two, two of ten sit out
    assert seen.sum() == 60 * 8
    assert seen.min() > 30


def test_more_minibatches_than_examples():
    # Would break: a traceback about shapes.
    with pytest.raises(UserError, match="only 3 chunks to learn from: set minibatches=3 or fewer"):
        visited(3, 1, 4)


@pytest.mark.parametrize("minibatches", [1, 3])
def test_devices_share_minibatches(minibatches):
    # Would break: a device that learns from another minibatch than its partner, or from all of it.
    def learn(w, x):
        slope = ops.pooled(ops.mean(w - x, jnp.ones(len(x), bool)))
        return w - 0.1 * slope, {"size": jnp.asarray(len(x), float)}

    run = lambda key: run_epochs(learn, jnp.zeros(()), jnp.arange(12.0) ** 2, 2, minibatches, key)
    mesh, whole = jax.sharding.Mesh(np.array(jax.devices()), (ops.PART,)), jax.sharding.PartitionSpec()
    shared = jax.shard_map(run, mesh=mesh, in_specs=whole, out_specs=whole, check_vma=False)
    (alone, size), (together, part) = run(jr.key(0)), shared(jr.key(0))
    np.testing.assert_allclose(together, alone, rtol=1e-6)
    assert part["size"] * len(jax.devices()) == size["size"]
