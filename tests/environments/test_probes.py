"""Probes have the best returns that they claim, and what misses the point gets what it should."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from covey.environments.probes import Coordination, Death, Meeting, Recall, Truncation
from covey.ops import named

N = 4000


def returns(env, policy, carry=None):
    """Team returns of N episodes; `policy(memory, obs)` is told all observations, and remembers."""
    key = jr.key(0)
    state, obs = jax.jit(env.reset, static_argnums=1)(named(key, "reset"), N)
    total, ends = 0.0, []
    step = jax.jit(env.step)
    for t in range(env.spec.horizon):
        carry, action = policy(carry, obs)
        state, now = step(state, action, named(key, "step", t))
        obs, total = now.obs, total + now.team_reward[:, 0]
        ends.append((bool(now.terminated.all()), bool(now.truncated.all())))
    assert ends[:-1] == [(False, False)] * (len(ends) - 1)
    return np.asarray(total), ends[-1]


def sign(x):
    return (x > 0).astype(int)


def test_recall_rewards_memory_and_only_memory():
    # Would break: a bit that can still be seen when it has to be acted out, or is asked for too early.
    remember = lambda m, obs: (obs.agents[..., 0] if m is None else m,) * 2
    best, end = returns(Recall(3), lambda m, obs: (remember(m, obs)[0], sign(remember(m, obs)[1])))
    assert best.min() == 1
    assert end == (True, False)
    forgetful, _ = returns(Recall(3), lambda m, obs: (None, sign(obs.agents[..., 0])))
    assert abs(forgetful.mean() - 0.25) < 0.03


def test_coordination_needs_a_leader_and_a_follower():
    # Would break: a bit that the right agent sees, or pay for whoever ignores the other.
    best, end = returns(Coordination(), lambda m, obs: (None, sign(obs.agents[..., 0])))
    assert best.min() == 1
    assert end == (True, False)
    blind, _ = returns(Coordination(), lambda m, obs: (None, sign(obs.agents[..., 0]).at[:, 1].set(1)))
    assert abs(blind.mean() - 0.5) < 0.03


def test_truncation_pays_always_and_never_terminates():
    # Would break: anything that tells the time, or an end instead of a cut.
    env = Truncation(horizon=4)
    total, end = returns(env, lambda m, obs: (None, jnp.zeros((N, 2), int)))
    assert (total == 4).all()
    assert end == (False, True)
    state, obs = env.reset(jr.key(0), 1)
    _, step = env.step(state, jnp.zeros((1, 2), int), jr.key(0))
    assert (obs.agents == step.obs.agents).all()
    assert (obs.state == step.obs.state).all()


def test_meeting_is_worth_a_third_of_a_step():
    # Would break: another speed or start than those that the expected return is computed from.
    straight = lambda m, obs: (None, jnp.clip(-obs.agents / 0.3, -1.0, 1.0))
    best, end = returns(Meeting(), straight)
    assert abs(best.mean() + 0.33) < 0.02
    assert end == (False, True)
    still, _ = returns(Meeting(), lambda m, obs: (None, jnp.zeros((N, 2, 1))))
    assert abs(still.mean() + 5.0) < 0.1


def test_death_leaves_the_living_to_go_on():
    # Would break: a dead agent that still counts, is still paid, or can still choose.
    env = Death(life=2, horizon=4)
    best, end = returns(env, lambda m, obs: (None, sign(obs.agents[..., 0])))
    assert best.min() == 4
    assert end == (True, False)
    (state, obs), advance = env.reset(jr.key(0), 8), jax.jit(env.step)
    for t in range(1, 5):
        state, step = advance(state, sign(obs.agents[..., 0]), named(jr.key(0), "step", t))
        obs = step.obs
        left = t < 2
        assert obs.alive[:, 0].all() == left
        assert obs.alive[:, 1].all()
        assert (obs.legal[:, 0] == jnp.array([True, left])).all()
        assert bool((obs.agents[:, 0] != 0).any()) == left
        np.testing.assert_array_equal(step.reward, np.tile([float(t <= 2), 1.0], (8, 1)))
