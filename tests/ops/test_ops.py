import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey import ops

T = 12
GAE, TD = jax.jit(ops.gae, static_argnums=(4, 5)), jax.jit(ops.td_lambda, static_argnums=(4, 5))


def story(seed):
    """T steps of random episodes: some terminate, some are cut off, each reset takes a step of its own."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(["on", "end", "cut"], T, p=[0.6, 0.2, 0.2])
    valid = np.ones(T, bool)
    for t in range(1, T):
        valid[t] = not (valid[t - 1] and kind[t - 1] != "on")
    terminated = valid & (kind == "end")
    reward = np.where(valid[:, None], rng.normal(size=(T, 2)), 0).astype(np.float32)
    return reward, rng.normal(size=(T + 1, 2)).astype(np.float32), terminated, valid


def ahead(valid, terminated, t):
    """The steps of t's episode from t on."""
    steps = []
    while t < T and valid[t]:
        steps.append(t)
        if terminated[t]:
            break
        t += 1
    return steps


@given(st.integers(0, 10**6), st.sampled_from([0.5, 1.0]), st.sampled_from([0.0, 0.7, 1.0]))
@settings(max_examples=30, deadline=None)
def test_gae_is_the_sum_of_discounted_errors_of_the_same_episode(seed, gamma, lam):
    # fails if advantages leak through an end, a cut or a reset, or a cut is not bootstrapped
    reward, value, terminated, valid = story(seed)
    delta = reward + gamma * ~terminated[:, None] * value[1:] - value[:-1]
    wanted = np.zeros_like(reward)
    for t in range(T):
        for k, s in enumerate(ahead(valid, terminated, t)):
            wanted[t] += (gamma * lam) ** k * delta[s]
    np.testing.assert_allclose(GAE(reward, value, terminated, valid, gamma, lam), wanted, atol=1e-4)


