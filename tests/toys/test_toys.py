import jax
import jax.numpy as jnp
import numpy as np
import pytest

from covey.algorithms.qmix import QMIX
from covey.environments.probes import Meeting, Recall
from covey.experience import Replay
from covey.networks.agents import FeedForward, Recurrent
from covey.networks.mixers import SumMixer
from covey.parts import Adam, ConstantSchedule, Factory
from covey.training.learners import LearnerSlot, view_as
from covey.training.loop import Trainer
from toys.learners import DDPG, FastWeights, Reinforce
from toys.worlds import Factions


def slot(algorithm, spec, team=None):
    members = spec.members(team) if team else tuple(range(spec.agents))
    return LearnerSlot(team or "team", algorithm, members)


def train(trainer, iterations):
    """Return the state before and after training, and the mean returns in its first and last fifths."""
    before = jax.jit(trainer.init)(jax.random.key(0))
    after, metrics, _ = jax.jit(trainer.chunk)(before, jnp.arange(iterations))
    part = iterations // 5
    rate = lambda cut: metrics["returns"][cut].sum(0) / metrics["episodes"][cut].sum()
    return before, after, (rate(slice(part)), rate(slice(-part, None)))


@pytest.mark.slow
@pytest.mark.parametrize("agent", [Factory(Recurrent, hidden=16), Factory(FastWeights, hidden=8)])
def test_recurrent_agents_learn_to_use_their_carry(agent):
    # fails if the carry is lost between steps, kept between episodes, or gets no gradient: then 1/4
    env = Recall()
    trainer = Trainer(env, (slot(Reinforce(agent=agent), env.spec),), copies=32, length=4)
    _, _, (_, last) = train(trainer, 150)
    assert last[0] > 0.9


def test_fast_weights_change_within_an_episode_and_are_reset():
    # fails if an episode inherits another's weights, or if act's increments are dropped
    env = Recall()
    trainer = Trainer(env, (slot(Reinforce(agent=Factory(FastWeights)), env.spec),), copies=5, length=13)
    state = trainer.init(jax.random.key(1))
    _, rollouts, _ = jax.jit(trainer.collect)(state, jnp.array(0))
    first, carry = np.asarray(rollouts.obs.first[:, :-1]), np.asarray(rollouts.extras["team"])
    assert first.sum(1).tolist() == [4] * 5
    assert not carry[first].any()
    moved = np.abs(np.diff(carry, axis=1)).sum((2, 3)) > 0
    assert (moved | ~np.asarray(rollouts.valid[:, :-1])).all()


@pytest.mark.slow
def test_continuous_actions_from_transitions():
    # fails if transitions are cut wrongly, bounds are lost, or a time limit is learned as an end
    env = Meeting()
    trainer = Trainer(env, (slot(DDPG(), env.spec),), copies=8, length=4)
    _, _, (first, last) = train(trainer, 600)
    assert last[0] > max(-1.5, first[0])  # noise remains; at random about -4


def factions():
    env = Factions()
    agent = Factory(FeedForward, hidden=16, depth=1)
    red = Reinforce(agent=agent)
    blue = QMIX(
        experience=Replay(capacity=400, batch_size=16),
        agent=agent,
        mixer=Factory(SumMixer),
        epsilon=ConstantSchedule(0.1),
        optimiser=Adam(ConstantSchedule(1e-2)),
    )
    slots = slot(red, env.spec, "red"), slot(blue, env.spec, "blue")
    return Trainer(env, slots, copies=16, length=4)


@pytest.mark.slow
def test_two_teams_learn_in_one_run_on_policy_and_off_policy():
    # fails if a learner is paid another's reward, or its actions reach another's agents
    before, after, (first, last) = train(factions(), 200)
    networks = lambda state: jax.tree.leaves((state.learners[0][0], state.learners[1].online))
    assert all(np.any(old != new) for old, new in zip(networks(before), networks(after), strict=True))
    assert (first < 2.7).all()
    assert (last > 2.7).all()


@pytest.mark.slow
def test_each_learner_receives_its_own_agents_and_the_others_apart():
    # fails if agents are mixed up between learners, which are not in the world's order here
    trainer = factions()
    _, joint, _ = trainer.collect(trainer.init(jax.random.key(0)), jnp.array(0))
    for i, (own, rest, team) in enumerate([((0, 2), (1,), 0), ((1,), (0, 2), 1)]):
        seen = view_as(trainer.slots[i], trainer.spec, trainer.slots[i].own_rollouts(joint))
        np.testing.assert_array_equal(seen.obs.agents, joint.obs.agents[:, :, own])
        np.testing.assert_array_equal(seen.obs.others, joint.obs.agents[:, :, rest])
        np.testing.assert_array_equal(seen.action, joint.action[:, :, own])
        np.testing.assert_array_equal(seen.others, joint.action[:, :, rest])
        np.testing.assert_array_equal(seen.reward, joint.reward[:, :, own])
        np.testing.assert_array_equal(seen.team_reward, joint.team_reward[:, :, team : team + 1])
        spec = trainer.slots[i].spec(trainer.spec)
        assert (spec.agents, spec.others) == (len(own), len(rest))
        assert seen.obs.world.shape[-1] == spec.world
