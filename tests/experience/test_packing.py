import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey import ops
from covey.algorithms.qmix import QMIX
from covey.environments.skirmish.skirmish import Skirmish
from covey.errors import UserError
from covey.experience import Replay
from covey.experience.packing import fit_rows, pack
from covey.networks.agents import FeedForward
from covey.parts import Adam, Factory
from covey.training.learners import LearnerSlot
from covey.training.loop import Trainer

SPAN = 12


@given(st.lists(st.integers(2, SPAN), min_size=1, max_size=20))
@settings(max_examples=50, deadline=None)
def test_episodes_lie_apart_and_nothing_is_lost(lengths):
    # fails if two episodes share a place, one runs over the end of its row, or a place is lost
    length = jnp.array(lengths)
    row, offset = map(np.asarray, fit_rows(length, SPAN))
    taken = [(r, o + j) for r, o, n in zip(row, offset, lengths, strict=True) for j in range(n)]
    assert len(set(taken)) == len(taken)
    assert max(place for _, place in taken) < SPAN
    own = jnp.arange(SPAN) < length[:, None]
    index = jnp.arange(len(lengths) * SPAN).reshape(-1, SPAN)
    packed, filled = map(np.asarray, pack(index, own))
    np.testing.assert_array_equal(np.sort(packed[filled]), np.sort(np.asarray(index)[np.asarray(own)]))
    for i, n in enumerate(lengths):
        np.testing.assert_array_equal(packed[row[i], offset[i] : offset[i] + n], np.asarray(index)[i, :n])


def test_the_longest_come_first_and_short_ones_fill_the_rows():
    # fails if rows are opened before the open ones are full
    row, offset = fit_rows(jnp.array([3, 12, 4, 9, 8]), SPAN)
    np.testing.assert_array_equal(row, [1, 0, 2, 1, 2])
    np.testing.assert_array_equal(offset, [9, 0, 8, 0, 0])


def replayed(packed, lam=0.6):
    """Return a learner and a batch of short battles, in which one in ten rows is full."""
    replay = Replay(capacity=40, batch_size=8, steps=60, packed=packed)
    algorithm = QMIX(experience=replay, lam=lam)
    env = Skirmish("3m")
    slot = LearnerSlot("team", algorithm, (0, 1, 2))
    trainer = Trainer(env, (slot,), 2, 60)

    def play(key):
        state = trainer.init(key)
        for clock in range(4):
            state, joint, _ = trainer.collect(state, jnp.array(clock))
            state = trainer.remember(state, joint, jnp.array(clock))
        own = slot.own_rollouts(joint)
        batch = replay.batch(trainer.spec, state.buffers[0], own, jnp.array(3), jax.random.key(1))
        return state.learners[0], batch

    return algorithm, *jax.jit(play)(jax.random.key(0))


@pytest.mark.slow
def test_a_packed_batch_teaches_what_the_padded_one_does(monkeypatch):
    # fails if a memory or a return runs on into the next episode, or if a step is lost or counted twice
    algorithm, learner, padded = replayed(False)
    _, _, packed = replayed(True)
    assert padded.valid.sum() == packed.valid.sum()
    assert np.any(packed.valid, axis=1).sum() < 8
    update = lambda batch: algorithm.update(learner, batch, jax.random.key(0), jnp.array(5))
    once, told = jax.jit(update)(padded)
    for steps_at_once in (10**9, 400):  # all rows together, and two at a time
        monkeypatch.setattr(ops.descent, "STEPS_AT_ONCE", steps_at_once)
        for batch in (padded, packed):
            again, retold = jax.jit(lambda batch: update(batch))(batch)
            for a, b in zip(jax.tree.leaves(once), jax.tree.leaves(again), strict=True):
                np.testing.assert_allclose(a, b, atol=2e-5)
            for name, value in told.items():
                np.testing.assert_allclose(value, retold[name], rtol=1e-3)


def test_rows_without_a_step_cost_no_turn(monkeypatch):
    # fails if empty rows are read, or full ones are not
    monkeypatch.setattr(ops.descent, "STEPS_AT_ONCE", 1)
    read = []
    _, _, packed = replayed(True)

    def loss(params, batch):
        jax.debug.callback(lambda: read.append(1))
        return jnp.sum(params) * ops.mean(1.0 * batch.valid, batch.valid), {}

    optimiser = Adam()
    params = jnp.ones(2)
    jax.block_until_ready(
        ops.descend_by_rows(optimiser, loss, params, ops.init_opt_state(optimiser, params), packed)
    )
    jax.effects_barrier()
    assert len(read) == np.any(packed.valid, axis=1).sum()


def test_packing_needs_whole_episodes():
    # fails if a setting is ignored without a word
    env = Skirmish("3m")
    experience = Replay(capacity=1000, window=1, packed=True)
    memoryless = QMIX(experience=experience, agent=Factory(FeedForward), last_action=False)
    slot = LearnerSlot("team", memoryless, (0, 1, 2))
    with pytest.raises(UserError, match=r"experience\.packed"):
        Trainer(env, (slot,), 1, 60).init(jax.random.key(0))
