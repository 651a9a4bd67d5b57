"""Games with known answers: what VDN and QMIX must converge to, and what they must not find."""

from itertools import product

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.algorithms.qmix import QMIX
from covey.core import Trajectory
from covey.environments.games import Matrix, TwoStep
from covey.networks.agents import FeedForward
from covey.networks.mixers import MonotonicMixer, SumMixer, single_choices
from covey.parts import Adam, Factory, HardTarget, LinearSchedule

VDN, QMIXER = Factory(SumMixer), Factory(MonotonicMixer, embed=8, hyper=16)


def everything(env):
    """Every sequence of joint actions, once: uniform exploration without its noise."""
    horizon, n = env.spec.horizon, env.spec.agents
    plans = jnp.array(list(product(range(env.spec.actions), repeat=horizon * n))).reshape(-1, horizon, n)
    state, obs = env.reset(jr.key(0), len(plans))
    seen, steps = [obs], []
    for t in range(horizon):
        state, step = env.step(state, plans[:, t], jr.key(0))
        seen.append(step.obs)
        steps.append(step)
    stack = lambda *x: jnp.stack(x, axis=1)
    obs, step = jax.tree.map(stack, *seen), jax.tree.map(stack, *steps)
    valid = jnp.ones((len(plans), horizon), bool)
    return Trajectory(obs, plans.astype(jnp.int8), step.reward, step.team_reward, step.terminated, valid)


def solved(env, mixer, updates, seeds=3):
    """Learners on the full batch, one a seed; agents are Q-tables, a matrix of what they see."""
    algorithm = QMIX(
        agent=Factory(FeedForward, depth=0), mixer=mixer, sharing="none", last_action=False, agent_id=False,
        optimiser=Adam(lr=LinearSchedule(0.1, 0.001, updates), clip=0.0), target=HardTarget(20),
    )  # fmt: skip
    batch = everything(env)

    def train(seed):
        learner = algorithm.init(env.spec, jr.key(seed))
        once = lambda learner, step: (algorithm.update(learner, batch, jr.key(0), step)[0], None)
        return jax.lax.scan(once, learner, jnp.arange(updates))[0].online

    return jax.jit(jax.vmap(train))(jnp.arange(seeds))


def table(networks, seen, state):
    """Q_tot of every joint action of two agents who both see `seen`."""
    _, q = networks.agents.step(networks.agents.init_carry(), jnp.stack([seen, seen]))
    pairs = jnp.stack(jnp.meshgrid(*q, indexing="ij"), axis=-1)
    world = jnp.broadcast_to(state, (*pairs.shape[:-1], len(state)))
    return networks.mixer(single_choices(pairs), world)[..., 0]


@pytest.mark.slow
def test_vdn_solves_two_step_to_its_fixed_point():
    # Breaks if targets bootstrap through a true end, take the wrong maximum, or discount wrongly:
    # in 2B the nearest sum to [[0, 1], [1, 8]] has 6.5 for a best, and .99 * 6.5 < .99 * 7.
    online = solved(TwoStep(), VDN, 800)
    q = jax.vmap(lambda networks: jax.vmap(lambda s: table(networks, s, s))(jnp.eye(3)))(online)
    want = [[[6.93, 6.93], [6.435, 6.435]], [[7, 7], [7, 7]], [[-1.5, 2.5], [2.5, 6.5]]]
    np.testing.assert_allclose(q, np.broadcast_to(want, q.shape), atol=0.01)


@pytest.mark.slow
def test_qmix_represents_two_step_exactly():
    # Breaks if the mixer cannot bend with the state, or is not given it: [[0, 1], [1, 8]] is monotone.
    online = solved(TwoStep(), QMIXER, 1500)
    q = jax.vmap(lambda networks: jax.vmap(lambda s: table(networks, s, s))(jnp.eye(3)))(online)
    want = [[[6.93, 6.93], [7.92, 7.92]], [[7, 7], [7, 7]], [[0, 1], [1, 8]]]
    np.testing.assert_allclose(q, np.broadcast_to(want, q.shape), atol=0.1)


def test_vdn_solves_matrix_by_least_squares():
    # Breaks if the loss weighs joint actions unequally. No sum comes nearer to the payoffs than
    # -6.22 where 8 is, so its greedy team never plays that.
    env = Matrix()
    seen = env.reset(jr.key(0), 1)[1].state[0]
    q = jax.vmap(lambda networks: table(networks, seen, seen))(solved(env, VDN, 800))
    payoff = np.array([[8, -12, -12], [-12, 0, 0], [-12, 0, 0]])
    least = payoff.mean(0) + payoff.mean(1)[:, None] - payoff.mean()
    np.testing.assert_allclose(least, [[-56 / 9] + [-44 / 9] * 2] + [[-44 / 9] + [-32 / 9] * 2] * 2)
    np.testing.assert_allclose(q, np.broadcast_to(least, q.shape), atol=0.01)
    assert jnp.all(jnp.argmax(q.reshape(len(q), -1), axis=1) != 0)