@pytest.mark.parametrize("lam", [0.0, 0.3, 0.8, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_td_lambda_is_the_mixture_of_n_step_returns(seed, lam):
    # fails if a return reaches past an end, a cut or the window, or the weights do not sum to 1
    gamma, (reward, value, terminated, valid) = 0.9, story(seed)
    for t in np.flatnonzero(valid):
        steps = ahead(valid, terminated, t)
        returns, total = [], np.zeros(2)
        for k, s in enumerate(steps):
            total = total + gamma**k * reward[s]
            returns.append(total + gamma ** (k + 1) * (not terminated[s]) * value[s + 1])
        weights = [(1 - lam) * lam**k for k in range(len(steps) - 1)] + [lam ** (len(steps) - 1)]
        wanted = np.tensordot(weights, returns, 1)
        got = TD(reward, value[1:], terminated, valid, gamma, lam)[t]
        np.testing.assert_allclose(got, wanted, atol=1e-5)


@given(st.integers(0, 10**6), st.sampled_from([0.5, 1.0]), st.sampled_from([0.0, 0.7, 1.0]))
@settings(max_examples=30, deadline=None)
def test_advantages_and_values_make_td_lambdas_returns(seed, gamma, lam):
    # Would break: an end, a cut or a reset that one of the two knows of and the other does not; a reset's
    # own step, which led nowhere, with an advantage.
    reward, value, terminated, valid = story(seed)
    advantage = np.asarray(GAE(reward, value, terminated, valid, gamma, lam))
    returns = np.asarray(TD(reward, value[1:], terminated, valid, gamma, lam))
    np.testing.assert_allclose((advantage + value[:-1])[valid], returns[valid], atol=1e-4)
    assert not advantage[~valid].any()


def test_gae_by_hand():
    # Would break: any of the four: bootstrapping where the first episode is cut off (V = 7), not where the
    # second terminates, nothing on the reset's own step between them, lam beside gamma.
    reward, value = np.array([1.0, 2.0, 0.0, 3.0, 5.0]), np.array([10.0, 20.0, 7.0, 30.0, 40.0, 99.0])
    valid, terminated = np.array([True, True, False, True, True]), np.array([False] * 4 + [True])
    two, five = 2 + 0.5 * 7 - 20, 5 - 40.0
    want = [1 + 0.5 * 20 - 10 + 0.25 * two, two, 0, 3 + 0.5 * 40 - 30 + 0.25 * five, five]
    got = GAE(*(jnp.asarray(x, "float32")[:, None] for x in (reward, value)), terminated, valid, 0.5, 0.5)
    np.testing.assert_allclose(got[:, 0], want)


def test_surrogate_gains_nothing_from_going_further():
    # Would break: a maximum in place of the minimum, or a clip of the product; the slope is 0 where a gain
    # has been taken, and only there: what went the wrong way may come back.
    ratio, sign = jnp.array([0.5, 0.9, 1.1, 1.5] * 2), jnp.repeat(jnp.array([2.0, -2.0]), 4)
    want = [1.0, 1.8, 2.2, 2.4, -1.6, -1.8, -2.2, -3.0]
    np.testing.assert_allclose(ops.surrogate(ratio, sign, 0.2), want, rtol=1e-6)
    slope = jax.grad(lambda ratio: jnp.sum(ops.surrogate(ratio, sign, 0.2)))(ratio)
    np.testing.assert_allclose(slope, [2, 2, 2, 0, 0, -2, -2, -2])


def test_huber_is_a_square_and_then_a_line():
    # Would break: a square without its half, a line that does not meet it, a slope that goes on growing.
    error = jnp.array([-5.0, -2.0, -1.0, 0.0, 0.5, 2.0, 4.0])
    np.testing.assert_allclose(ops.huber(error, 2.0), [8, 2, 0.5, 0, 0.125, 2, 6])
    slope = jax.vmap(jax.grad(lambda error: ops.huber(error, 2.0)))(error)
    np.testing.assert_allclose(slope, jnp.clip(error, -2, 2))


def test_clipped_value_loss_takes_the_worse():
    # Would break: the better of the two losses, a clip around the goal, or a clip where 0 says none.
    value = jnp.array([1.1, 1.9, 0.0, 5.0])  # of old value 1: near it, beyond it, and the wrong way
    old, goal = jnp.ones(4), jnp.array([2.0, 2.0, 2.0, -9.0])
    error = np.array([0.9, 0.8, 2.0, 14.0])  # the second's is of the clipped value, 1.2
    square = np.where(error > 10, 10 * (error - 5), error**2 / 2)
    np.testing.assert_allclose(ops.clipped_value_loss(value, old, goal, 0.2, 10.0), square, rtol=1e-5)
    plain = ops.clipped_value_loss(value, old, goal, 0.0, 10.0)
    np.testing.assert_allclose(plain, ops.huber(goal - value, 10.0))


def test_standardised_looks_at_what_counts_only():
    # Would break: padding in the mean or the deviation, a deviation that divides by zero.
    x, mask = jnp.array([[1.0, 2.0, 6.0], [1e6, -1e6, 3.0]]), jnp.array([[True] * 3, [False, False, True]])
    mine = np.array([1.0, 2.0, 6.0, 3.0])
    want = (mine - mine.mean()) / mine.std()
    np.testing.assert_allclose(ops.standardised(x, mask)[mask], want, rtol=1e-4)
    np.testing.assert_array_equal(ops.standardised(jnp.full((2, 3), 4.0), mask), 0)


def test_previous_is_what_was_done_before_and_nothing_at_a_beginning():
    # fails if the last action of one episode is shown in the next
    action = jnp.array([[3, 4], [5, 6], [7, 8]])
    before = ops.previous(action, jnp.array([True, False, True, False]))
    np.testing.assert_array_equal(before, [[-1, -1], [3, 4], [-1, -1], [7, 8]])


def test_take_and_masked_pick_among_what_is_legal():
    # fails if small integer actions do not index, or an illegal action can win
    q = jnp.array([[1.0, 5.0, 3.0], [-2e8, 0.0, 9.0]])
    np.testing.assert_array_equal(ops.take(q, jnp.array([1, 2], jnp.int8)), [5.0, 9.0])
    legal = jnp.array([[True, False, True], [True, False, False]])
    np.testing.assert_array_equal(jnp.argmax(ops.masked(q, legal), axis=1), [2, 0])


def test_epsilon_greedy_explores_legal_actions_evenly():
    # fails if an illegal action is ever chosen, or the greedy one more or less often than it should be
    q, legal = jnp.array([[0.0, 9.0, 1.0, 2.0]]), jnp.array([[True, False, True, True]])
    n, epsilon = 20_000, 0.3
    keys = jax.random.split(jax.random.key(0), n)
    drawn = jax.vmap(lambda key: ops.epsilon_greedy(q, legal, epsilon, key))(keys)[:, 0]
    share = np.bincount(drawn, minlength=4) / n
    np.testing.assert_allclose(share, [epsilon / 3, 0, epsilon / 3, 1 - 2 * epsilon / 3], atol=0.015)
    assert ops.epsilon_greedy(q, legal, 0.0, keys[0]) == 3


def test_mean_counts_only_what_the_mask_lets_through():
    # fails if padding weighs in, or nothing at all gives NaN
    x, mask = jnp.arange(6.0).reshape(3, 2), jnp.array([True, False, True])
    assert ops.mean(x, mask) == pytest.approx((0 + 1 + 4 + 5) / 4)
    assert ops.mean(x, jnp.zeros(3, bool)) == 0


def test_names_make_keys_that_places_do_not():
    # fails if two names share draws, or a name's draw depends on what else is drawn
    key = jax.random.key(0)
    drawn = {
        float(jax.random.uniform(ops.named(key, *name))) for name in [("a",), ("b",), ("a", 0), ("a", 1)]
    }
    assert len(drawn) == 4
    assert ops.named(key, "a", 1) == ops.named(ops.named(key, "a"), 1)


@pytest.mark.parametrize("size", [6, 7])
def test_devices_that_share_a_batch_find_its_mean(size):
    # fails if a share is lost or counted twice, also where the batch cannot be cut evenly
    mesh = jax.sharding.Mesh(np.array(jax.devices()), (ops.PART,))
    x, mask = jnp.arange(size, dtype=float), jnp.arange(size) % 3 > 0
    whole = jax.sharding.PartitionSpec()
    f = lambda x, mask: ops.pooled(ops.mean(*ops.shard((x, mask))))
    got = jax.shard_map(f, mesh=mesh, in_specs=whole, out_specs=whole, check_vma=False)(x, mask)
    assert got == pytest.approx(ops.mean(x, mask))


def test_cosine_is_that_of_all_leaves_together():
    # fails if leaves are averaged, or nothing divides by nothing
    a = {"x": jnp.array([3.0, 0.0]), "y": jnp.array([4.0])}
    b = {"x": jnp.array([0.0, 1.0]), "y": jnp.array([1.0])}
    assert float(ops.cosine(a, b)) == pytest.approx(4 / (5 * 2**0.5))
    assert float(ops.cosine(a, jax.tree.map(jnp.zeros_like, a))) == 0


def test_a_key_for_each_example_of_a_shared_batch():
    # fails if devices that share a batch draw the same for different examples, or otherwise than one would
    mesh, apart = (
        jax.sharding.Mesh(np.array(jax.devices()), (ops.PART,)),
        jax.sharding.PartitionSpec(ops.PART),
    )
    draw = lambda x: jax.vmap(jax.random.uniform)(ops.each(jax.random.key(0), x))
    shared = jax.shard_map(draw, mesh=mesh, in_specs=apart, out_specs=apart, check_vma=False)
    np.testing.assert_array_equal(shared(jnp.zeros((6, 2))), draw(jnp.zeros((6, 2))))
    assert len(set(np.asarray(draw(jnp.zeros((6, 2)))))) == 6
