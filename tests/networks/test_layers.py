"""Layers against PyTorch's equations, written again in NumPy, and its initial distributions."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.networks.layers import GRU, MLP, Linear


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numbers(*shape):
    return jnp.asarray(np.random.default_rng(0).normal(size=shape), jnp.float32)


def test_linear_is_a_matrix_and_a_bias():
    # Breaks if the weight is transposed or the bias left out; leading axes are of no account.
    layer, x = Linear(3, 2, key=jr.key(0)), numbers(4, 5, 3)
    np.testing.assert_allclose(layer(x), x @ np.asarray(layer.weight) + np.asarray(layer.bias), rtol=1e-6)


def test_mlp_has_relu_between_layers_and_none_at_the_end():
    # Breaks if the last layer is rectified, or an inner one is not.
    net, x = MLP(3, 8, 8, 2, key=jr.key(0)), numbers(50, 3)
    h = x
    for layer in net.layers[:-1]:
        h = np.maximum(h @ np.asarray(layer.weight) + np.asarray(layer.bias), 0)
    last = net.layers[-1]
    want = h @ np.asarray(last.weight) + np.asarray(last.bias)
    np.testing.assert_allclose(net(x), want, rtol=1e-5, atol=1e-6)
    assert (want < 0).any()


def test_gru_is_pytorchs():
    # Breaks if the reset gate is applied before the hidden matrix (the paper's first form), if the
    # update gate weighs the wrong side, or if gates are mixed up.
    gru, h, x = GRU(3, 4, key=jr.key(0)), numbers(2, 4), numbers(2, 3)
    (ir, iz, inew), (hr, hz, hn) = gru.inputs, gru.hidden
    affine = lambda layer, x: x @ np.asarray(layer.weight) + np.asarray(layer.bias)
    r = sigmoid(affine(ir, x) + affine(hr, h))
    z = sigmoid(affine(iz, x) + affine(hz, h))
    n = np.tanh(affine(inew, x) + r * affine(hn, h))
    np.testing.assert_allclose(gru(h, gru.project(x)), (1 - z) * n + z * h, rtol=1e-5, atol=1e-6)


def is_uniform(x, bound):
    """Within the bound, and its quantiles where a uniform draw's lie (a Kolmogorov-Smirnov test)."""
    u = np.sort((np.ravel(x) / bound + 1) / 2)
    assert u[0] >= 0
    assert u[-1] <= 1
    steps = np.arange(1, u.size + 1) / u.size
    return np.max(np.abs(u - steps)) < 1.95 / np.sqrt(u.size)  # a fair draw fails once in a thousand


@pytest.mark.parametrize("leaf", ["weight", "bias"])
def test_linear_begins_uniform_by_fan_in(leaf):
    # Breaks if the bound comes from the fan-out, or a bias begins at zero.
    assert is_uniform(getattr(Linear(16, 3000, key=jr.key(1)), leaf), 16**-0.5)


def test_all_of_a_gru_begins_uniform_by_its_width():
    # Breaks if input matrices take the input's width, or biases begin at zero: PyTorch's do not.
    for leaf in jax.tree.leaves(GRU(5, 400, key=jr.key(2))):
        assert is_uniform(leaf, 400**-0.5)


def test_no_two_leaves_share_a_draw():
    # Breaks if two parts are given the same name, hence the same key.
    gru = GRU(4, 4, key=jr.key(3))
    weights = [np.asarray(leaf).ravel()[:4] for leaf in jax.tree.leaves(gru)]
    assert len({tuple(w) for w in weights}) == len(weights)
    assert not jnp.array_equal(*[layer.weight for layer in MLP(4, 4, 4, key=jr.key(3)).layers])
