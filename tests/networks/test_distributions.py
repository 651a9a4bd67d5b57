"""Distributions against sums, integrals and draws."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.networks.distributions import Categorical, Gaussian, log_tanh_slope, straight_through

LOGITS = jnp.array([[1.0, 5.0, 0.0, -1.0]])
LEGAL = jnp.array([[True, False, True, True]])
BOX = (-1.0, 3.0)


def softmax(x):
    return np.exp(x) / np.exp(x).sum()


P = softmax(np.array([1.0, 0.0, -1.0]))


def gaussian(mean, deviation, squashed, legal=True):
    mean = jnp.asarray(mean, float)
    return Gaussian(mean, jnp.log(jnp.full_like(mean, deviation)), jnp.full(mean.shape, legal), BOX, squashed)


def test_categorical_is_the_softmax_of_what_is_legal():
    # Would break: an illegal action that has weight, is drawn, is the mode, or counts in a sum.
    d = Categorical(LOGITS, LEGAL)
    got = [float(d.log_prob(jnp.array([u]))[0]) for u in (0, 2, 3)]
    np.testing.assert_allclose(np.exp(got), P, rtol=1e-5)
    np.testing.assert_allclose(d.entropy(), [-(P * np.log(P)).sum()], rtol=1e-5)
    assert d.mode() == jnp.array([0])
    drawn = jax.vmap(d.sample)(jr.split(jr.key(0), 20_000))[:, 0]
    np.testing.assert_allclose(np.bincount(drawn, minlength=4) / 20_000, [P[0], 0, *P[1:]], atol=0.015)


def test_categorical_divergence():
    # Would break: the other direction, or an illegal action's logits counted.
    other = Categorical(jnp.array([[0.0, -9.0, 2.0, 0.0]]), LEGAL)
    q = softmax(np.array([0.0, 2.0, 0.0]))
    np.testing.assert_allclose(Categorical(LOGITS, LEGAL).kl(other), [(P * np.log(P / q)).sum()], rtol=1e-5)


def test_a_single_legal_action_is_certain_and_has_no_gradient():
    # Would break: an entropy or a gradient that is not finite where everything but one is illegal.
    only = jnp.array([[False, True, False, False]])
    told = lambda x: (lambda d: jnp.sum(d.entropy() + d.log_prob(jnp.array([1]))))(Categorical(x, only))
    value, slope = jax.value_and_grad(told)(LOGITS)
    assert value == 0
    np.testing.assert_array_equal(slope, 0)


def test_illegal_actions_get_no_gradient():
    # Would break: an illegal logit that learns, or a legal one that does not.
    told = lambda x: (lambda d: jnp.sum(d.entropy() + d.log_prob(jnp.array([0]))))(Categorical(x, LEGAL))
    np.testing.assert_array_equal(jax.grad(told)(LOGITS) != 0, LEGAL)


def test_agents_draw_independently():
    # Would break: one draw that serves all agents.
    d = Categorical(jnp.zeros((2, 2)), jnp.ones((2, 2), bool))
    drawn = np.asarray(jax.vmap(d.sample)(jr.split(jr.key(0), 2000)))
    assert np.mean(drawn[:, 0] == drawn[:, 1]) == pytest.approx(0.5, abs=0.06)


GRID = np.linspace(-12, 12, 200_001)


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 0.5), (1.2, 0.3), (-0.5, 1.0)])
def test_squashed_density_and_entropy(mean, deviation):
    # Would break: a Jacobian left out, of the wrong sign or in the entropy alone: densities of
    # a = tanh(u) integrate to 1, and entropy is the integral of -p log p.
    d = gaussian([mean], deviation, squashed=True)
    u = np.asarray(GRID, np.float32)
    log_p = np.asarray(jax.vmap(lambda u: d.log_prob(u[None]))(jnp.asarray(u)), float)
    slope = 4 / (np.exp(GRID) + np.exp(-GRID)) ** 2  # of tanh
    mass = np.exp(log_p) * slope * (GRID[1] - GRID[0])
    assert mass.sum() == pytest.approx(1, abs=1e-4)
    assert float(d.entropy()) == pytest.approx(-(mass * log_p).sum(), abs=5e-3)


@pytest.mark.parametrize("squashed", [True, False])
def test_log_prob_is_the_sum_over_dimensions(squashed):
    # Would break: a mean over dimensions, or one dimension's mean or deviation taken for another's.
    mean, deviation, u = np.array([0.4, -0.8]), np.array([0.3, 1.0]), np.array([0.9, -2.0])
    legal, arrays = jnp.ones(2, bool), (jnp.asarray(x, jnp.float32) for x in (mean, np.log(deviation)))
    by_hand = -0.5 * ((u - mean) / deviation) ** 2 - np.log(deviation * np.sqrt(2 * np.pi))
    by_hand -= squashed * np.log(1 - np.tanh(u) ** 2)
    got = Gaussian(*arrays, legal, BOX, squashed).log_prob(jnp.asarray(u))
    assert float(got) == pytest.approx(by_hand.sum(), rel=1e-5)


def test_the_slope_of_tanh_is_known_where_tanh_is_one():
    # Would break: log(1 - tanh(u)^2) as it is written, which is -inf from u = 10 on, or its slope, NaN.
    u = np.array([0.0, 1.0, -1.0, 20.0, -20.0])
    want = 2 * (np.log(2) - np.abs(u) - np.log1p(np.exp(-2 * np.abs(u))))
    value, slope = jax.vmap(jax.value_and_grad(log_tanh_slope))(jnp.asarray(u, jnp.float32))
    np.testing.assert_allclose(value, want, rtol=1e-5)
    np.testing.assert_allclose(slope, -2 * np.tanh(u), atol=1e-6)


def test_a_clipped_choice_keeps_its_own_density():
    # Would break: a probability of the action at the bound, where many choices lead.
    d = gaussian([0.5], 0.5, squashed=False)
    by_hand = -0.5 * ((1.7 - 0.5) / 0.5) ** 2 - np.log(0.5 * np.sqrt(2 * np.pi))
    assert float(d.log_prob(jnp.array([1.7]))) == pytest.approx(by_hand, rel=1e-5)
    assert float(d.entropy()) == pytest.approx(0.5 * np.log(2 * np.pi * np.e * 0.25), rel=1e-5)


def test_actions_fill_the_box_and_no_more():
    # Would break: -1 to 1 taken for the world's bounds, or rounding that leaves them.
    choice = jnp.array([-50.0, 0.0, 50.0])
    for squashed in (True, False):
        np.testing.assert_allclose(gaussian([0.0] * 3, 1.0, squashed).action(choice), [-1, 1, 3])
    assert gaussian([0.5], 1.0, True).action(jnp.array([0.5])) == pytest.approx(1 + 2 * np.tanh(0.5))
    assert gaussian([0.5], 1.0, False).action(jnp.array([0.5])) == pytest.approx(2.0)


@pytest.mark.parametrize("squashed", [True, False])
def test_dimensions_that_are_not_there_add_nothing(squashed):
    # Would break: padding that weighs in probability, entropy or divergence, or moves in the world.
    whole, part = gaussian([0.3], 0.5, squashed), gaussian([0.3, 9.0], 0.5, squashed)
    part = Gaussian(part.mean, part.log_deviation, jnp.array([True, False]), BOX, squashed)
    choice = jnp.array([0.1, 7.0])
    np.testing.assert_allclose(part.log_prob(choice), whole.log_prob(choice[:1]), rtol=1e-6)
    np.testing.assert_allclose(part.entropy(), whole.entropy(), rtol=1e-6)
    other = gaussian([0.0, 0.0], 1.0, squashed)
    np.testing.assert_allclose(part.kl(other), whole.kl(gaussian([0.0], 1.0, squashed)), rtol=1e-6)
    assert part.action(choice)[1] == BOX[0]

    def told(mean):
        d = Gaussian(mean, part.log_deviation, part.legal, BOX, squashed)
        return d.log_prob(choice) + d.entropy()

    assert jax.grad(told)(part.mean)[1] == 0


def test_one_deviation_serves_every_moment():
    # Would break: a deviation per agent that is not broadcast over time, or an entropy without time's axis.
    legal = jnp.ones((5, 2, 3), bool)
    d = Gaussian(jnp.zeros((5, 2, 3)), jnp.array([[0.0] * 3, [1.0] * 3]), legal, BOX, squashed=False)
    one = 1.5 * np.log(2 * np.pi * np.e)
    np.testing.assert_allclose(d.entropy(), np.tile([one, one + 3], (5, 1)), rtol=1e-5)
    assert d.log_prob(d.sample(jr.key(0))).shape == (5, 2)


def test_gaussian_divergence_is_its_integral():
    # Would break: variances swapped.
    p, q = gaussian([0.3], 0.5, False), gaussian([-0.2], 0.8, False)
    log = lambda d: np.asarray(jax.vmap(lambda u: d.log_prob(u[None]))(jnp.asarray(GRID, jnp.float32)), float)
    integral = (np.exp(log(p)) * (log(p) - log(q))).sum() * (GRID[1] - GRID[0])
    assert float(p.kl(q)) == pytest.approx(integral, abs=1e-4)


@pytest.mark.parametrize("squashed", [True, False])
def test_draws_have_the_mean_the_deviation_and_the_entropy(squashed):
    # Would break: a log-deviation taken for a deviation, dimensions that draw alike, or draws from another
    # distribution than the one whose probabilities are told.
    d = gaussian([0.7, -2.0], 0.25, squashed)
    drawn = jax.vmap(d.sample)(jr.split(jr.key(0), 20_000))
    np.testing.assert_allclose(drawn.mean(0), [0.7, -2.0], atol=0.01)
    np.testing.assert_allclose(drawn.std(0), [0.25, 0.25], atol=0.01)
    assert abs(np.corrcoef(np.asarray(drawn).T)[0, 1]) < 0.03
    assert -np.mean(jax.vmap(d.log_prob)(drawn)) == pytest.approx(float(d.entropy()), abs=0.03)
    np.testing.assert_array_equal(d.mode(), d.mean)


def test_straight_through_draws_by_the_probabilities_and_bends_like_a_softmax():
    # Would break: soft values, illegal draws, a gradient at another temperature, or to what is illegal.
    logits, legal = jnp.array([0.5, -1.0, 2.0, 0.0]), jnp.array([True, True, False, True])
    keys = jr.split(jr.key(0), 4000)
    drawn = jax.vmap(lambda key: straight_through(logits, legal, 0.5, key))(keys)
    assert set(np.unique(drawn)) == {0.0, 1.0}
    np.testing.assert_allclose(drawn.mean(0), jax.nn.softmax(jnp.where(legal, logits, -jnp.inf)), atol=0.03)
    slope = jnp.array([1.0, 2.0, 5.0, -1.0])
    pull = jax.grad(lambda x: straight_through(x, legal, 0.5, keys[0]) @ slope)(logits)
    noisy = jnp.where(legal, logits + jr.gumbel(keys[0], (4,)), -jnp.inf)
    p = jax.nn.softmax(noisy / 0.5)
    np.testing.assert_allclose(pull, p * (slope - p @ slope) / 0.5, rtol=1e-4, atol=1e-6)
