"""IGM by enumeration, monotonicity by differentiation, and QMIX's mixing network in NumPy."""

from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.flatten_util import ravel_pytree

from covey.networks.mixers import Choices, IndependentMixer, MonotonicMixer, SumMixer, single_choices
from covey.parts import Factory

WORLD = 3
MIXERS = {
    "two-layer": Factory(MonotonicMixer, embed=8, hyper=16),
    "one-layer": Factory(MonotonicMixer, embed=8, hyper=0),
    "sum": Factory(SumMixer),
}
seeds = st.integers(0, 2**31 - 1)


def random_mixer(make, agents, key):
    """Any parameters at all, not only those that a mixer begins with."""
    flat, restore = ravel_pytree(make(agents, WORLD, 3, key=jr.key(0)))
    return restore(jr.normal(key, flat.shape))


def every_joint_value(make, agents, seed):
    """Q_i of 3 actions each, and Q_tot of every joint action in one random state."""
    parameters, values, state = jr.split(jr.key(seed), 3)
    mixer = random_mixer(make, agents, parameters)
    q = jr.normal(values, (agents, 3))
    joint = np.array(list(product(range(3), repeat=agents)))
    table = jnp.broadcast_to(q, (len(joint), agents, 3))
    choices = Choices(table, jnp.array(joint), jnp.ones(table.shape, bool))
    world = jnp.broadcast_to(jr.normal(state, (WORLD,)), (len(joint), WORLD))
    return q, mixer(choices, world)[:, 0].reshape((3,) * agents)


@pytest.mark.parametrize("agents", [1, 2, 4])
@pytest.mark.parametrize("name", MIXERS)
def test_igm(name, agents):
    # Breaks if one weight of the mixer can be negative: then some state and values exist for which
    # the agents' own best actions are not the team's. Equal up to rounding, so values are compared.
    values = jax.jit(partial(every_joint_value, MIXERS[name], agents))

    @settings(max_examples=50, deadline=None)
    @given(seed=seeds)
    def holds(seed):
        q, total = jax.device_get(values(seed))
        best = np.max(total)
        assert total[tuple(np.argmax(q, axis=-1))] >= best - 1e-5 * max(1.0, abs(best))

    holds()


@pytest.mark.parametrize("name", MIXERS)
def test_monotone_in_every_agents_value(name):
    # Breaks if the absolute value is left out on either layer, or ELU gives way to something that falls.
    @jax.vmap
    def slope(key):
        parameters, values, state = jr.split(key, 3)
        mixer = random_mixer(MIXERS[name], 3, parameters)
        return jax.grad(lambda q: mixer(single_choices(q), jr.normal(state, (WORLD,)))[0])(
            5 * jr.normal(values, (3,))
        )

    slopes = slope(jr.split(jr.key(0), 5000))
    assert jnp.all(slopes >= 0)
    assert jnp.mean(slopes > 0) > 0.9


def test_igm_can_fail():
    # Breaks if the enumeration above could not tell: a mixer that is not monotone must fail it.
    class Difference(SumMixer):
        def __call__(self, choices, world):
            q = choices.chosen
            return q[..., :1] - q[..., 1:]

    q, total = jax.device_get(every_joint_value(Factory(Difference), 2, 0))
    assert total[tuple(np.argmax(q, axis=-1))] < np.max(total) - 0.1


@pytest.mark.parametrize("hyper", [0, 16])
def test_mixing_network(hyper):
    # Breaks if a bias is made positive, the weights' rows belong to the wrong agent, V(s) is left
    # out, or its hidden layer is not `embed` wide: h = ELU(q |W1| + b1), Q_tot = h |W2| + V.
    mixer = MonotonicMixer(2, WORLD, 3, embed=4, hyper=hyper, key=jr.key(0))
    q, s = np.array([0.5, -2.0]), np.array([1.0, -1.0, 0.3])

    def mlp(net, x):
        for layer in net.layers[:-1]:
            x = np.maximum(x @ np.asarray(layer.weight) + np.asarray(layer.bias), 0)
        return x @ np.asarray(net.layers[-1].weight) + np.asarray(net.layers[-1].bias)

    w1, w2 = np.abs(mlp(mixer.w1, s)), np.abs(mlp(mixer.w2, s))
    b1 = s @ np.asarray(mixer.b1.weight) + np.asarray(mixer.b1.bias)
    before = q[0] * w1[:4] + q[1] * w1[4:] + b1
    hidden = np.where(before > 0, before, np.exp(before) - 1)
    want = hidden @ w2 + mlp(mixer.v, s)
    np.testing.assert_allclose(mixer(single_choices(jnp.array(q)), jnp.array(s)), want, rtol=1e-5)
    assert len(mixer.w1.layers) == (2 if hyper else 1)
    assert mixer.v.layers[0].weight.shape == (WORLD, 4)


def test_the_simple_ones():
    # Breaks if VDN averages, or IQL mixes.
    q, world = jnp.array([[1.0, 2.0, 4.0]]), jnp.zeros((1, WORLD))
    choices = single_choices(q)
    np.testing.assert_array_equal(SumMixer(3, WORLD, 3, key=jr.key(0))(choices, world), [[7.0]])
    np.testing.assert_array_equal(IndependentMixer(3, WORLD, 3, key=jr.key(0))(choices, world), q)
