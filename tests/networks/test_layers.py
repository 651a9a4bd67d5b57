"""Layers against PyTorch's equations, written in NumPy, and its initial distributions."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.networks.layers import GRU, MLP, Linear

ACTIVATED = {"relu": lambda x: np.maximum(x, 0), "tanh": np.tanh}


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


def normed(x):
    x = x - x.mean(axis=-1, keepdims=True)
    return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-5)


@pytest.mark.parametrize("activated", [False, True])
@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("activation", ACTIVATED)
def test_mlp_normalises_its_input_and_what_is_activated(activation, norm, activated):
    # Would break: the other activation, a norm before activations, one after the last layer, none on the
    # input, a deviation over another axis, an activation of the last layer where none is asked for. (Of two
    # outputs, which may be all but equal, the deviation would be that of their rounding.)
    net = MLP(3, 8, 8, 5, activation=activation, norm=norm, activated=activated, key=jr.key(0))
    after = lambda x: normed(x) if norm else x
    x = numbers(5, 4, 3)
    want = after(np.asarray(x))
    for n, layer in enumerate(net.layers):
        want = want @ np.asarray(layer.weight) + np.asarray(layer.bias)
        if n < 2 or activated:
            want = after(ACTIVATED[activation](want))
    np.testing.assert_allclose(net(x), want, rtol=1e-4, atol=1e-5)


def test_layer_norm_of_a_constant_is_finite():
    # Would break: a division by a deviation of zero, in the value or in its slope.
    net = MLP(4, 2, norm=True, key=jr.key(0))
    same = jnp.full((3, 4), 7.0)
    np.testing.assert_allclose(net(same), jnp.broadcast_to(net.layers[0].bias, (3, 2)), atol=1e-6)
    assert jnp.isfinite(jax.grad(lambda x: net(x).sum())(same)).all()


def gain_of(weight):
    """What an orthogonal matrix was multiplied by; its shorter side's rows are orthogonal."""
    w = np.asarray(weight)
    gram = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    gain = np.sqrt(np.diag(gram).mean())
    np.testing.assert_allclose(gram, gain**2 * np.eye(len(gram)), atol=1e-5 * max(1, gain**2))
    return gain


@pytest.mark.parametrize(("i", "o"), [(4, 7), (7, 4), (5, 5)])
def test_a_gain_makes_weights_orthogonal_and_biases_zero(i, o):
    # Would break: draws that are merely normal, a gain left out or squared, a bias that is drawn too.
    layer = Linear(i, o, gain=0.3, key=jr.key(0))
    assert gain_of(layer.weight) == pytest.approx(0.3, rel=1e-4)
    assert not layer.bias.any()


@pytest.mark.parametrize(("activation", "inner"), [("relu", 2**0.5), ("tanh", 5 / 3)])
def test_inner_gains_suit_the_activation_and_the_last_is_the_option(activation, inner):
    # Would break: the last layer's gain on an inner one, the other activation's gain, or a last layer that is
    # activated and yet begins as one that is not.
    make = lambda **more: MLP(6, 8, 8, 3, activation=activation, gain=0.01, key=jr.key(0), **more)
    np.testing.assert_allclose([gain_of(x.weight) for x in make().layers], [inner, inner, 0.01], rtol=1e-4)
    np.testing.assert_allclose(
        [gain_of(x.weight) for x in make(activated=True).layers], [inner] * 3, rtol=1e-4
    )


def test_all_of_a_gru_begins_orthogonal_with_a_gain():
    # Would break: a gate that still begins uniform.
    gru = GRU(5, 4, gain=1.0, key=jr.key(2))
    for layer in (*gru.inputs, *gru.hidden):
        assert gain_of(layer.weight) == pytest.approx(1, rel=1e-4)
        assert not layer.bias.any()


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


@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
def test_an_unrolled_gru_is_one_step_after_another(batch):
    # Would break: any term of its own gradient; a state that survives the start of an episode; what
    # belongs to the first memory and to the inputs left out.
    gru, key = GRU(4, 5, key=jr.key(0)), jr.key(1)
    h, xs = jr.normal(jr.key(2), (*batch, 5)), jr.normal(key, (6, *batch, 4))
    first = jnp.array([False, False, True, False, False, True])
    wanted = jr.normal(jr.key(3), (6, *batch, 5))

    def told(gru, h, xs):
        return jnp.sum(wanted * gru.unroll(h, gru.project(xs), first))

    def stepwise(gru, h, xs):
        total = 0.0
        for x, new, weight in zip(xs, first, wanted, strict=True):
            h = gru(jnp.where(new, 0.0, h), gru.project(x))
            total += jnp.sum(weight * h)
        return total

    here, there = (jax.value_and_grad(f, argnums=(0, 1, 2))(gru, h, xs) for f in (told, stepwise))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), here, there)


def test_an_unrolled_gru_maps_like_any_function():
    # Would break: a gradient that does not add up the mapped examples for shared weights.
    gru, first = GRU(4, 5, key=jr.key(0)), jnp.zeros((2, 6), bool).at[1, 3].set(True)
    h, xs = jr.normal(jr.key(2), (2, 5)), jr.normal(jr.key(1), (2, 6, 4))

    def total(gru, h, xs, first):
        return jnp.sum(gru.unroll(h, gru.project(xs), first) ** 2)

    mapped = jax.grad(lambda g: jnp.sum(jax.vmap(lambda *x: total(g, *x))(h, xs, first)))(gru)
    one = [jax.grad(total)(gru, h[i], xs[i], first[i]) for i in range(2)]
    added = jax.tree.map(jnp.add, *one)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), mapped, added)


def test_xavier_is_uniform_by_both_fans():
    # Would break: fan-in alone, a bias that is not zero.
    layer = Linear(40, 20, xavier=True, key=jr.key(0))
    assert not layer.bias.any()
    assert 0.99 < float(jnp.abs(layer.weight).max()) / 0.1**0.5 <= 1.0
