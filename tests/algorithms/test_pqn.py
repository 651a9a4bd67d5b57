"""PQN: its loss in figures one can check by head, then with real networks in NumPy; its updates."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from test_value_losses import (
    FORBIDDEN,
    IQL,
    ONE_UNIT,
    QMIX_2,
    SPEC,
    VARIANTS,
    VDN,
    by_hand,
    by_number,
    cut_off,
    story,
)  # fmt: skip
from test_value_losses import tabular as qmix_tables
from test_value_oracles import QMIXER, everything, table
from test_value_updates import batch_of, flat

from covey.algorithms.pqn import PQN, Learner
from covey.algorithms.qmix import QMIX
from covey.core import Spec, Trajectory
from covey.environments.games import TwoStep
from covey.errors import SettingError
from covey.experience import OnPolicy
from covey.networks.agents import FeedForward, Recurrent, init_agent_carry
from covey.networks.mixers import IndependentMixer
from covey.parts import Adam, ConstantSchedule, Factory, LinearSchedule, RAdam
from covey.testing import check_algorithm
from covey.training.learners import LearnerSlot
from covey.training.loop import Trainer


def from_start(online, *episodes):
    """Rollouts that begin with an episode, as a batch with the carries of their starts."""
    batch = jax.tree.map(lambda *x: jnp.stack(x), *episodes)
    start = init_agent_carry(online.agents)
    starts = jax.tree.map(lambda x: jnp.broadcast_to(x, (len(episodes), *x.shape)), start)
    return replace(batch, extras=starts)


def loss(algorithm, online, *episodes):
    return float(algorithm.loss(online, from_start(online, *episodes))[0])


def tabular(mixer, **options):
    """PQN whose network holds test_value_losses' tables; gamma is 1/2."""
    qmix, online, _ = qmix_tables(mixer)
    return PQN(qmix=replace(qmix, **options)), online


def twice(e: Trajectory) -> Trajectory:
    """An episode, the step that resets (and says it pays 100), and the episode again: one rollout."""
    join = lambda x, between: jnp.concatenate([x, jnp.full_like(x[:1], between), x])
    return Trajectory(
        obs=jax.tree.map(lambda x: jnp.concatenate([x, x]), e.obs),
        action=join(e.action, 0),
        reward=join(e.reward, 100),
        team_reward=join(e.team_reward, 100),
        terminated=join(e.terminated, False),
        valid=join(e.valid, False),
    )


# Tables of a: (1, 2), (3, 0), (5, 4); of b: (0, 1), (2, 6), (1, 7). They do (1, 0) for 3, then (0, 1) for 2.
BY_HEAD = {
    # Q_tot = 2+0, 3+6. V = 3+6, then 5+7. G = 3 + 9/2, 2 + 12/2. ((7.5-2)^2 + (8-9)^2) / 2
    "vdn": (VDN, {}, cut_off(), 15.625),
    # G_1 = 2. (30.25 + (2-9)^2) / 2
    "vdn, terminated": (VDN, {}, cut_off(terminated=True), 39.625),
    # Agent b may not take action 1 in the end: V_2 = 5+1, G_1 = 5. (30.25 + 16) / 2
    "vdn, best is illegal": (VDN, {}, cut_off(legal=FORBIDDEN), 23.125),
    # G_1 = 8, G_0 = 3 + (.4*9 + .6*8)/2 = 7.2. (5.2^2 + 1) / 2
    "vdn, lam .6": (VDN, {"lam": 0.6}, cut_off(), 14.02),
    # The step that resets pays 100 here: it counts for nothing, and no return passes through it.
    "vdn, lam .6, padded": (VDN, {"lam": 0.6}, cut_off(padded=True), 14.02),
    # Two episodes are as good as one.
    "vdn, lam .6, twice": (VDN, {"lam": 0.6}, twice(cut_off()), 14.02),
    # G_1 = 2, G_0 = 3 + (.4*9 + .6*2)/2 = 5.4. (3.4^2 + 49) / 2
    "vdn, lam .6, terminated": (VDN, {"lam": 0.6}, cut_off(terminated=True), 30.28),
    # a: Q = 2, 3; G = 3 + 3/2, 2 + 5/2. b: Q = 0, 6; G = 3 + 6/2, 2 + 7/2. (6.25 + 2.25 + 36 + .25) / 4
    "iql": (IQL, {}, cut_off(), 11.1875),
    # Q_tot = (2 + 2*0)/2 + 1, (3 + 2*6)/2 + 1. V = 8.5, (5 + 2*7)/2 + 1. G: 7.25 twice. (5.25^2 + 1.25^2) / 2
    "qmix": (ONE_UNIT, {}, cut_off(), 14.5625),
}


