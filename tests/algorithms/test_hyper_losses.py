"""L_smooth, L_align, accumulated weights by hand: two agents, two steps an episode, two numbers to see."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from covey.algorithms.on_policy.passes import Chunk, PolicyCarry, PolicyExtras
from covey.algorithms.on_policy.regularisers import unroll_policies
from covey.core import Observation, Spec
from covey.networks.agents import FeedForward
from covey.networks.distributions import Categorical
from covey.networks.hyper_carry import HyperCarry
from covey.parts import Factory
from toys.hyper import SPEC as RANDOM
from toys.hyper import hyper_mappo, rolled, stirred

SPEC = Spec(("a", "b"), features=2, actions=2, horizon=2)
FLAT = Factory(FeedForward, depth=0)
OWN = {"context": "own", "increments": "agent", "agent_id": False, "width": 2, "heads": 1}
SEEN = np.array(
    [
        [[1, 0], [0, 1]],
        [[2, 0], [0, 3]],  # the first episode's second step
        [[5, 5], [5, 5]],
        [[5, 6], [8, 5]],  # the second one's
    ],
    np.float32,
)


def made(**options):
    """The code is what is seen. The first number is added to W[0, 0], twice the second to W[1, 1], and both
    to b[0]; base weights are zero."""
    algorithm = hyper_mappo(FLAT, {"agent_id": False}, OWN, **options)
    learner = algorithm.init(SPEC, jax.random.key(0))
    one = jnp.eye(2)
    head = jnp.zeros((2, 6)).at[0, 0].set(1.0).at[1, 3].set(2.0).at[:, 4].set(1.0)
    actor = jax.tree.map(jnp.zeros_like, learner.ppo.actor)
    where = lambda d: [layer.weight for layer in d.encoder.layers] + [d.head.linear.weight]
    hyper = eqx.tree_at(where, learner.hyper, [one, one, head])
    bias = lambda d: [layer.bias for layer in d.encoder.layers]
    hyper = eqx.tree_at(bias, hyper, [jnp.zeros(2), jnp.zeros(2)])
    return algorithm, replace(learner, ppo=replace(learner.ppo, actor=actor), hyper=hyper)


OLD = np.array([0.5, 0.25])  # the rollout's probability of the first choice, of each agent


def chunk(steps, first, valid=None, theta=None):
    """Steps in a row, by number; who begins an episode; what was accumulated before."""
    t = len(steps)
    alive, legal = jnp.ones((t, 2), bool), jnp.ones((t, 2, 2), bool)
    obs = Observation(jnp.asarray(SEEN[steps]), jnp.zeros((t, 0)), legal, alive, jnp.asarray(first))
    carried = HyperCarry(None, None, None, theta)
    carry = PolicyCarry(jnp.zeros((2, 0)), jnp.zeros((1, 0)), carried)
    choice = jnp.zeros((t, 2), int)
    old = np.log(np.stack([OLD, 1 - OLD], axis=-1), dtype=np.float32)
    policy = Categorical(jnp.broadcast_to(old, (t, 2, 2)), legal)
    extras = PolicyExtras(
        carry, choice, jnp.log(jnp.broadcast_to(OLD, (t, 2))), jnp.zeros((t, 1)), (choice, policy)
    )
    valid = jnp.ones(t, bool) if valid is None else jnp.asarray(valid)
    return Chunk(carry, extras, obs, jnp.zeros((t, 2)), jnp.zeros((t, 1)), valid)


def told(algorithm, learner, *chunks):
    batch = jax.tree.map(lambda *x: jnp.stack(x), *chunks)
    params = (learner.ppo.actor, learner.hyper)
    return jax.jit(lambda b: algorithm.loss(params, learner, b, 0.0)[1])(batch)


# |D_t - D_{t-1}|^2 with D = (x, 0, 0, 2 y, x + y, 0):
A = (1 + 0 + 1, 0 + 16 + 4)  # first episode, of each agent: x by 1; y by 2
B = (0 + 4 + 1, 9 + 0 + 9)  # second: y by 1; x by 3
CROSS = (9 + 100 + 64, 25 + 16 + 49)  # from one into the other: (2, 0) to (5, 5), (0, 3) to (5, 5)


def test_smoothness_of_one_episode():
    # Would break: a factor, a mean over parameters, a first step that is compared with anything.
    algorithm, learner = made()
    found = told(algorithm, learner, chunk([0, 1], [True, False]))
    assert float(found["smooth_loss"]) == pytest.approx(sum(A) / 2)


def test_smoothness_across_a_boundary_of_episodes():
    # Would break: the last step of an episode compared with the first of the next.
    algorithm, learner = made()
    both = [True, False, True, False]
    assert float(told(algorithm, learner, chunk([0, 1, 2, 3], both))["smooth_loss"]) == pytest.approx(
        sum(A + B) / 4
    )
    one = [True, False, False, False]
    assert float(told(algorithm, learner, chunk([0, 1, 2, 3], one))["smooth_loss"]) == pytest.approx(
        sum(A + B + CROSS) / 6
    )
    unreal = chunk([0, 1, 2, 3], one, valid=[True, False, True, True])
    assert float(told(algorithm, learner, unreal)["smooth_loss"]) == pytest.approx(sum(B) / 2)


def test_smoothness_across_a_boundary_of_chunks():
    # Would break: steps compared with another chunk's, or with the one before in memory.
    algorithm, learner = made()
    on = [False, False]
    found = told(algorithm, learner, chunk([0, 1], on), chunk([2, 3], on))
    assert float(found["smooth_loss"]) == pytest.approx(sum(A + B) / 4)


def test_alignment():
    # Would break: the KL the other way round, estimated from what was taken, or of a mean of policies.
    algorithm, learner = made()
    steps = chunk([0, 1], [True, False])
    x, y = SEEN[:2, :, 0], SEEN[:2, :, 1]
    logit = np.stack([x * x + x + y, 2 * y * y], axis=-1)  # o W + b
    new = np.exp(logit) / np.exp(logit).sum(axis=-1, keepdims=True)
    old = np.stack([OLD, 1 - OLD], axis=-1)
    kl = np.sum(old * np.log(old / new), axis=-1)
    found = told(algorithm, learner, steps)
    assert float(found["align_loss"]) == pytest.approx(kl.mean(), rel=1e-5)
    size = np.sqrt(x**2 + 4 * y**2 + (x + y) ** 2)
    assert float(found["increment_norm"]) == pytest.approx(size.mean(), rel=1e-5)
    whole = found["policy_loss"] + 0.1 * found["smooth_loss"] + 0.05 * found["align_loss"]
    assert float(found["actor_loss"]) == pytest.approx(float(whole), rel=1e-5)


def test_the_size_of_increments():
    # Would break: a norm for its square, a step left out, increments that are not compared with theta alone.
    algorithm, learner = made(norm_weight=0.5, smooth_weight=0.0, align_weight=0.0)
    found = told(algorithm, learner, chunk([0, 1], [True, False]))
    x, y = SEEN[:2, :, 0], SEEN[:2, :, 1]
    square = np.mean(x**2 + 4 * y**2 + (x + y) ** 2)
    assert float(found["norm_loss"]) == pytest.approx(square, rel=1e-5)
    assert float(found["actor_loss"]) == pytest.approx(float(found["policy_loss"]) + 0.5 * square, rel=1e-5)


def test_smoothness_of_policies():
    # Would break: another place than today's, the KL the other way round, a first step that is compared.
    algorithm, learner = made(smooth_on="policy")
    found = told(algorithm, learner, chunk([0, 1], [True, False]))
    x, y = SEEN[:2, :, 0], SEEN[:2, :, 1]

    def log_policy(t):  # at the second step, with the increments of step t
        logit = np.stack([x[1] * x[t] + x[t] + y[t], 2 * y[1] * y[t]], axis=-1)
        return logit - np.log(np.exp(logit).sum(axis=-1, keepdims=True))

    kl = np.sum(np.exp(log_policy(0)) * (log_policy(0) - log_policy(1)), axis=-1)
    assert float(found["smooth_loss"]) == pytest.approx(kl.mean(), rel=1e-4)


def test_accumulated_weights_by_hand():
    # Would break: weights that are not carried into a chunk, not forgotten with an episode, added twice.
    algorithm, learner = made(compose="accumulate")
    before = jnp.full((2, 6), 10.0)
    steps = chunk([0, 1, 2, 3], [False, False, True, False], theta=before)
    _, theta, _ = unroll_policies(learner.hyper, learner.ppo.actor, steps)
    x, y = SEEN[..., 0], SEEN[..., 1]
    nil = np.zeros_like(x)
    delta = np.stack([x, nil, nil, 2 * y, x + y, nil], axis=-1)
    expected = [10 + delta[0], 10 + delta[0] + delta[1], delta[2], delta[2] + delta[3]]
    np.testing.assert_allclose(theta, np.stack(expected), rtol=1e-6)
    smooth = float(told(algorithm, learner, steps)["smooth_loss"])
    assert smooth == pytest.approx(np.mean(np.sum(delta[[1, 3]] ** 2, axis=-1)), rel=1e-5)


def test_accumulated_weights_are_the_sum_since_the_reset():
    # Would break: sums that acting forgets, or that a rollout stores of another step than the one before.
    algorithm = hyper_mappo(compose="accumulate")
    learner = stirred(algorithm)

    @jax.jit
    def find(learner):
        batch = rolled(algorithm, learner)
        base = learner.hyper.init_carry(RANDOM, learner.ppo.actor, False)
        one = lambda obs: learner.hyper.unroll(learner.ppo.actor, base, obs)[1]
        return batch.extras.carry.more.theta, jax.vmap(one)(batch.obs), batch.obs.first

    stored, delta, first = map(np.asarray, find(learner))
    for n in range(len(stored)):
        total = np.zeros_like(delta[n, 0])
        for t in range(stored.shape[1]):
            total = np.zeros_like(total) if first[n, t] else total
            np.testing.assert_allclose(stored[n, t], total, atol=1e-4)
            total = total + delta[n, t]
