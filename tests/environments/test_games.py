"""Matrix games pay what their tables say, for every joint action."""

from itertools import product

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.environments.games import Climbing, Matrix, Penalty, TwoStep
from covey.errors import UserError

KEY = jr.key(0)

TABLES = {
    "default": (Matrix(), [[8, -12, -12], [-12, 0, 0], [-12, 0, 0]]),
    "climbing": (Climbing(), [[11, -30, 0], [-30, 7, 6], [0, 0, 5]]),
    "penalty": (Penalty(), [[10, 0, -100], [0, 2, 0], [-100, 0, 10]]),
    "penalty, k=-7": (Penalty(-7.0), [[10, 0, -7], [0, 2, 0], [-7, 0, 10]]),
    "one agent": (Matrix([1, 5, 2]), [1, 5, 2]),
    "unequal": (Matrix([[1, 2, 3], [4, 5, 6.5]]), [[1, 2, 3], [4, 5, 6.5]]),
    "three agents": (Matrix([[[0, 1], [2, 3]], [[4, 5], [6, 7]]]), [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]),
}


@pytest.mark.parametrize("name", TABLES)
def test_every_joint_action_pays_its_entry(name):
    # Would break: axes in the wrong order, or an entry lost when the table is kept flat.
    env, payoff = TABLES[name]
    table = np.array(payoff, float)
    joint = np.array(list(product(*map(range, table.shape))))
    state, obs = env.reset(KEY, len(joint))
    legal = np.take_along_axis(np.asarray(obs.legal), joint[..., None], axis=-1)
    assert legal.all()
    assert int(obs.legal.sum(-1)[0].prod()) == len(joint)  # and nothing else is legal
    _, step = env.step(state, jnp.asarray(joint, env.spec.action_type), KEY)
    np.testing.assert_array_equal(step.team_reward[:, 0], table.ravel())
    np.testing.assert_array_equal(step.reward, np.repeat(table.reshape(-1, 1), table.ndim, axis=1))
    assert step.terminated.all()
    assert not step.truncated.any()


def test_rounds_repeat_the_game():
    # Would break: a clock that is off by one round, or an end by time limit instead of a true one.
    env = Matrix([[1, 2], [3, 4]], rounds=3)
    state, obs = env.reset(KEY, 1)
    np.testing.assert_array_equal(obs.agents, [[[1, 0], [1, 0]]])
    for t, (action, pays) in enumerate([((0, 1), 2), ((1, 1), 4), ((1, 0), 3)], start=1):
        state, step = env.step(state, jnp.array([action]), KEY)
        np.testing.assert_allclose(step.obs.agents, [[[1, t / 3], [1, t / 3]]], rtol=1e-6)
        assert step.team_reward.item() == pays
        assert step.terminated.item() == (t == 3)
        assert not step.truncated.item()


@pytest.mark.parametrize(
    "payoff",
    [[[1, 2], [3]], [["a", 2]], [], [[], []], [[None, 1]], [[True, False]], [[float("nan"), 1]]],
    ids=["ragged", "text", "empty", "empty rows", "nothing", "truth", "not a number"],
)
def test_a_payoff_that_is_no_table_is_refused(payoff):
    # Would break: NumPy's own message, or a run that trains on a table of objects.
    with pytest.raises(UserError, match=r"payoff=.* is no table: give finite numbers"):
        Matrix(payoff)


def test_two_step_pays_as_in_qmix():
    # Would break: the second agent leading, or the reward arriving a step early.
    env = TwoStep()
    sequences = np.array(list(product(range(2), repeat=4)))  # both agents' two actions
    state, obs = env.reset(KEY, len(sequences))
    np.testing.assert_array_equal(obs.state, np.tile([1, 0, 0], (16, 1)))
    state, step = env.step(state, jnp.asarray(sequences[:, :2], jnp.int8), KEY)
    np.testing.assert_array_equal(step.obs.state, np.eye(3)[1 + sequences[:, 0]])
    np.testing.assert_array_equal(step.obs.agents, np.repeat(np.asarray(step.obs.state)[:, None], 2, axis=1))
    assert not step.team_reward.any()
    assert not step.terminated.any()
    _, step = env.step(state, jnp.asarray(sequences[:, 2:], jnp.int8), KEY)
    pays = [7 if a == 0 else [[0, 1], [1, 8]][c][d] for a, _, c, d in sequences]
    np.testing.assert_array_equal(step.team_reward[:, 0], pays)
    np.testing.assert_array_equal(step.reward, np.stack([pays, pays], axis=1))
    assert step.terminated.all()
    assert not step.truncated.any()


def test_settings_leave_games_hashable():
    # Would break: an array among the fields, with which jax.jit(trainer.chunk) cannot be called.
    assert hash(Matrix()) == hash(Matrix())
    assert jax.tree.leaves(TwoStep()) == []


@pytest.mark.parametrize("name", TABLES)
def test_the_best_of_one_round_is_its_payoff(name):
    # Would break: a forbidden action in the table, or an entry at another place.
    env, payoff = TABLES[name]
    ((title, path, best),) = env.tables()
    assert (title, path) == ("", ())
    np.testing.assert_array_equal(best, payoff)


def test_later_rounds_count_as_played_best():
    # Would break: `rounds` entries of the first choice's own, or a round too many.
    np.testing.assert_array_equal(Climbing(rounds=3).tables()[0].best, np.array(TABLES["climbing"][1]) + 22)


def test_two_step_has_three_moments():
    # Would break: 2A and 2B exchanged, or the first choice's table by the second agent's action.
    first, a, b = TwoStep().tables()
    assert [table.path for table in (first, a, b)] == [(), ((0, 0),), ((1, 0),)]
    np.testing.assert_array_equal(first.best, [[7, 7], [8, 8]])
    np.testing.assert_array_equal(a.best, [[7, 7], [7, 7]])
    np.testing.assert_array_equal(b.best, [[0, 1], [1, 8]])
