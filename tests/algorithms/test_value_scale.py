"""The running scale of values, by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from covey.algorithms.on_policy.value_scale import ValueNorm

BETA = 0.9


def told(returns, mask=None):
    returns = jnp.asarray(returns, float)[:, None]
    return returns, jnp.ones(len(returns), bool) if mask is None else jnp.asarray(mask)


def test_the_first_batch_is_the_scale():
    # Would break: a start at zero that is not corrected for: with beta near 1 it would last for ever.
    scale = ValueNorm().update(*told([1.0, 5.0]))
    assert float(scale.centre) == pytest.approx(3.0, rel=1e-4)
    assert float(scale.deviation) == pytest.approx(2.0, rel=1e-4)


def test_old_returns_are_forgotten_slowly():
    # Would break: weights that do not sum to one, moments of single batches averaged as deviations.
    batches = [np.array([1.0, 5.0]), np.array([-3.0, 9.0]), np.array([0.0, 0.5])]
    scale = ValueNorm()
    for batch in batches:
        scale = scale.update(*told(batch), beta=BETA)
    weight = np.array([BETA**2, BETA, 1.0]) / (BETA**2 + BETA + 1)
    mean = weight @ [b.mean() for b in batches]
    square = weight @ [(b**2).mean() for b in batches]
    assert float(scale.centre) == pytest.approx(mean, rel=1e-5)
    assert float(scale.deviation) == pytest.approx(np.sqrt(square - mean**2), rel=1e-5)


def test_steps_that_are_not_real_do_not_count():
    # Would break: padding among the returns.
    scale = ValueNorm().update(*told([1.0, 5.0, 100.0], [True, True, False]))
    assert float(scale.centre) == pytest.approx(3.0, rel=1e-4)


def test_there_and_back():
    # Would break: a deviation on one side, a variance on the other.
    scale, x = ValueNorm().update(*told([1.0, 5.0])), jnp.array([7.0, -1.0])
    np.testing.assert_allclose(scale.normalise(x), [2.0, -2.0], rtol=1e-4)
    np.testing.assert_allclose(scale.denormalise(scale.normalise(x)), x, rtol=1e-4)


def test_the_scale_of_a_batch_brings_it_to_mean_0_and_deviation_1():
    # Would break: one row or one column of the returns left out of the moments.
    x = jnp.array([[3.0, -1.0], [8.0, 2.0]])
    z = np.asarray(ValueNorm().update(x, jnp.ones(2, bool), BETA).normalise(x))
    np.testing.assert_allclose([z.mean(), z.std()], [0, 1], atol=1e-5)


def test_before_the_first_batch_there_is_nothing_to_divide_by_but_the_least():
    # Would break: zero divided by zero, the weight's clamp left out.
    scale = ValueNorm()
    assert (float(scale.centre), float(scale.deviation)) == (0, pytest.approx(0.1))


def test_equal_returns_do_not_blow_up():
    # Would break: a division by a deviation of zero. The variance is at least .01.
    assert float(ValueNorm().update(*told([2.0, 2.0])).deviation) == pytest.approx(0.1)


def test_one_that_does_not_run_changes_nothing():
    # Would break: `normalise_values=false` that scales all the same.
    x = jnp.array([7.0, -1.0])
    np.testing.assert_array_equal(ValueNorm(runs=False).normalise(x), x)
    np.testing.assert_array_equal(ValueNorm(runs=False).denormalise(x), x)
