"""Enemies as a second team of agents: the same language, with the sides exchanged."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from covey.config.making import make_environment
from covey.environments.skirmish.opponents import PolicyEnemy
from covey.environments.skirmish.skirmish import Skirmish
from covey.environments.skirmish.state import change


@cache
def world(name):
    env, _ = make_environment(f"skirmish/{name}", {"enemy": "policy"})
    assert isinstance(env, Skirmish)
    return env


@pytest.mark.parametrize("name", ["3m", "MMM2", "6h_vs_8z", "terran_10_vs_11"])
@pytest.mark.slow
def test_two_teams_padded_to_one_shape(name):
    # Breaks where a side's agents, features or actions are miscounted, or the padding can be chosen.
    env = world(name)
    spec = env.spec
    allies, enemies = (view.ranks.own for view in env.views)
    assert spec.teams == ("allies", "enemies")
    assert spec.agents == enemies.stop == len(set(spec.names))
    assert spec.members("enemies") == tuple(range(enemies.start, enemies.stop))
    assert spec.actions == max(view.actions for view in env.views)
    state, obs = jax.jit(env.reset, static_argnums=1)(jax.random.key(0), 2)
    assert obs.agents.shape == (2, spec.agents, spec.features)
    assert obs.state.shape == (2, spec.state)
    for view, rows in zip(env.views, (allies, enemies), strict=True):
        assert not obs.legal[:, rows, view.actions :].any()
        assert obs.legal[:, rows].any(axis=-1).all()
    assert (obs.alive == state.forces.alive.T).all()


def exchanged(state, first):
    """Return a battle with the sides exchanged and turned to the other half of the map."""
    swap = lambda x: jnp.roll(x, -first, axis=0)
    turned = jax.tree.map(lambda x: swap(x) if len(x) else x, state)
    pos = turned.forces.pos.at[:, 0].set(32 - turned.forces.pos[:, 0])
    forces = change(turned.forces, pos=pos)
    return type(state)(**{**vars(turned), "forces": forces, "t": state.t})


def test_either_side_sees_what_the_other_would_see_in_its_place():
    # Breaks where the enemies' view mixes up the sides: their own bars, foes, types, actions or state.
    env = world("2s3z")
    state, _ = env.reset(jax.random.key(0), 1)
    spread = 16 + jnp.array(np.random.default_rng(0).uniform(-4, 4, state.forces.pos.shape), jnp.float32)
    health = state.forces.health * jnp.linspace(0.5, 1.0, 10)[:, None]
    forces = change(state.forces, pos=spread, health=health)
    state = type(state)(**{**vars(state), "forces": forces})
    state = type(state)(**{**vars(state), "last_action": jnp.arange(10)[:, None]})
    ours = env.observe(state)
    theirs = env.observe(exchanged(state, 5))
    east_and_west = [0, 1, 2, 3, 5, 4, *range(6, 11)]
    assert (theirs.legal[0, 5:] == ours.legal[0, :5][:, jnp.array(east_and_west)]).all()
    mirror = lambda rows: np.array(rows).reshape(5, -1)
    seen = mirror(ours.agents[0, :5]).copy()
    seen[:, [2, 3]] = seen[:, [3, 2]]
    blocks = seen[:, 4 : 4 + 9 * 8].reshape(5, 9, 8)
    blocks[:, :, 2] *= -1
    blocks[:, :5, 6:] = blocks[:, :5, :5:-1]  # each side has its own order of the other's types
    blocks[:, 5:, 6:] = blocks[:, 5:, :5:-1]
    seen[:, -2:] = seen[:, :-3:-1]
    np.testing.assert_allclose(mirror(theirs.agents[0, 5:]), seen, atol=1e-6)
    half = env.spec.state // 2
    width = 5 * 7
    own = np.array(ours.state[0, :width]).reshape(5, 7)
    other = np.array(theirs.state[0, half : half + width]).reshape(5, 7)
    np.testing.assert_allclose(other[:, [0, 1, 3, 4]], own[:, [0, 1, 3, 4]], atol=1e-6)
    np.testing.assert_allclose(other[:, 2], -own[:, 2], atol=1e-6)


def close_fight(env, n):
    """Return the start of battles in which the sides stand 4 apart, mirrored."""
    state, _ = env.reset(jax.random.key(0), n)
    pos = np.array(state.forces.pos)
    pos[:3, 0] += 14 - pos[:3, 0].mean()
    pos[3:] = pos[:3]
    pos[3:, 0] = 32 - pos[:3, 0]
    forces = change(state.forces, pos=jnp.array(pos))
    state = type(state)(**{**vars(state), "forces": forces})
    return state, env.observe(state)


@cache
def random_battles(n=2048, steps=100):
    """Return the sums of what battles between two random sides count, and of the teams' rewards."""
    env = Skirmish("3m", enemy=PolicyEnemy(), horizon=200)

    def step(carry, key):
        state, legal, over = carry
        noise = jax.random.uniform(key, legal.shape)
        # shots twice as likely as steps, so that battles end
        action = jnp.argmax(jnp.where(legal, noise * (1 + (jnp.arange(9) > 5)), -1.0), axis=-1)
        state, taken = env.step(state, action, key)
        counted = jax.tree.map(lambda x: jnp.where(over, 0, x), taken.counts)
        paid = jnp.where(over[:, None], 0, taken.team_reward)
        return (state, taken.obs.legal, over | taken.terminated | taken.truncated), (counted, paid)

    @jax.jit
    def play(key):
        state, obs = start
        carry = (state, obs.legal, jnp.zeros(n, bool))
        (_, _, over), sums = jax.lax.scan(step, carry, jax.random.split(key, steps))
        return over, jax.tree.map(lambda x: jnp.sum(x, axis=0), sums)

    start = close_fight(env, n)
    return play(jax.random.key(1))


@pytest.mark.slow
def test_neither_side_has_an_advantage():
    # Breaks where one side shoots first, dies later or has better targets: symmetric starts, random play.
    _, (counts, _) = random_battles()
    won = float(counts["won"].sum())
    lost = float(counts["lost"].sum())
    assert won + lost > 1000
    assert abs(won / (won + lost) - 0.5) < 0.03


@pytest.mark.slow
def test_each_side_is_paid_for_its_own_deeds():
    # Breaks where a reward goes to the wrong side: a winner earns all 20, as nothing regenerates.
    _, (counts, paid) = random_battles()
    for side, count in enumerate(("won", "lost")):
        winners = np.array(counts[count]) > 0
        np.testing.assert_allclose(np.array(paid)[winners, side], 20.0, atol=1e-3)
        assert (np.array(paid)[winners, 1 - side] < 10).all()
