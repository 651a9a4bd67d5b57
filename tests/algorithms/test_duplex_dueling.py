"""The mixer of examples/duplex_dueling.py: IGM for any parameters, and a game that QMIX cannot represent."""

import sys
from functools import partial
from itertools import product
from pathlib import Path

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.flatten_util import ravel_pytree

from covey.algorithms import QMIX
from covey.core import Trajectory
from covey.environments.games import Matrix
from covey.networks.agents import FeedForward
from covey.networks.mixers import Choices
from covey.parts import Adam, Factory, HardTarget, LinearSchedule

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
from duplex_dueling import DuplexDueling  # pyright: ignore[reportMissingImports]

ACTIONS, WORLD = 3, 2


def joint_values(mixer, q, legal, state):
    """Return Q_tot of every joint action in one state."""
    joints = jnp.array(list(product(range(ACTIONS), repeat=len(q))))
    table = jnp.broadcast_to(q, (len(joints), *q.shape))
    choices = Choices(table, joints, jnp.broadcast_to(legal, table.shape))
    return joints, mixer(choices, jnp.broadcast_to(state, (len(joints), len(state))))[:, 0]


@pytest.mark.parametrize("agents", [1, 3])
def test_igm(agents):
    # Breaks if an importance or a weight can be negative, or if V is taken over illegal actions.
    flat, restore = ravel_pytree(DuplexDueling(agents, WORLD, ACTIONS, hidden=8, key=jr.key(0)))

    @jax.jit
    def values(seed):
        parameters, q, legal, state = jr.split(jr.key(seed), 4)
        allowed = jr.bernoulli(legal, 0.7, (agents, ACTIONS)).at[:, 0].set(True)
        q = jr.normal(q, (agents, ACTIONS))
        mixer = restore(jr.normal(parameters, flat.shape))
        joints, total = joint_values(mixer, q, allowed, jr.normal(state, (WORLD,)))
        possible = jnp.all(allowed[jnp.arange(agents), joints], axis=-1)
        greedy = jnp.argmax(jnp.where(allowed, q, -jnp.inf), axis=-1)
        return jnp.where(possible, total, -jnp.inf), jnp.all(joints == greedy, axis=-1)

    @settings(max_examples=50, deadline=None)
    @given(seed=st.integers(0, 2**31 - 1))
    def holds(seed):
        total, is_greedy = jax.device_get(values(seed))
        best = np.max(total)
        assert total[is_greedy][0] >= best - 1e-5 * max(1.0, abs(best))

    holds()


def all_joint_actions(env):
    """Return an episode of each joint action: uniform exploration without its noise."""
    plans = jnp.array(list(product(range(ACTIONS), repeat=2)))[:, None]
    state, first = env.reset(jr.key(0), len(plans))
    _, step = env.step(state, plans[:, 0], jr.key(0))
    stack = lambda *x: jnp.stack(x, axis=1)
    obs, step = jax.tree.map(stack, first, step.obs), jax.tree.map(stack, step)
    valid = jnp.ones((len(plans), 1), bool)
    return Trajectory(obs, plans.astype(jnp.int8), step.reward, step.team_reward, step.terminated, valid)


def test_it_learns_a_game_that_no_monotone_mixer_represents():
    # Breaks if the mixer does not learn inside QMIX, or cannot tell one joint action from another: either
    # agent's third action is its best beside the other's third, and its worst beside the other's first.
    env = Matrix([[8, 0, -12], [0, 2, 0], [-12, 0, 4]])
    updates = 1000
    algorithm = QMIX(
        agent=Factory(FeedForward, depth=0), mixer=Factory(DuplexDueling, hidden=32), sharing="none",
        last_action=False, agent_id=False, target=HardTarget(20),
        optimiser=Adam(lr=LinearSchedule(0.02, 0.0005, updates)),
    )  # fmt: skip
    batch = all_joint_actions(env)

    def train(seed):
        update = lambda learner, step: (algorithm.update(learner, batch, jr.key(0), step)[0], None)
        learner = algorithm.init(env.spec, jr.key(seed))
        online = jax.lax.scan(update, learner, jnp.arange(updates))[0].online
        one = jax.tree.map(lambda x: x[0], batch)
        q = algorithm.agent_values(online, one)[0]
        _, total = joint_values(online.mixer, q, one.obs.legal[0], one.obs.world[0])
        return jnp.argmax(q, axis=-1), total

    greedy, total = jax.device_get(jax.jit(partial(jax.lax.map, train))(jnp.arange(3)))
    assert (greedy == 0).all(), greedy
    np.testing.assert_allclose(total, np.tile(batch.team_reward[:, 0, 0], (3, 1)), atol=0.5)
