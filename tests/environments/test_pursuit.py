"""Pursuit: tag's steps and sights, by the original's record; what is paid, in plain NumPy from its places."""

import jax
import jax.random as jr
import numpy as np
import pytest
from mpe2 import simple_tag_v3
from originals import assert_same_steps, chase, distances, record

from covey.environments.particles.chase import ChaseState
from covey.environments.particles.pursuit import Pursuit
from covey.environments.particles.tag import Tag


def outside(x):
    """What it costs to be there, along one axis."""
    return 0.0 if x < 0.9 else 10 * (x - 0.9) if x < 1 else min(np.exp(2 * x - 2), 10.0)


def paid(pos, hunters):
    """Everybody's reward and the teams', for each step on record."""
    rewards, teams = [], []
    for places in np.moveaxis(pos, -1, 0):
        d = distances(places[:hunters, :, None], places[hunters:, :, None])[..., 0]
        touching = d < 0.125
        hunt = [-0.1 * min(d[i]) + 10 * sum(touching[i]) for i in range(len(d))]
        penalty = [outside(abs(x)) + outside(abs(y)) for x, y in places[hunters:]]
        flee = [0.1 * sum(d[:, j]) - 10 * sum(touching[:, j]) - cost for j, cost in enumerate(penalty)]
        rewards.append(hunt + flee)
        nearest = sum(min(d[:, j]) for j in range(d.shape[1]))
        teams.append([-0.1 * nearest + 10 * touching.sum(), np.mean(flee)])
    return np.array(rewards), np.array(teams)


@pytest.mark.slow
@pytest.mark.parametrize(("counts", "continuous"), [((5, 2, 2), False), ((2, 3, 0), True)])
def test_each_step_is_tag_s_and_pays_what_it_says(counts, continuous):
    # Would break: a contact that pays other hunters, a hunter nearest to both that counts once.
    names = dict(zip(("num_adversaries", "num_good", "num_obstacles"), counts, strict=True))
    parallel = simple_tag_v3.parallel_env(**names, continuous_actions=continuous)
    told = record(parallel, chase, [1, 0.3, 0.5, 1.5] * 3)
    pos, hunters = told.after["pos"], counts[0]
    d = distances(pos[:hunters], pos[hunters:])
    reward, teams = paid(pos, hunters)
    env = Pursuit(*counts, continuous=continuous)
    sure = (np.abs(d - 0.125) > 1e-5).all((0, 1))
    state, step = assert_same_steps(env, ChaseState, told._replace(reward=reward), teams, sure)
    contacts = (d < 0.125).sum((0, 1))
    assert (contacts > 0).sum() > 20
    assert contacts.max() > 1
    assert (np.argmin(d, 0) == np.argmin(d, 0)[:1]).all(0).any()  # one is nearest to all prey
    whole = np.concatenate([state.pos, state.vel, state.obstacles]).reshape(env.spec.state, -1)
    np.testing.assert_array_equal(step.obs.state, whole.T)
    np.testing.assert_array_equal(step.counts["captures"][sure], contacts[sure])


def test_five_hunt_two_and_begin_as_in_tag():
    # Would break: other defaults, names or beginnings, a state without obstacles.
    env, key = Pursuit(), jr.key(0)
    assert env.spec.names == (*(f"adversary_{i}" for i in range(5)), "agent_0", "agent_1")
    assert env.spec.team == ("adversary",) * 5 + ("agent",) * 2
    assert env.spec.state == 7 * 4 + 2 * 2
    state, obs = env.reset(key, 3)
    tag, seen = Tag(5, 2, 2).reset(key, 3)
    jax.tree.map(np.testing.assert_array_equal, state, tag)
    np.testing.assert_array_equal(obs.agents, seen.agents)
    np.testing.assert_array_equal(obs.state[:, :14], np.moveaxis(np.asarray(state.pos), -1, 0).reshape(3, 14))
