"""MADDPG and dual_q with last actions among the inputs: learning reads what acting read."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.algorithms.dual_q import DualQ
from covey.algorithms.maddpg import MADDPG
from covey.algorithms.off_policy.last_action import recall_actions
from covey.core import Observation, Trajectory
from covey.environments.probes import Meeting
from covey.errors import UserError
from covey.experience import Replay
from covey.networks.agents import FeedForward
from covey.parts import Factory
from covey.training.learners import LearnerSlot, view_as
from covey.training.loop import Trainer

NET = Factory(FeedForward, hidden=4, depth=1)
EPISODES = Replay(64, batch_size=4, window=None, start=4)


def test_recalled_actions_by_hand():
    # Would break: an action beside the observation that it was taken on, or carried over a reset; the other
    # learners' observations left narrower.
    first = jnp.array([True, False, True, False])
    agents = jnp.arange(8.0).reshape(4, 2, 1)
    obs = Observation(agents, jnp.zeros((4, 0)), jnp.ones((4, 2, 2), bool), jnp.ones((4, 2), bool), first)
    obs = replace(obs, others=jnp.ones((4, 1, 1)))
    zeros = jnp.zeros((3, 2))
    ends = jnp.zeros(3, bool)
    t = Trajectory(obs, jnp.zeros((3, 2), int), zeros, zeros[:, :1], ends, ~ends)
    taken = jnp.arange(1.0, 13.0).reshape(3, 2, 2)
    found = recall_actions(t, taken).obs
    np.testing.assert_array_equal(found.agents[..., :1], agents)
    expected = [np.zeros((2, 2)), [[1, 2], [3, 4]], np.zeros((2, 2)), [[9, 10], [11, 12]]]
    np.testing.assert_array_equal(found.agents[..., 1:], expected)
    np.testing.assert_array_equal(found.others[:, 0], [[1, 0, 0]] * 4)


@pytest.mark.parametrize("algorithm", [MADDPG, DualQ])
def test_learning_reads_what_acting_read(algorithm):
    # Would break: another action, or another moment's, in the carry than in a replayed episode; a network of
    # another width; an update that reads observations without them.
    base = MADDPG(experience=EPISODES, actor=NET, critic=NET, last_action=True)
    algorithm = base if algorithm is MADDPG else DualQ(maddpg=base, local_critic=NET)
    env = Meeting(2)
    trainer = Trainer(env, (LearnerSlot("team", algorithm, (0, 1)),), 3, 7)
    slot = trainer.slots[0]

    def play(key):
        learners = (algorithm.init(env.spec, key),)
        actors = trainer.begin(learners, key, 3)
        rollouts = trainer.rollout(learners, actors, key, jnp.array(0), 7, explore=False).trajectory
        batch = view_as(slot, env.spec, slot.own_rollouts(rollouts))
        learner = learners[0] if algorithm is base else learners[0].maddpg
        actors = learner.online.actors
        seen = jax.vmap(lambda t: base.observed(learner, t))(batch)
        best = jax.vmap(lambda t: actors.best(actors.unroll(t.current_obs), t.current_obs.legal))(seen)
        return learners[0], batch, best

    learner, batch, best = jax.jit(play)(jr.key(0))
    np.testing.assert_allclose(best[batch.valid], batch.action[batch.valid], atol=1e-6)
    assert float(jnp.std(batch.action)) > 1e-3 and not bool(batch.obs.first[:, 1:].all())
    update = lambda learner, batch: algorithm.update(learner, batch, jr.key(1), jnp.array(0))[0]
    like = jax.eval_shape(update, learner, batch)
    assert jax.tree.structure(like) == jax.tree.structure(learner)


def test_transitions_hold_no_last_action():
    # Would break: an update from windows that do not hold the action before.
    with pytest.raises(UserError, match=r"experience\.window=None, or last_action=False"):
        MADDPG(last_action=True).init(Meeting(2).spec, jr.key(0))
