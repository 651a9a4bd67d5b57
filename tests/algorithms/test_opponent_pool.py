"""Pools of opponents by hand: draws, scores, ratings, and the member that plays."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.algorithms.opponent_pool import START_RATING, Games, OpponentPool, acting_part, count_games, ranks
from covey.algorithms.qmix import QMIX
from covey.core import Observation, Spec, Trajectory
from covey.networks.agents import FeedForward
from covey.parts import Factory

WORLD = Spec(("blue",), features=3, actions=4, horizon=5, team=("blue",), others=1)
PLAYER = QMIX(agent=Factory(FeedForward, hidden=4))


def pool(**settings) -> OpponentPool:
    return OpponentPool(("runs/x",), "blue", PLAYER, WORLD, **{"side": 1, "capacity": 3} | settings)


def games(n: int, **known) -> Games:
    none = pool().experience.init(WORLD, rollout(np.zeros((n, 1)), {}))
    return replace(none, **{name: jnp.asarray(x) for name, x in known.items()})


def rollout(red: np.ndarray, counts: dict, valid=None, member=None) -> Trajectory:
    """Steps of n copies in which red earned what is given, and blue nothing."""
    n, length = red.shape
    obs = Observation(
        jnp.zeros((n, length + 1, 2, 3)),
        jnp.zeros((n, length + 1, 0)),
        jnp.ones((n, length + 1, 2, 4), bool),
        jnp.ones((n, length + 1, 2), bool),
        jnp.zeros((n, length + 1), bool),
    )
    team_reward = jnp.stack([jnp.asarray(red, float), jnp.zeros(red.shape)], axis=-1)
    return Trajectory(
        obs,
        jnp.zeros((n, length, 2), jnp.int8),
        team_reward,
        team_reward,
        jnp.zeros((n, length), bool),
        jnp.ones((n, length), bool) if valid is None else jnp.asarray(valid, bool),
        jnp.zeros((n, length), int) if member is None else jnp.asarray(member),
        counts={name: jnp.asarray(x, float) for name, x in counts.items()},
    )


# Would break: places without a member that are drawn; another formula than (1 - p)².
def test_how_often_each_is_drawn():
    runs = np.array([[0, 0, -1]])
    scores = np.array([[0.5, 0.9, 0.5]])
    np.testing.assert_allclose(pool().draw_weights(runs, scores), [[0.5, 0.5, 0]])
    hard = pool(sample="hard").draw_weights(runs, scores)
    np.testing.assert_allclose(hard, [[0.25 / 0.26, 0.01 / 0.26, 0]])


# Would break: the rating of the other side, a sign, 400, the step, a game that is not over.
def test_ratings_by_hand():
    before = games(3, rating=1100.0, ratings=[1000.0, 1100.0, 1000.0])
    over = jnp.array([True, False, True])
    after = count_games(before, jnp.array([1.0, 1.0, 0.0]), over, jnp.array([0, 1, 1]), jnp.ones(3))
    first = 8 * (1 - 1 / (1 + 10 ** (-100 / 400)))
    second = 8 * (0 - 1 / (1 + 10 ** (-first / 400)))  # the games count one after the other
    assert float(after.rating) == pytest.approx(1100 + first + second, abs=1e-3)
    np.testing.assert_allclose(after.ratings, [1000 - first, 1100 - second, 1000], atol=1e-3)
    assert after.played.tolist() == [1, 1, 0]
    assert after.margin.tolist() == [0, 1, 0]  # what is over begins anew


# Would break: points that never fade, or that fade for members who did not play.
def test_points_fade_by_game():
    before = games(2, points=[10.0, 5.0, 0.0], games=[20.0, 5.0, 0.0])
    both = jnp.ones(2, bool)
    after = count_games(before, jnp.array([1.0, 0.5]), both, jnp.array([0, 0]), jnp.zeros(2))
    np.testing.assert_allclose(after.points, [10 * 0.99**2 + 1.5, 5, 0], rtol=1e-6)
    np.testing.assert_allclose(after.games, [20 * 0.99**2 + 2, 5, 0], rtol=1e-6)
    np.testing.assert_allclose(after.scores()[1:], [5.5 / 6, 0.5], rtol=1e-6)


# Would break: ties that count in full, or games that nobody played.
def test_ranks_by_hand():
    known = games(3, margin=[5.0, 1.0, 3.0], finished=4)
    known = replace(known, newest=known.newest.at[:4].set(jnp.array([1.0, 2.0, 3.0, 3.0])))
    np.testing.assert_allclose(ranks(known), [1, 0.125, 0.75])
    np.testing.assert_allclose(ranks(games(3)), 0.5)


# Would break: episodes cut at a rollout's end, sides exchanged, a draw, a world that counts no defeats.
def test_games_over_rollouts():
    nothing = np.zeros((2, 3))
    won = np.array([[0, 1, 0], [0, 0, 0]])
    lost = np.array([[0, 0, 0], [0, 0, 1]])
    valid = np.array([[1, 1, 0], [1, 1, 1]])  # the second copy's game goes on into the next rollout
    member = np.array([[0, 0, 0], [1, 1, 1]])
    later = rollout(nothing[:, :1], {"won": nothing[:, :1], "lost": nothing[:, :1]}, [[1], [0]], [[2], [1]])
    for side, points in ((1, [1, 0, 0]), (0, [0, 1, 0])):
        experience = pool(side=side).experience
        counts = {"won": won, "lost": lost}
        after = experience.add(games(2), rollout(nothing, counts, valid, member), jnp.array(0))
        assert after.played.tolist() == [1, 0, 0]
        after = experience.add(after, later, jnp.array(1))
        assert after.played.tolist() == [1, 1, 0]
        assert after.points.tolist() == points
    over = rollout(nothing, {"won": won}, [[1, 1, 0]] * 2, member)
    assert pool().experience.add(games(2), over, jnp.array(0)).points.tolist() == [1, 0, 0]
    drawn = rollout(nothing, {"won": won, "lost": won}, [[1, 1, 0]] * 2, member)
    assert pool().experience.add(games(2), drawn, jnp.array(0)).points.tolist() == [0.5, 0.5, 0]


# Would break: returns of the pool's own side, or a ring that forgets.
def test_games_without_wins_are_ranked():
    red = np.array([[1.0, 2.0, 0.0, 4.0, 0.0, 3.0, 0.0]])
    valid = [[1, 1, 0, 1, 0, 1, 0]]
    member = [[0, 0, 0, 1, 1, 2, 2]]
    after = pool().experience.add(games(1), rollout(red, {}, valid, member), jnp.array(0))
    assert after.newest[:3].tolist() == [3, 4, 3] and int(after.finished) == 3
    assert after.points.tolist() == [0.5, 1, 0.25]


# Would break: a member drawn within an episode, another member's weights or carry, one that is not there.
def test_the_member_plays_its_episode():
    own = pool()
    keys = jr.split(jr.key(0), 3)
    learners = [PLAYER.init(WORLD, key) for key in keys]
    stacked = jax.tree.map(lambda *xs: jnp.stack(xs), *map(acting_part, learners))
    empty = own.init(WORLD, jr.key(1))
    learner = replace(empty, members=stacked, runs=jnp.array([0, 0, -1]), weights=jnp.array([0.5, 0.5, 0]))
    carry = own.init_carry(WORLD, learner)
    act = jax.jit(lambda carry, obs, key: own.act(learner, carry, obs, key, jnp.zeros((), int), True))
    greedy = jax.jit(
        lambda player, obs: PLAYER.act(
            player, PLAYER.init_carry(WORLD, player), obs, jr.key(0), jnp.zeros((), int), False
        )[1]
    )
    met = []
    for seed in range(20):
        for t in range(2):
            rows = jr.normal(jr.key(seed), (1, 3))
            flags = jnp.ones((1, 4), bool), jnp.ones(1, bool), jnp.array(t == 0)
            obs = Observation(rows, jnp.zeros(0), *flags, jnp.zeros((1, 3)))
            before = carry.member
            carry, action, member = act(carry, obs, jr.key(100 * seed + t))
            assert action.tolist() == greedy(learners[int(member)], obs).tolist()
            assert t == 0 or int(member) == int(before)
        met.append(int(member))
    assert set(met) == {0, 1}
    assert float(empty.weights[0]) == 1 and START_RATING == 1000
