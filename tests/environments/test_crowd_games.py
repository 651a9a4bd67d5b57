"""specialise and synchronise: every joint action's reward, and the exact returns that the class states."""

from itertools import product

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.config.config import Config
from covey.environments.crowd_games import CrowdGame, Specialise, Synchronise
from covey.errors import UserError

KEY = jr.key(0)


def rewards(env: CrowdGame) -> np.ndarray:
    """Return each player's reward for every joint action, `[joint actions, agents]`."""
    joint = np.array(list(product(range(env.spec.actions), repeat=env.spec.agents)))
    state, _ = env.reset(KEY, len(joint))
    _, step = env.step(state, jnp.asarray(joint, env.spec.action_type), KEY)
    assert step.terminated.all()
    np.testing.assert_allclose(step.team_reward[:, 0], step.reward.mean(1), rtol=1e-6)
    return np.asarray(step.reward)


def test_two_players_are_the_two_by_two_game():
    # Would break: a player that does not count itself, or the two games exchanged.
    assert rewards(Specialise(2)).tolist() == [[0.5, 0.5], [1, 1], [1, 1], [0.5, 0.5]]
    assert rewards(Synchronise(2)).tolist() == [[1, 1], [0.5, 0.5], [0.5, 0.5], [1, 1]]


@pytest.mark.parametrize("agents", [2, 3, 4])
def test_the_stated_returns_are_the_enumerated_ones(agents):
    # Would break: a closed form of random play or of the best play that is another game's.
    for make in (Specialise, Synchronise):
        env = make(agents)
        paid = rewards(env)
        assert paid.mean() == pytest.approx(env.random_return, rel=1e-6)
        assert paid.mean(1).max() == pytest.approx(1)
        assert paid.mean(1).min() == pytest.approx(1 / agents)


def test_a_common_policy_does_best_at_random_where_all_should_differ():
    # Would break: the statement that a shared policy without identity cannot beat random play.
    env = Specialise(3)
    joint = np.array(list(product(range(3), repeat=3)))
    paid = rewards(env).mean(1)
    value = lambda p: (np.prod(np.array(p)[joint], axis=1) * paid).sum()
    assert value([1 / 3] * 3) == pytest.approx(env.random_return)
    assert value([1, 0, 0]) == pytest.approx(1 / 3)
    others = np.random.default_rng(0).dirichlet([1, 1, 1], 200)
    assert max(value(p) for p in others) < env.random_return
    formula = lambda p: np.mean([1 - (1 - x) ** 3 for x in p])
    np.testing.assert_allclose([value(p) for p in others], [formula(p) for p in others])


def test_thirty_two_players_and_no_more():
    # Would break: a table of 32^32 entries, or a game of one.
    env = Specialise(32)
    state, _ = env.reset(KEY, 2)
    action = jnp.stack([jnp.arange(32), jnp.zeros(32, int)]).astype(env.spec.action_type)
    _, step = env.step(state, action, KEY)
    np.testing.assert_allclose(step.team_reward[:, 0], [1, 1 / 32], rtol=1e-6)
    for agents in (1, 33):
        with pytest.raises(UserError, match=r"env.agents takes a whole number between 2 and 32"):
            Config.parse("iql", "specialise", {"env.agents": agents})


def test_a_scene_shows_each_player_on_its_own_action():
    # Would break: players on top of each other, or on a neighbour's action.
    env = Synchronise(4)
    state, _ = env.reset(KEY, 1)
    state, _ = env.step(state, jnp.array([[2, 2, 0, 2]]), KEY)
    scene = jax.jit(env.scene)(state)
    slots = np.asarray(scene.objects[..., 0])
    players = np.asarray(scene.agents[..., 0])
    np.testing.assert_allclose(players[0], 0.8 * slots[2], atol=1e-6)
    np.testing.assert_allclose(players[2], 0.8 * slots[0], atol=1e-6)
    nearest = np.linalg.norm(players[:, None] - slots[None], axis=2).argmin(1)
    assert nearest.tolist() == [2, 2, 0, 2]
    gaps = np.linalg.norm(players[:, None] - players[None], axis=2) + np.eye(4)
    assert gaps.min() >= 2 * env.scene(state).agent_radii[0] - 1e-6
    assert scene.highlighted[:, 0].tolist() == [True, False, True, False]
