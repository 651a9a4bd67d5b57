"""A policy by hand: what it refuses, copies side by side, exploring, and why it acts as it does."""

from functools import cache

import jax.random as jr
import numpy as np
import pytest

from covey.config.catalogue import ALGORITHMS
from covey.config.config import Config
from covey.core import HostObservation
from covey.errors import UserError
from covey.runs.policy import Policy
from covey.training.loop import Trainer


@cache
def policy_of(algorithm: str, *settings: str) -> Policy:
    """An untrained policy for two_step, whose episodes have two steps."""
    env, slots = Config.parse(algorithm, "two_step", [*settings, "agent_id=true"], {"envs": 1}).build()
    trainer = Trainer(env, slots, 1, 2)
    return Policy(trainer, trainer.init_learners(jr.key(3)), step=10)


@pytest.fixture
def qmix() -> Policy:
    policy = policy_of("qmix", "agent.hidden=4", "mixer.embed=2", "mixer.hyper=2")
    policy.reset(seed=0)
    return policy


FIRST = np.eye(3, dtype=np.float32)[[0, 0]]
SECOND = np.eye(3, dtype=np.float32)[[1, 2]]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.zeros((2, 4)), r"an observation has 3 numbers, not those of shapes \(4,\), \(4,\)"),
        (np.zeros((3, 3)), "observations are of 2 agents, agent_0, agent_1, and there are 3"),
        (np.zeros(3), "and there are 3: give a row for each"),
        (np.float32(1), "and there are 0: give a row for each"),
        ([["a", "b", "c"]] * 2, "the observation of agent_0 holds no numbers"),
        (np.full((2, 3), np.inf), "the observation of agent_0 is inf in feature 0"),
        ({"agent_0": np.zeros(3), "agent_1": [0, np.nan, 0]}, "observation of agent_1 is nan in feature 1"),
        ({"agent_0": np.zeros(3)}, "agent_1 is missing"),
        ({"agent0": np.zeros(3)}, r"there is no agent 'agent0' \(did you mean agent_0\?\)"),
    ],
)
def test_wrong_observations_get_a_sentence(qmix, given, said):
    # Breaks where what is wrong is padded, broadcast, or acted on as if it were right.
    with pytest.raises(UserError, match=said):
        qmix.act(given)


def test_wrong_legal_actions_get_a_sentence(qmix):
    # Breaks where a mask of another shape is broadcast, or an agent without a legal action takes one.
    with pytest.raises(UserError, match="legal actions are true or false for each of 2 agents and 2 actions"):
        qmix.act(FIRST, legal=np.ones((2, 3), bool))
    with pytest.raises(UserError, match="agent_1 has no legal action"):
        qmix.act(FIRST, legal=[[True, False], [False, False]])
    assert qmix.act(FIRST, legal=[[False, True], [True, False]]).tolist() == [1, 0]


def test_copies_side_by_side_are_each_as_alone(qmix):
    # Breaks where copies share a memory, an axis is mistaken for another, or a batch changes its size.
    alone = []
    for first in (FIRST, SECOND):
        qmix.reset()
        alone.append([(qmix.act(first).tolist(), qmix.values()), (qmix.act(SECOND).tolist(), qmix.values())])
    qmix.reset()
    for t, rows in enumerate((np.stack([FIRST, SECOND]), np.stack([SECOND, SECOND]))):
        by_name = dict(zip(qmix.spec.names, np.moveaxis(rows, 1, 0), strict=True))
        together = qmix.act(by_name if t else rows)
        together = np.stack([*together.values()], axis=1) if t else together
        assert together.tolist() == [episode[t][0] for episode in alone]
        np.testing.assert_allclose(qmix.values(), [episode[t][1] for episode in alone], rtol=1e-5)
    with pytest.raises(UserError, match=r"goes on in 2 copies, not in 1: call reset\(\)"):
        qmix.act(FIRST)


def test_greedy_actions_have_the_greatest_values(qmix):
    # Breaks where values are those of another moment, or of an agent's neighbour.
    seen = []
    for obs in (FIRST, SECOND):
        action = qmix.act(HostObservation(obs, np.zeros(3), np.ones((2, 2), bool), np.ones(2, bool)))
        assert action.tolist() == qmix.values().argmax(axis=-1).tolist()
        seen.append(qmix.values())
    assert seen[0].shape == (2, 2) and not np.allclose(*seen)
    assert {"action_values", "credit"} == qmix.decisions().keys()
    with pytest.raises(UserError, match=r"QMIX tells no probabilities of actions here: try values\(\)"):
        qmix.probabilities()


def test_exploring_is_drawn_and_can_be_drawn_again(qmix):
    # Breaks where exploring is greedy, draws the same action for ever, or cannot be repeated.
    two = np.stack([FIRST, FIRST])
    draw = lambda: np.concatenate([qmix.act(two, explore=True) for _ in range(16)])
    qmix.reset(seed=1)
    first = draw()
    second = draw()
    qmix.reset(seed=1)
    assert np.array_equal(draw(), first) and not np.array_equal(first, second)
    assert len(np.unique(first, axis=0)) == 4  # epsilon is near 1 after ten steps
    qmix.reset()
    assert len(np.unique(qmix.act(two), axis=0)) == 1


def test_probabilities_are_those_of_a_stochastic_policy():
    # Breaks where PPO's policy is read at another moment, or sums to something else.
    policy = policy_of("ippo", "actor.hidden=4", "critic.hidden=4")
    policy.reset()
    with pytest.raises(UserError, match="nobody has acted yet"):
        policy.probabilities()
    many = np.stack([FIRST] * 512)
    action = policy.act(many)[0]
    p = policy.probabilities()[0]
    np.testing.assert_allclose(p.sum(axis=-1), 1, rtol=1e-5)
    assert action.tolist() == p.argmax(axis=-1).tolist()
    policy.reset(seed=0)
    share = policy.act(many, explore=True).mean(axis=0)
    np.testing.assert_allclose(share, p[:, 1], atol=0.1)
    with pytest.raises(UserError, match="PPO tells no values of actions here"):
        policy.values()


@pytest.mark.nightly
@pytest.mark.parametrize("name", [name for name, entry in ALGORITHMS.items() if entry.learns])
def test_every_algorithm_acts_in_batches_and_explains_itself(name):
    # Breaks where what an algorithm tells of its decisions is not why it acts, or needs more than an episode.
    policy = policy_of(name)
    for begin in (False, True):
        policy.reset(seed=0)
        for t in range(2):
            rows = np.stack([FIRST, SECOND, FIRST]) if t else np.stack([FIRST, FIRST, SECOND])
            action = policy.act(rows, explore=begin)
            assert action.shape == (3, 2)
            told = policy.decisions()
            scores = told.get("action_values", told.get("action_probabilities"))
            if scores is not None and not begin:
                assert scores.shape == (3, 2, 2)
                np.testing.assert_array_equal(scores.argmax(axis=-1), action)
        policy.act(rows)
        with pytest.raises(UserError, match=r"at most 2 steps, and this one has 3: call reset\(\)"):
            policy.decisions()


def test_an_agent_checks_its_own_row():
    # Breaks where a robot's wrong or broken sensor is acted on.
    agent = policy_of("ippo", "actor.hidden=4", "critic.hidden=4").agent("agent_1")
    assert agent.act(FIRST[1]).shape == ()
    with pytest.raises(UserError, match=r"the observation of agent_1 is one row of up to 3 numbers"):
        agent.act(np.zeros((2, 3)))
    with pytest.raises(UserError, match="the observation of agent_1 is nan in feature 2"):
        agent.act(np.array([0, 0, np.nan]))
