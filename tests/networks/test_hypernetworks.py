"""Attention, increments applied as a second term, heads of full and low rank, who attends to whom."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.networks import increments as inc
from covey.networks.agents import Recurrent
from covey.networks.attention import Attention, TransformerBlock
from covey.networks.layers import Linear
from toys.hyper import SMALL, SPEC, hyper_mappo, sights, stirred


def test_attention_equals_its_formula():
    # Would break: heads mixed up, a missing scale, rows and columns swapped, masked ones that count.
    attention = Attention(4, 2, key=jr.key(0))
    x = np.asarray(jr.normal(jr.key(1), (3, 4)))
    mask = np.array([True, True, False])
    y, weight = attention(jnp.asarray(x), jnp.asarray(mask))
    apply = lambda layer, x: x @ np.asarray(layer.weight) + np.asarray(layer.bias)
    q, k, v = (apply(layer, x) for layer in (attention.query, attention.key, attention.value))
    mixed = np.zeros((3, 4))
    for head in range(2):
        own = slice(2 * head, 2 * head + 2)
        score = np.exp(q[:, own] @ k[:, own].T / np.sqrt(2)) * mask
        score = score / score.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(weight[head], score, atol=1e-6)
        mixed[:, own] = score @ v[:, own]
    np.testing.assert_allclose(y, apply(attention.out, mixed), atol=1e-5)


def test_a_block_reads_only_the_mask():
    # Would break: moments of another episode read by attention over moments; an outcome that grows as its
    # weights do.
    block = TransformerBlock(4, 2, key=jr.key(0))
    x, mask = jr.normal(jr.key(1), (3, 4)), jnp.array([False, True, True])
    one, two = block(x, mask), block(x.at[0].set(jr.normal(jr.key(2), (4,))), mask)
    np.testing.assert_allclose(one[1:], two[1:], atol=1e-6)
    assert not np.allclose(one[0], two[0], atol=1e-2)
    large = jax.tree.map(lambda w: 100 * w, block)
    np.testing.assert_allclose(jnp.std(large(x, mask), axis=-1), 1.0, atol=1e-3)


def test_low_rank_of_full_rank_is_full():
    # Would break: factors in another order than weights, biases among them. With B the identity, A is dW.
    shapes = ((4, 3), (5, 2))
    full, low = inc.IncrementHead(6, shapes, 0, key=jr.key(0)), inc.IncrementHead(6, shapes, 9, key=jr.key(0))
    blocks, at, bias, into = [], 0, [], []
    size = inc.increment_size(shapes)
    weight = jr.normal(jr.key(1), (6, size))
    for i, o in shapes:
        mine = weight[:, at : at + i * o]
        blocks += [mine, jnp.zeros((6, o * o)), weight[:, at + i * o : at + i * o + o]]
        bias += [jnp.zeros(i * o), jnp.eye(o).ravel(), jnp.zeros(o)]
        at += i * o + o
        into.append(o)
    full = eqx.tree_at(lambda h: h.linear.weight, full, weight)
    low = eqx.tree_at(lambda h: (h.linear.weight, h.linear.bias), low, (jnp.hstack(blocks), jnp.hstack(bias)))
    code = jr.normal(jr.key(2), (7, 6))
    np.testing.assert_allclose(low(code), full(code), atol=1e-5)


def test_low_rank_is_low_and_begins_at_zero():
    # Would break: a rank that limits nothing; a beginning that moves the policy, or that no gradient leaves.
    head = inc.IncrementHead(6, ((4, 3),), 1, key=jr.key(0))
    code = jr.normal(jr.key(1), (6,))
    assert np.all(np.asarray(head(code)) == 0)
    grads = jax.grad(lambda h: jnp.sum(h(code) ** 2 + h(code)))(head)
    assert float(jnp.abs(grads.linear.weight).max()) > 0
    moved = eqx.tree_at(lambda h: h.linear.weight, head, jr.normal(jr.key(2), head.linear.weight.shape))
    assert np.linalg.matrix_rank(np.asarray(moved(code))[:12].reshape(4, 3)) == 1


@pytest.mark.parametrize("layers", ["last", "all", "everything"])
def test_increments_are_the_actors_own_shape(layers):
    # Would break: other layers than those named; weights written in another order than they are read.
    net = Recurrent(3, 2, hidden=4, depth=2, key=jr.key(0))
    vector = inc.flatten_weights(net, layers)
    tree = inc.increment_tree(net, layers, vector)
    assert jax.tree.structure(tree, is_leaf=lambda x: x is None) == jax.tree.structure(net)
    count = {"last": 1, "all": 3, "everything": 9}[layers]
    assert len(jax.tree.leaves(tree)) == 2 * count and len(inc.other_layers(net, layers)) == 9 - count
    for mine, own in zip(inc.chosen_layers(tree, layers), inc.chosen_layers(net, layers), strict=True):
        np.testing.assert_array_equal(mine.weight, own.weight)
        np.testing.assert_array_equal(mine.bias, own.bias)
    assert inc.increment_size(inc.layer_shapes(net, layers)) == len(vector)


def test_increments_are_a_second_term():
    # Would break: another product for one matrix than for one matrix a row; a zero that changes bits.
    layer = Linear(3, 2, key=jr.key(0))
    x = jr.normal(jr.key(1), (5, 4, 3))
    w, b = jr.normal(jr.key(2), (5, 3, 2)), jr.normal(jr.key(3), (5, 2))
    for_all = inc.IncrementedLinear(layer, w, b)(x)
    spread = lambda y: jnp.broadcast_to(y[:, None], (5, 4, *y.shape[1:]))
    for_each = inc.IncrementedLinear(layer, spread(w), spread(b))(x)
    expected = np.einsum("tai,tio->tao", x, w + layer.weight) + (b + layer.bias)[:, None]
    np.testing.assert_allclose(for_all, expected, atol=1e-5)
    np.testing.assert_allclose(for_each, expected, atol=1e-5)
    nothing = inc.IncrementedLinear(layer, jnp.zeros_like(w), jnp.zeros_like(b))(x)
    np.testing.assert_array_equal(nothing, layer(x))
    np.testing.assert_allclose(inc.IncrementedLinear(None, w, b)(x) + layer(x), for_all, atol=1e-5)


@pytest.mark.parametrize("sharing", ["all", "none"])
def test_every_agent_has_its_own_increment(sharing):
    # Would break: an agent with another's increment, or another's step's, in networks shared or not.
    algorithm = hyper_mappo(SMALL, {"sharing": sharing}, {"increments": "agent"}, layers="all")
    learner = stirred(algorithm)
    actor, hyper, obs = learner.ppo.actor, learner.hyper, jax.tree.map(lambda x: x[0], sights(SPEC))
    _, delta, theta = hyper.unroll(actor, hyper.init_carry(SPEC, actor, False), obs)
    policy = hyper.policies(actor, theta, actor.init_carry(), obs)
    moved = hyper.policies(actor, theta.at[3, 1].add(0.5), actor.init_carry(), obs)
    change = np.abs(np.asarray(policy.log_p - moved.log_p)).max(axis=-1)
    assert delta.shape[:2] == change.shape and change[3, 1] > 1e-3
    assert change[:, 0].max() == 0 and change[:3].max() == 0


def test_attention_received_is_a_mean_over_the_living():
    # Would break: columns taken for rows, the dead among those that attend or are attended to.
    learner = stirred(hyper_mappo())
    obs = jax.tree.map(lambda x: x[0], sights(SPEC))
    weight = np.asarray(learner.hyper.attention_received(obs))
    living = np.asarray(obs.alive).any(axis=-1)
    np.testing.assert_allclose(weight.sum(axis=-1), living, atol=1e-5)
    assert np.all(weight[~np.asarray(obs.alive)] < 1e-6) and weight.std() > 1e-3
