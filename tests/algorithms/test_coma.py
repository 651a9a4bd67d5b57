"""COMA: its losses in NumPy on an episode of two steps, its policy's floor, its updates."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from test_value_losses import SPEC, affine, by_number, story

from covey.algorithms.coma import COMA
from covey.core import Observation
from covey.environments.games import TwoStep
from covey.experience import OnPolicy
from covey.networks.agents import AgentCarry, FeedForward
from covey.networks.distributions import epsilon_floor
from covey.parts import ConstantSchedule, Factory, HardTarget, RMSProp
from covey.testing import check_algorithm

SMALL = COMA(
    actor=Factory(FeedForward, hidden=4, depth=1),
    critic=Factory(FeedForward, hidden=5, depth=1),
    gamma=0.9,
    epsilon=ConstantSchedule(0.2),
    actor_optimiser=RMSProp(ConstantSchedule(0.01)),
    critic_optimiser=RMSProp(ConstantSchedule(0.01)),
    target=HardTarget(2),
    experience=OnPolicy(steps=3),
)


def lived(**how):
    """Two steps and the one that begins anew: what was chosen there counts where time cut the episode off."""
    e = story(padded=True, **how)
    last = jnp.concatenate([jnp.full((1, 2), -1), e.action[:-1].astype(int)])
    action = e.action.at[2].set(jnp.array([2, 0], jnp.int8))
    return replace(e, action=action, extras=AgentCarry(jnp.zeros((3, 2, 0)), last))


def learner():
    one = SMALL.init(SPEC, jr.key(0))
    return by_number(one.actor, 2), by_number(one.critic, 4), by_number(one.target.network, 9)


def mlp(net, x):
    return affine(net.layers.layers[1], np.maximum(affine(net.layers.layers[0], x), 0))


def one_hot(i, n):
    return np.eye(n)[i] if i >= 0 else np.zeros(n)


def values(critic, e):
    """Q_i(s, (u_-i, .)), step by step and agent by agent."""
    q = np.zeros((3, 2, 3))
    for t in range(3):
        last = [one_hot(-1 if t == 0 else e.action[t - 1, j], 3) for j in range(2)]
        for i in range(2):
            others = [np.zeros(3) if j == i else one_hot(e.action[t, j], 3) for j in range(2)]
            x = [e.obs.state[t], *last, e.obs.agents[t, i], *others, np.eye(2)[i]]
            q[t, i] = mlp(critic.nets, np.concatenate(x))
    return q


def policy(actor, e):
    p = np.zeros((3, 2, 3))
    for t in range(3):
        for i in range(2):
            last = one_hot(-1 if t == 0 else e.action[t - 1, i], 3)
            x = np.exp(mlp(actor.nets, np.concatenate([e.obs.agents[t, i], last, np.eye(2)[i]])))
            p[t, i] = (0.8 * x / x.sum() + 0.2 / 3) * e.obs.legal[t, i]
            p[t, i] /= p[t, i].sum()
    return p


def by_hand(e, actor, critic, target):
    """Critic's and actor's losses of the two steps, from the equations."""
    q, p, taken = values(critic, e), policy(actor, e), values(target, e)
    taken = np.array([[taken[t, i, e.action[t, i]] for i in range(2)] for t in range(3)])
    g1 = e.team_reward[1, 0] + 0.9 * (0 if e.terminated[1] else taken[2])
    g0 = e.team_reward[0, 0] + 0.9 * (0.2 * taken[1] + 0.8 * g1)
    critic_terms, actor_terms = [], []
    for t, goal in enumerate((g0, g1)):
        for i in range(2):
            u = e.action[t, i]
            critic_terms.append((np.broadcast_to(goal, 2)[i] - q[t, i, u]) ** 2)
            actor_terms.append(-(q[t, i, u] - p[t, i] @ q[t, i]) * np.log(p[t, i, u]))
    return np.mean(critic_terms), np.mean(actor_terms)


FORBIDDEN = np.ones((3, 2, 3), bool)  # some of what was not done
FORBIDDEN[0, 0, 0] = FORBIDDEN[1, 1, 2] = FORBIDDEN[2, 1, 1] = False
HOW = {"cut": {}, "ended": {"terminated": True}, "illegal": {"legal": FORBIDDEN}}


@pytest.mark.parametrize("how", HOW.values(), ids=HOW.keys())
def test_losses_by_hand(how):
    # Breaks if the critic sees its agent's own action, the baseline sums over other actions than the agent's,
    # targets bootstrap through an end or not through a cut, or the floor is left out of the loss.
    e, (actor, critic, target) = lived(**how), learner()
    batch = jax.tree.map(lambda x: x[None], e)
    found = (
        jax.jit(SMALL.critic_loss)(critic, target, batch)[0],
        jax.jit(SMALL.actor_loss)(actor, critic, batch, jnp.array(0.2))[0],
    )
    want = by_hand(jax.tree.map(np.asarray, e), actor, critic, target)
    np.testing.assert_allclose(found, want, rtol=2e-5)


def test_the_advantage_is_a_constant_and_the_baseline_adds_no_bias():
    # Breaks if the actor's loss has a gradient for the critic; the policy's mean of A is 0 whatever Q is.
    e, (actor, critic, _) = lived(), learner()
    batch = jax.tree.map(lambda x: x[None], e)
    grad = jax.grad(lambda critic: SMALL.actor_loss(actor, critic, batch, jnp.array(0.2))[0])(critic)
    assert all(not np.any(x) for x in jax.tree.leaves(grad))
    p, q = (f(jax.tree.map(np.asarray, e)) for f in (lambda e: policy(actor, e), lambda e: values(critic, e)))
    np.testing.assert_allclose(np.sum(p * (q - np.sum(p * q, -1, keepdims=True)), -1), 0, atol=1e-9)


def test_the_floor():
    # Breaks if epsilon is spread over legal actions before illegal ones are dropped, or stays with these.
    legal = jnp.array([True, True, False, False])
    p = epsilon_floor(jnp.log(jnp.array([0.5, 0.1, 0.3, 0.1])), legal, jnp.array(0.4))
    np.testing.assert_allclose(p, [0.4 / 0.56, 0.16 / 0.56, 0, 0], rtol=1e-6)  # .3 + .1, .06 + .1


def test_it_explores_by_its_floor_and_evaluates_without():
    # Breaks if actions are drawn from another policy than the loss has, or evaluation draws.
    one = SMALL.init(SPEC, jr.key(0))
    legal = jnp.array([[True, True, False], [True, True, True]])
    obs = Observation(jnp.ones((2, 2)), jnp.ones(2), legal, jnp.ones(2, bool), jnp.array(True))
    carry = SMALL.init_carry(SPEC, one)
    act = lambda key, explore: SMALL.act(one, carry, obs, key, jnp.array(0), explore)[1]
    drawn = jax.jit(jax.vmap(lambda key: act(key, True)))(jr.split(jr.key(1), 4000))
    x = np.concatenate([np.ones((2, 2)), np.zeros((2, 3)), np.eye(2)], axis=1)
    logits = np.stack([mlp(one.actor.nets, row) for row in x])
    want = np.asarray(epsilon_floor(jnp.asarray(logits, float), legal, jnp.array(0.2)))
    found = np.stack([[np.mean(drawn[:, i] == a) for a in range(3)] for i in range(2)])
    np.testing.assert_allclose(found, want, atol=0.03)
    best = np.argmax(np.where(legal, logits, -np.inf), axis=1)
    np.testing.assert_array_equal(act(jr.key(2), False), best)


def test_targets_are_copied_every_other_update():
    # Breaks if the copy comes early or late, or the target is the actor's concern.
    batch = jax.tree.map(lambda x: jnp.stack([x, x]), lived())
    update = jax.jit(lambda one: SMALL.update(one, batch, jr.key(0), jnp.array(0))[0])
    first = SMALL.init(SPEC, jr.key(0))
    second = update(first)
    third = update(second)
    same = lambda a, b: all(np.array_equal(x, y) for x, y in zip(*map(jax.tree.leaves, (a, b)), strict=True))
    assert same(second.target.network, first.critic) and not same(second.critic, first.critic)
    assert same(third.target.network, third.critic) and not same(third.actor, second.actor)


@pytest.mark.slow
def test_it_keeps_the_protocol():
    # Would break: anything `check_algorithm` looks for.
    check_algorithm(SMALL, TwoStep())
