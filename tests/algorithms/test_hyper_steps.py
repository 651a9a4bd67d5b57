"""How far hyper_mappo's steps go: shares of a gradient, trust, increments without a mean, a slow D."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.algorithms.on_policy import pace
from covey.algorithms.on_policy.regularisers import mean_increment, unroll_policies
from covey.networks.increments import limited
from covey.parts import Adam, ConstantSchedule
from toys.hyper import PLAIN, chunks_of, hyper_mappo, rolled, stirred, with_terms

STILL = Adam(ConstantSchedule(0.0))


def updated(algorithm, learner, batch):
    return jax.jit(lambda *x: algorithm.update(*x, jr.key(1), jnp.array(0)))(learner, batch)


def same(x, y):
    return all(map(np.array_equal, jax.tree.leaves(x), jax.tree.leaves(y)))


@pytest.fixture(scope="module")
def started():
    """Increments that are not zero, and rollouts with them."""
    algorithm = hyper_mappo(PLAIN, hyper={"width": 4})
    learner = stirred(algorithm)
    batch = jax.jit(lambda learner: rolled(algorithm, learner))(learner)
    return algorithm, learner, batch


def test_shares_of_a_gradient_by_hand():
    # Would break: a share of another gradient, or of all parameters; a weight beside a share; no sum.
    params = (jnp.array([1.0, 2.0]), jnp.array([3.0, 4.0]))

    def losses(params):
        a, b = params
        terms = {"policy": 3 * b[0] + 4 * b[1] + a[0], "smooth": 0.1 * b[0] + 7 * a[0], "align": 2 * b[1]}
        return terms, {"seen": b[0]}

    weights = {"smooth": 100.0, "align": 0.5}
    grads, told = pace.weighed_gradients(losses, params, weights, {"smooth": 0.2}, lambda x: x[1])
    # |g_policy| = 5 and |g_smooth| = .1 on b, so the weight is .2 * 5 / .1 = 10
    np.testing.assert_allclose(grads[0], [1 + 10 * 7, 0], rtol=1e-5)
    np.testing.assert_allclose(grads[1], [3 + 10 * 0.1, 4 + 0.5 * 2], rtol=1e-5)
    assert float(told["smooth_share"]) == pytest.approx(0.2, rel=1e-5)
    assert float(told["align_share"]) == pytest.approx(0.5 * 2 / 5, rel=1e-5)
    assert float(told["actor_loss"]) == pytest.approx(26 + 10 * 7.3 + 0.5 * 8, rel=1e-5)
    assert float(told["seen"]) == 3


def test_reporting_shares_changes_no_step(started):
    # Would break: a term that is left out, or weighed otherwise, where gradients are taken term by term.
    algorithm, learner, batch = started
    plain, told = updated(algorithm, learner, batch)
    measured, more = updated(with_terms(algorithm, report_shares=True), learner, batch)
    for x, y in zip(jax.tree.leaves(plain), jax.tree.leaves(measured), strict=True):
        np.testing.assert_allclose(x, y, atol=2e-5)
    assert set(more) - set(told) == {"align_share", "smooth_share"}
    assert float(more["smooth_share"]) > 0 and float(more["actor_loss"]) == pytest.approx(
        float(told["actor_loss"]), rel=1e-4
    )
    shared, too = updated(with_terms(algorithm, smooth_share=0.1), learner, batch)
    assert float(too["smooth_share"]) == pytest.approx(0.1, rel=1e-4) and not same(shared, plain)


def test_factors_on_steps():
    # Would break: a step that is taken where none should be; a pace that never comes back, or runs away.
    old, new = {"x": jnp.array([0.1, 0.7])}, {"x": jnp.array([0.3, 0.2])}
    assert same(pace.paced(jnp.array(0.0), new, old), old)
    np.testing.assert_allclose(pace.paced(jnp.array(0.5), new, old)["x"], [0.2, 0.45], rtol=1e-6)
    next_pace = lambda p, kl: float(pace.adapted_pace(jnp.array(p), jnp.array(kl), 0.01))
    assert [next_pace(0.9, kl) for kl in (0.021, 0.01, 0.004)] == pytest.approx([0.6, 0.9, 1.35])
    assert next_pace(0.011, 1.0) == pytest.approx(0.01) and next_pace(9.0, 0.0) == pytest.approx(10)


def test_an_update_stops_where_trust_ends(started):
    # Would break: a stop that comes a step late or never, moments that go on, a critic that stops as well.
    algorithm, learner, batch = started
    epochs = lambda n, **o: replace(algorithm, ppo=replace(algorithm.ppo, epochs=n), **o)
    one = updated(epochs(1), learner, batch)[0]
    begin = replace(learner, pace=jnp.ones(()))
    stopped, told = updated(epochs(3, trust="stop", target_kl=1e-7), begin, batch)
    for x, y in (
        (stopped.ppo.actor, one.ppo.actor),
        (stopped.hyper, one.hyper),
        (stopped.hyper_opt_state, one.hyper_opt_state),
        (stopped.ppo.actor_opt_state, one.ppo.actor_opt_state),
    ):
        for a, b in zip(jax.tree.leaves(x), jax.tree.leaves(y), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)
    assert float(told["pace"]) == pytest.approx(1 / 3) and not same(stopped.ppo.critic, one.ppo.critic)


def test_a_slow_hypernetwork(started):
    # Would break: a hypernetwork that moves at each step, or an actor that waits for it.
    algorithm, learner, batch = started
    slow = replace(algorithm, hyper_every=2)
    after = updated(slow, learner, batch)[0]
    assert same(after.hyper, learner.hyper) and same(after.hyper_opt_state, learner.hyper_opt_state)
    assert not same(after.ppo.actor, learner.ppo.actor)
    later = updated(replace(slow, ppo=replace(slow.ppo, epochs=2)), learner, batch)[0]
    assert not same(later.hyper, learner.hyper)


@pytest.mark.parametrize("sharing", ["all", "none"])
def test_increments_without_a_mean(sharing):
    # Would break: a mean over other steps than the minibatch's; a policy that changes where it is moved.
    options = {"optimiser": STILL, "zero_mean": True}
    ppo = {"sharing": sharing, "actor_optimiser": STILL}
    algorithm = hyper_mappo(PLAIN, ppo, {"increments": "agent", "width": 4}, **options)
    learner = stirred(algorithm)

    @jax.jit
    def find(learner):
        batch = rolled(algorithm, learner)
        chunk = chunks_of(algorithm, learner, batch)
        after = algorithm.update(learner, batch, jr.key(1), jnp.array(0))[0]
        unroll = lambda x: jax.vmap(lambda c: unroll_policies(x.hyper, x.ppo.actor, c))(chunk)
        old, new = unroll(learner), unroll(after)
        means = [mean_increment(x.delta, chunk, True) for x in (old, new)]
        return means, old.policy.log_p - new.policy.log_p, chunk.valid

    (before, after), change, valid = find(learner)
    assert float(jnp.abs(before).max()) > 0.1
    np.testing.assert_allclose(after, 0, atol=1e-5)
    np.testing.assert_allclose(change[valid], 0, atol=1e-4)


def test_limited_increments():
    # Would break: small increments that shrink, long ones that do not, a limit of each number by itself.
    delta = jnp.array([[3.0, 4.0], [0.003, 0.004], [3000.0, 4000.0]])
    found = limited(delta, 5.0)
    np.testing.assert_allclose(found[0], np.array([3, 4]) / 2**0.5, rtol=1e-5)
    np.testing.assert_allclose(found[1], delta[1], rtol=1e-5)
    np.testing.assert_allclose(found[2], [3, 4], rtol=1e-4)
    assert limited(delta, 0.0) is delta
