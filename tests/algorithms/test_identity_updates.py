"""IPPO and MAPPO whose weights are made by identity, and the metrics that compare agents."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.algorithms.on_policy import agent_metrics
from covey.algorithms.on_policy.passes import Chunk, PolicyCarry, PolicyExtras
from covey.algorithms.ppo import PPO
from covey.core import Observation
from covey.errors import UserError
from covey.networks.agents import AgentNetworks, FeedForward
from covey.networks.identity import HyperSettings
from covey.parts import Factory
from toys.hyper import PLAIN, SPEC, rolled

FLAT = Factory(FeedForward, depth=0)
LINEAR = HyperSettings("identity", generate="both", embedding="one_hot", depth=0)


def ppo(**options):
    base = {"actor": PLAIN, "critic": PLAIN, "critic_input": "own", "epochs": 2, "agent_id": False}
    return PPO(**(base | options))


def updated(algorithm, learner, batch):
    return jax.jit(lambda *x: algorithm.update(*x, jr.key(1), jnp.array(0)))(learner, batch)


@pytest.fixture(scope="module")
def unshared():
    """Networks that nobody shares, and rollouts of them."""
    algorithm = ppo(sharing="none")
    learner = algorithm.init(SPEC, jr.key(0))
    return algorithm, learner, rolled(algorithm, learner)


def test_a_linear_hypernetwork_of_one_hot_codes_is_unshared(unshared):
    # Would break: weights made from anything but the agent's own row; a loss, a critic, a rollout or a value
    # after it that reads other weights than it should.
    algorithm, learner, batch = unshared
    by_identity = ppo(hyper=LINEAR)
    mine = by_identity.init(SPEC, jr.key(0))
    assert not any(isinstance(x, AgentNetworks) for x in (mine.actor.networks, mine.critic.networks))
    same = jax.tree.leaves(rolled(by_identity, by_identity.prepare(mine)))
    for x, y in zip(same, jax.tree.leaves(batch), strict=True):
        np.testing.assert_allclose(x, y, atol=1e-5)
    mine, told = updated(by_identity, mine, batch)
    theirs, expected = updated(algorithm, learner, batch)
    for x, y in zip(
        jax.tree.leaves(by_identity.prepare(mine).networks), jax.tree.leaves(theirs.networks), strict=True
    ):
        np.testing.assert_allclose(x, y, atol=1e-5)
    for name in expected:
        assert float(told[name]) == pytest.approx(float(expected[name]), abs=1e-5), name


def test_gradients_of_who_and_of_what_come_apart(unshared):
    # Would break: weights that depend on observations; an embedding that is left out of the gradient.
    # Observations of 1 are constant, so all that differs between agents comes from embedding and head.
    algorithm, learner, batch = unshared
    batch = replace(batch, obs=replace(batch.obs, agents=jnp.ones_like(batch.obs.agents)))
    by_identity = ppo(hyper=HyperSettings("identity", embed=3, depth=0))
    mine = by_identity.init(SPEC, jr.key(0))

    chunks = jax.jit(algorithm.make_chunks)(learner, batch)

    def gradient(algorithm, learner):
        loss = lambda actor: algorithm.loss(
            eqx.tree_at(lambda n: n.actor, learner.networks, actor), chunks, 0.0, learner.scale
        )[0]
        return jax.grad(loss)(learner.actor).networks

    own = jax.jit(lambda learner: gradient(algorithm, learner))(learner)
    made = jax.jit(lambda learner: gradient(by_identity, learner))(mine)
    flat = jnp.concatenate([x.reshape(2, -1) for x in jax.tree.leaves(own)], axis=-1)
    networks = mine.actor.networks
    assert len(jax.tree.leaves(made)) == 2
    np.testing.assert_allclose(made.head, networks.embedding.T @ flat, atol=1e-6)
    np.testing.assert_allclose(made.embedding, flat @ networks.head.T, atol=1e-6)
    first = own.nets.layers.layers[0]
    np.testing.assert_allclose(first.weight, jnp.broadcast_to(first.bias[:, None], (2, 3, 4)), atol=1e-6)
    assert float(jnp.abs(made.embedding).max()) > 1e-6 and float(jnp.abs(made.head).max()) > 1e-6


def test_contradictions_are_refused():
    # Would break: a setting that has no effect beside another.
    identity = HyperSettings("identity", generate="both", embed=4, hidden=4)
    with pytest.raises(UserError, match=r"the team has one: set hyper\.generate=actor"):
        ppo(hyper=identity, critic_input="state").init(SPEC, jr.key(0))
    with pytest.raises(UserError, match="set sharing=all"):
        ppo(hyper=identity, sharing="none").init(SPEC, jr.key(0))


def test_off_is_the_baseline(unshared):
    # Would break: a copy, or a network, where nothing is made; metrics that change what is learned.
    algorithm, learner, batch = unshared
    prepared = algorithm.prepare(learner)
    assert all(x is y for x, y in zip(jax.tree.leaves(prepared), jax.tree.leaves(learner), strict=True))
    plain, told = updated(algorithm, learner, batch)
    measured, more = updated(replace(algorithm, agent_metrics=True), learner, batch)
    for x, y in zip(jax.tree.leaves(plain), jax.tree.leaves(measured), strict=True):
        np.testing.assert_array_equal(x, y)
    assert set(more) - set(told) == {"diversity", "gradient_variance"}
    assert float(more["diversity"]) > 0 and float(more["gradient_variance"]) > 0


def test_metrics_that_compare_agents_by_hand():
    # Would break: an agent asked about its own observation only, the dead among those that saw, a gradient
    # of the sum of losses, a variance over something else than agents.
    weight = jnp.array([[[0.0, 1.0]], [[0.0, -1.0]]])  # logits (0, x) and (0, -x)
    seen = np.array([[[1.0], [2.0]], [[3.0], [5.0]]])  # two chunks of a step: agent 0 sees 1 and 3
    alive = np.array([[True, True], [True, False]])
    empty = PolicyCarry(jnp.zeros((2, 2, 0)), jnp.zeros((2, 1, 0)))
    obs = Observation(
        jnp.asarray(seen)[:, None], jnp.zeros((2, 1, 0)), jnp.ones((2, 1, 2, 2), bool),
        jnp.asarray(alive)[:, None], jnp.ones((2, 1), bool),
    )  # fmt: skip
    probability = lambda w: 1 / (1 + np.exp(-w * seen[..., 0]))  # of action 1
    p = np.stack([probability(1.0)[:, 0], probability(-1.0)[:, 1]], axis=-1)
    extras = PolicyExtras(
        empty, jnp.ones((2, 1, 2), int), jnp.log(jnp.asarray(p))[:, None], jnp.zeros((2, 1, 1))
    )
    advantage = jnp.array([[[1.0, 2.0]], [[3.0, 4.0]]])
    chunks = Chunk(empty, extras, obs, advantage, jnp.zeros((2, 1, 1)), jnp.ones((2, 1), bool))
    algorithm = ppo(actor=FLAT, sharing="none")
    spec = replace(SPEC, features=1, actions=2)
    actor = jax.tree.map(jnp.zeros_like, algorithm.init(spec, jr.key(0)).actor)
    actor = eqx.tree_at(lambda a: a.networks.nets.layers.layers[0].weight, actor, weight)
    unroll = lambda actor, chunk: actor.unroll(chunk.carry.actor, chunk.obs)
    find = jax.jit(lambda actor, chunks: agent_metrics.agent_metrics(unroll, actor, chunks, 0.2, 0.0))
    found = find(actor, chunks)
    tv = np.abs(2 * probability(1.0) - 1)  # between p(x) and p(-x) = 1 - p(x)
    assert float(found["diversity"]) == pytest.approx(tv[alive].mean(), rel=1e-5)
    # -A d log p / d logits (0, z) = -A (-(1 - p), 1 - p); dW = x times it, db is it
    size = np.asarray(advantage)[:, 0] * (1 - p)
    first = np.mean([size[:, 0] * seen[:, 0, 0], size[:, 0]], axis=1)  # of both steps
    second = np.array([size[0, 1] * seen[0, 1, 0], size[0, 1]])  # of the one it lived
    # Each agent has its own array, so the mean is half of each: n |g_i - g|^2 sums to (|a|^2 + |b|^2) / 2 / 2
    total = 2 * (first**2).sum() + 2 * (second**2).sum()
    assert float(found["gradient_variance"]) == pytest.approx(total / 4, rel=1e-4)