@pytest.mark.parametrize(("mixer", "options", "e", "want"), BY_HEAD.values(), ids=BY_HEAD.keys())
def test_loss_of_round_numbers(mixer, options, e, want):
    # Breaks with anything in the equations: see each case's own arithmetic.
    algorithm, online = tabular(mixer, **options)
    assert loss(algorithm, online, e) == pytest.approx(want, rel=1e-6)


def test_the_target_is_a_constant():
    # Breaks if a gradient flows through G, which the same network gives: dL/dQ_i(taken) = Q_tot - G, no more.
    algorithm, online = tabular(VDN)
    grad = jax.grad(lambda online: algorithm.loss(online, from_start(online, cut_off()))[0])(online)
    want = np.zeros((2, 3, 2))
    want[0, 0, 1] = want[1, 0, 0] = 2.0 - 7.5
    want[0, 1, 0] = want[1, 1, 1] = 9.0 - 8.0
    np.testing.assert_allclose(grad.agents.nets.layers.layers[0].weight, want, atol=1e-6)


@pytest.mark.parametrize("mixer", [IQL, VDN, QMIX_2], ids=["iql", "vdn", "qmix"])
def test_loss_by_hand(mixer):
    # Breaks if networks, mixers, inputs, masks or returns depart from their equations anywhere.
    for name in ("truncated", "terminated", "illegal", "td(.6)"):
        options, how = VARIANTS[name]
        qmix = QMIX(agent=Factory(Recurrent, hidden=3), mixer=mixer, gamma=0.9, **options)
        online = by_number(qmix.init(SPEC, jr.key(0)).online, 0)
        e = story(**how)
        want = by_hand(qmix, online, online, jax.tree.map(np.asarray, e))
        assert loss(PQN(qmix=qmix), online, e) == pytest.approx(want, rel=2e-5), name


@pytest.mark.parametrize("length", [2, 4, 7])
def test_acting_and_learning_see_the_same(length):
    # Breaks if a rollout that starts within an episode learns from another carry or last action than acting
    # had there, or if either outlives its episode. The values of `act` are compared with those of the loss.
    qmix = QMIX(
        agent=Factory(Recurrent, hidden=4), mixer=Factory(IndependentMixer), epsilon=ConstantSchedule(0.5)
    )
    algorithm = PQN(qmix=qmix, experience=OnPolicy(steps=length))
    trainer = Trainer(TwoStep(), (LearnerSlot("team", algorithm, (0, 1)),), 4, length)

    @jax.jit
    def play():
        learner = algorithm.init(trainer.spec, jr.key(3))
        actors = trainer.begin((learner,), jr.key(4), 4)
        rollouts = []
        for n in range(3):
            found = trainer.rollout((learner,), actors, jr.fold_in(jr.key(5), n), jnp.array(0), length)
            actors = found.actors
            rollouts.append(found.trajectory)
        return learner, jax.tree.map(lambda *x: jnp.concatenate(x), *rollouts)

    learner, played = play()
    played = replace(played, extras=played.extras["team"])
    agents = learner.online.agents
    see = lambda carry, obs: agents.step(carry.hidden, qmix.inputs(obs, carry.action))[1]
    current = jax.tree.map(lambda x: x[:, :-1], played.obs)
    q = jax.vmap(jax.vmap(see))(played.extras, current)
    q = np.take_along_axis(np.asarray(q), np.asarray(played.action, int)[..., None], -1)[..., 0]
    start = jax.tree.map(lambda x: x[:, 0], played.extras)
    learned, _ = jax.vmap(algorithm.evaluate, (None, 0, 0))(learner.online, played, start)
    np.testing.assert_allclose(learned[played.valid], q[played.valid], rtol=1e-4, atol=1e-5)
    assert not played.obs.first[:, 0].all()
    assert np.std(q[np.asarray(played.valid)]) > 0.01


