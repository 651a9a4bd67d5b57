from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from covey.environments.probes import Recall
from covey.errors import UserError
from covey.experience import Replay
from covey.ops import named
from covey.training.copies import Copy
from covey.training.host import Host, StandIn, identity, in_turn
from covey.training.learners import LearnerSlot
from covey.training.loop import Trainer
from toys.learners import Reinforce
from toys.worlds import HostRecall

KEY = jax.random.key(0)


def host(make=HostRecall, length=4, copies=16, algorithm=None):
    world = make()
    slots = (LearnerSlot("team", algorithm or Reinforce(), tuple(range(world.spec.agents))),)
    return Host(Trainer(StandIn(world.spec, world.counts), slots, copies, length), make)


@pytest.fixture(scope="module")
def loop():
    """Compiled once; each `init` makes its worlds anew."""
    return host()


class HostFixed(HostRecall):
    """`HostRecall` with the same bits in every episode."""

    def reset(self, seed):
        super().reset(seed)
        self.bits = np.array([1.0, -1.0])
        return self.look()


class Fixed(Recall):
    """`Recall` with the same bits in every episode."""

    def reset(self, key, n):
        state = replace(super().reset(key, n)[0], bit=jnp.broadcast_to(jnp.array([[1.0], [-1.0]]), (2, n)))
        return state, self.observe(state)


@pytest.mark.slow
def test_the_same_world_in_python_and_in_jax_gives_the_same_run():
    # fails if the two loops differ anywhere: in keys, in what is recorded, in what a reset costs, in learning
    python = host(HostFixed, length=6, copies=3)
    jaxed = replace(python.trainer, env=Fixed())
    clocks = jnp.arange(3)
    mine, told, prints = python.chunk(python.init(KEY), clocks)
    state, metrics, expected = jax.jit(jaxed.chunk)(jax.jit(jaxed.init)(KEY), clocks)
    assert told.keys() == metrics.keys()
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), told, metrics)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), mine.learners, state.learners)
    assert [p.shape for p in prints] == [p.shape for p in expected]
    greedy = python.evaluate(mine.learners, KEY, mine.steps, 4)  # in two rounds
    wanted = jax.jit(jaxed.evaluate, static_argnums=3)(mine.learners, KEY, mine.steps, 4)
    np.testing.assert_allclose(greedy["teams"], wanted["teams"])
    np.testing.assert_array_equal(greedy["length"], [3] * 4)


@pytest.mark.slow
def test_a_world_in_plain_python_is_learnt(loop):
    # fails if memory, rewards or resets are mixed up between copies
    state, metrics, _ = loop.chunk(loop.init(KEY), jnp.arange(150))
    result = loop.evaluate(state.learners, KEY, state.steps, 40)
    assert result["teams"].shape == (40, 1)
    assert result["teams"].mean() > 0.9
    np.testing.assert_array_equal(result["counts"]["won"], result["teams"][:, 0])
    assert metrics["episodes"].sum() == 150 * 16


def test_runs_repeat_to_the_bit_and_seeds_of_resets_differ(loop):
    # fails if anything but the run's key decides how an episode begins
    (*_, prints), (*_, again) = (loop.chunk(loop.init(KEY), jnp.arange(4)) for _ in range(2))
    np.testing.assert_array_equal(prints[0], again[0])
    seeds = [seed for copy in loop.copies[identity(KEY)].each for seed in copy.world.seeds]
    assert len(set(seeds)) == len(seeds) == 16 * 5


@pytest.mark.slow
def test_a_world_that_plays_on_acts_with_weights_of_an_update_before(loop):
    # fails if a rollout is learned from twice or not at all, or is played with other weights than it says
    ahead = host()
    ahead.ahead = True
    found, metrics, prints = ahead.chunk(ahead.init(KEY), jnp.arange(2))
    assert metrics["steps"].shape == (2,) and [p.shape for p in prints]
    state = loop.init(KEY)
    start = jax.tree.map(jnp.copy, (state.learners, state.steps))
    actors = state.actors
    for clock in jnp.arange(2):
        key = named(KEY, "collect", clock)
        played = loop._play(loop.copies[identity(KEY)], start[0], actors, key, start[1], loop.trainer.length)
        collected = loop._assemble_played(actors, played, True)
        actors = collected.actors
        state = loop._learn_from(state, collected, clock)[0]
    jax.tree.map(np.testing.assert_array_equal, found.learners, state.learners)
    fresh, _, _ = loop.chunk(loop.init(KEY), jnp.arange(2))
    assert not np.array_equal(*[jax.tree.leaves(x.learners)[0] for x in (fresh, state)])
    again, _, _ = ahead.chunk(ahead.init(KEY), jnp.arange(1))  # the first of a chunk has the newest
    once, _, _ = loop.chunk(loop.init(KEY), jnp.arange(1))
    jax.tree.map(np.testing.assert_array_equal, again.learners, once.learners)


def test_seeds_take_turns_in_a_lane(loop):
    # fails if two seeds share worlds, or a lane's axis is lost
    keys = jax.random.split(KEY, 2)
    states, metrics, _ = in_turn(loop.chunk, shared=1)(in_turn(loop.init)(keys), jnp.arange(2))
    assert metrics["steps"].shape == (2, 2)
    alone, _, _ = loop.chunk(loop.init(keys[1]), jnp.arange(2))
    jax.tree.map(np.testing.assert_array_equal, jax.tree.map(lambda x: x[1], states.learners), alone.learners)


@pytest.mark.slow
def test_a_resumed_run_gives_up_the_episodes_under_way():
    # fails if a step from the old episode seems to lead into the new one
    options = {"length": 2, "copies": 1, "algorithm": Reinforce(experience=Replay(20, window=1, updates=0))}
    loop = host(**options)
    state, _, _ = loop.chunk(loop.init(KEY), jnp.arange(1))
    resumed, _, _ = host(**options).chunk(state, jnp.arange(1, 2))
    ring = resumed.buffers[0]
    np.testing.assert_array_equal(ring.valid[0, :4], [True, True, False, True])
    np.testing.assert_array_equal(ring.obs.first[0, :4], [True, False, False, True])
    assert not ring.terminated.any()


class Faulty(HostRecall):
    def __init__(self, **fault):
        super().__init__()
        self.fault = fault

    def __str__(self):
        return "faulty"

    def step(self, action):
        return super().step(action)._replace(**self.fault)


def test_what_a_world_gets_wrong_is_said_in_a_sentence():
    # fails if a NaN or a wrong shape is trained on
    for fault, sentence in [
        ({"reward": np.array([0.0, np.nan])}, "faulty gave rewards of right that are not finite, at step 1"),
        ({"reward": np.zeros(3)}, r"rewards of shape \(3,\), which its spec says is \(2,\)"),
        ({"team_reward": np.zeros(2)}, r"team rewards of shape \(2,\)"),
    ]:
        copy = Copy(Faulty(**fault))
        copy.reset(0)
        with pytest.raises(UserError, match=sentence):
            copy.step(np.zeros(2, np.int8))


def test_an_endless_world_is_cut_at_its_horizon():
    # fails if an episode can outgrow the windows that replay cuts
    copy = Copy(Faulty(terminated=False))
    copy.reset(0)
    assert [copy.step(np.zeros(2, np.int8)).truncated for _ in range(3)] == [False, False, True]