def solved(mixer, lam, updates, rate=0.1, seeds=3):
    """Networks after learning from every sequence of joint actions at once; agents are Q-tables."""
    env = TwoStep()
    table = Factory(FeedForward, depth=0)
    optimiser = Adam(lr=LinearSchedule(rate, 0.001, updates), clip=0.0)
    qmix = QMIX(
        agent=table, mixer=mixer, sharing="none", last_action=False, agent_id=False, lam=lam,
        optimiser=optimiser,
    )  # fmt: skip
    algorithm = PQN(qmix=qmix, epochs=1, minibatches=1)
    batch = everything(env)

    def train(seed):
        learner = algorithm.init(env.spec, jr.key(seed))
        carry = algorithm.init_carry(env.spec, learner)
        extras = jax.tree.map(lambda x: jnp.broadcast_to(x, (*batch.valid.shape, *x.shape)), carry)
        full = replace(batch, extras=extras)
        once = lambda learner, step: (algorithm.update(learner, full, jr.key(0), step)[0], None)
        return jax.lax.scan(once, learner, jnp.arange(updates))[0].online

    return jax.jit(jax.vmap(train))(jnp.arange(seeds))


@pytest.mark.slow
@pytest.mark.parametrize(("lam", "first"), [(0.0, 6.435), (0.5, 4.455)])
def test_vdn_solves_two_step_to_its_fixed_point(lam, first):
    # Breaks if returns bootstrap through a true end, take the wrong maximum, or weigh lambda wrongly. In 2B
    # the nearest sum to [[0, 1], [1, 8]] has 6.5 for a best, and uniform actions earn 2.5 there: the first
    # state's value of going there is .99 [(1 - lam) 6.5 + lam 2.5].
    online = solved(VDN, lam, 800)
    q = jax.vmap(lambda networks: jax.vmap(lambda s: table(networks, s, s))(jnp.eye(3)))(online)
    want = [[[6.93, 6.93], [first, first]], [[7, 7], [7, 7]], [[-1.5, 2.5], [2.5, 6.5]]]
    np.testing.assert_allclose(q, np.broadcast_to(want, q.shape), atol=0.02)


@pytest.mark.slow
def test_qmix_represents_two_step_exactly():
    # Breaks if the mixer is not given the state of its own moment, at either end of a step.
    online = solved(QMIXER, 0.0, 2500, rate=0.03)
    q = jax.vmap(lambda networks: jax.vmap(lambda s: table(networks, s, s))(jnp.eye(3)))(online)
    want = [[[6.93, 6.93], [7.92, 7.92]], [[7, 7], [7, 7]], [[0, 1], [1, 8]]]
    np.testing.assert_allclose(q, np.broadcast_to(want, q.shape), atol=0.1)


SMALL = PQN(
    qmix=QMIX(
        agent=Factory(Recurrent, hidden=4, norm=True),
        mixer=QMIX_2,
        lam=0.5,
        optimiser=RAdam(ConstantSchedule(0.01)),
    ),
    experience=OnPolicy(steps=5),
    epochs=2,
    minibatches=2,
)


@pytest.mark.slow
def test_it_keeps_the_protocol():
    # Would break: anything `check_algorithm` looks for.
    check_algorithm(SMALL, TwoStep())


def test_more_minibatches_than_rollouts_are_refused():
    # Would break: an empty minibatch that teaches nothing, without a word.
    learner = SMALL.init(Spec(("a", "b"), features=3, actions=2, horizon=4, state=2), jr.key(0))
    with pytest.raises(SettingError, match="minibatches"):
        replace(SMALL, minibatches=4).update(learner, rollouts_of(learner, 0), jr.key(1), jnp.array(0))


def rollouts_of(learner: Learner, seed: int) -> Trajectory:
    """Three rollouts at random, with a carry at every step."""
    batch = batch_of(seed)
    extras = jax.tree.map(
        lambda x: jnp.broadcast_to(x, (*batch.valid.shape, *x.shape)), init_agent_carry(learner.online.agents)
    )
    return replace(batch, extras=extras)


def test_ten_updates():
    # Golden: breaks if anything in init, loss, optimiser or passes changes, however slightly meant.
    spec = Spec(("a", "b"), features=3, actions=2, horizon=4, state=2)

    @jax.jit
    def run(key):
        learner = SMALL.init(spec, key)
        batches = jax.tree.map(lambda *x: jnp.stack(x), *(rollouts_of(learner, n) for n in range(10)))
        once = lambda learner, batch: SMALL.update(learner, batch, jr.key(1), jnp.array(0))
        return jax.lax.scan(once, learner, batches)

    learner, metrics = run(jr.key(0))
    found = metrics["loss"][jnp.array([0, 4, 9])]
    size = np.sum(flat(learner.online) ** 2)
    np.testing.assert_allclose(found, GOLDEN_LOSSES, rtol=1e-3)
    np.testing.assert_allclose(size, GOLDEN_SIZE, rtol=1e-3)


GOLDEN_LOSSES = [2.314543, 1.608937, 2.463405]
GOLDEN_SIZE = 27.60009
