"""One update of the value-mixing learners, and that acting and learning see the same."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from covey.algorithms.qmix import QMIX
from covey.core import Observation, Spec, Trajectory
from covey.environments.games import TwoStep
from covey.environments.particles.spread import Spread
from covey.networks.agents import FeedForward, Recurrent
from covey.networks.mixers import IndependentMixer, MonotonicMixer, SumMixer
from covey.parts import Adam, ConstantSchedule, Factory, HardTarget, RMSProp, SoftTarget
from covey.training.learners import LearnerSlot
from covey.training.loop import Trainer
from covey.training.rollout import append_observation

SPEC = Spec(("a", "b"), features=3, actions=2, horizon=4, state=2)
SMALL, PLAIN, VDN = Factory(Recurrent, hidden=4), Factory(FeedForward, hidden=4, depth=1), Factory(SumMixer)
flat = lambda tree: np.asarray(ravel_pytree(tree)[0], float)


def batch_of(seed, scale=1.0):
    """Three episodes of four steps, at random; one of them is over early."""
    keys = iter(jr.split(jr.key(seed), 4))
    first = jnp.zeros((3, 5), bool).at[:, 0].set(True).at[0, 3].set(True)
    team = scale * jr.normal(next(keys), (3, 4, 1))
    obs = Observation(
        agents=jr.normal(next(keys), (3, 5, 2, 3)),
        state=jr.normal(next(keys), (3, 5, 2)),
        legal=jnp.ones((3, 5, 2, 2), bool),
        alive=jnp.ones((3, 5, 2), bool),
        first=first,
    )
    action = jr.randint(next(keys), (3, 4, 2), 0, 2).astype(jnp.int8)
    valid = jnp.ones((3, 4), bool).at[0, 2:].set(False)
    return Trajectory(obs, action, jnp.repeat(team, 2, -1), team, jnp.zeros((3, 4), bool), valid)


def updated(algorithm, *batches):
    """Learners: the first, and that after each batch."""
    learner = jax.jit(lambda: algorithm.init(SPEC, jr.key(0)))()
    update = jax.jit(lambda learner, batch: algorithm.update(learner, batch, jr.key(1), jnp.array(0)))
    story = [(learner, {})]
    for batch in batches:
        story.append(update(story[-1][0], batch))
    return story


def gradient(algorithm, learner, batch):
    return flat(
        jax.jit(jax.grad(algorithm.loss, has_aux=True))(learner.online, learner.target.network, batch)[0]
    )


def clipped(g, limit):
    norm = np.sqrt(np.sum(g**2))
    assert norm > limit, "the clip must bite to be tested"
    return g * limit / norm


@pytest.mark.slow
def test_rmsprop_is_pytorchs_and_clips_agents_and_mixer_together():
    # Breaks if eps goes inside the root (it is large here, so that it matters), if the average
    # starts at anything but zero, or if agents and mixer are clipped each by its own norm.
    rmsprop = RMSProp(lr=ConstantSchedule(0.01), clip=0.05, decay=0.9, eps=0.1)
    algorithm = QMIX(agent=PLAIN, mixer=Factory(MonotonicMixer, embed=4, hyper=0), optimiser=rmsprop)
    batches = [batch_of(0), batch_of(1), batch_of(2)]
    story = updated(algorithm, *batches)
    w, square = flat(story[0][0].online), 0.0
    for (before, _), (after, _), batch in zip(story, story[1:], batches, strict=False):
        g = clipped(gradient(algorithm, before, batch), 0.05)
        square = 0.9 * square + 0.1 * g**2
        w = w - 0.01 * g / (np.sqrt(square) + 0.1)
        np.testing.assert_allclose(flat(after.online), w, rtol=1e-4, atol=1e-6)


def test_adam():
    # Breaks if moments are not corrected for their start, or eps is not outside the root.
    adam = Adam(lr=ConstantSchedule(0.01), clip=0.05, eps=1e-3)
    algorithm = QMIX(agent=PLAIN, mixer=VDN, optimiser=adam)
    batches = [batch_of(0), batch_of(1), batch_of(2)]
    story = updated(algorithm, *batches)
    w, m, v = flat(story[0][0].online), 0.0, 0.0
    for t, batch in enumerate(batches):
        g = clipped(gradient(algorithm, story[t][0], batch), 0.05)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        w = w - 0.01 * (m / (1 - 0.9 ** (t + 1))) / (np.sqrt(v / (1 - 0.999 ** (t + 1))) + 1e-3)
        np.testing.assert_allclose(flat(story[t + 1][0].online), w, rtol=1e-4, atol=1e-6)


def test_a_clip_of_zero_is_none():
    # Breaks if clip=0 scales every gradient to nothing.
    plain = RMSProp(lr=ConstantSchedule(0.01), clip=0.0)
    loose = RMSProp(lr=ConstantSchedule(0.01), clip=1e9)
    learn = lambda optimiser: updated(QMIX(agent=PLAIN, mixer=VDN, optimiser=optimiser), batch_of(0))
    np.testing.assert_array_equal(*[flat(learn(optimiser)[1][0].online) for optimiser in (plain, loose)])


def test_hard_targets_are_copied_on_time():
    # Breaks if the copy comes an update early or late, or takes the network from before the update.
    algorithm = QMIX(agent=PLAIN, mixer=VDN, target=HardTarget(2))
    story = [learner for learner, _ in updated(algorithm, *map(batch_of, range(4)))]
    for learner, source in zip(story, [0, 0, 2, 2, 4], strict=True):
        np.testing.assert_array_equal(flat(learner.target.network), flat(story[source].online))


def test_soft_targets_take_a_step():
    # Breaks if tau weighs the wrong network, or the mixer is left behind.
    algorithm = QMIX(agent=PLAIN, mixer=Factory(MonotonicMixer, embed=4, hyper=0), target=SoftTarget(0.1))
    (before, _), (after, _) = updated(algorithm, batch_of(0))
    want = 0.1 * flat(after.online) + 0.9 * flat(before.target.network)
    np.testing.assert_allclose(flat(after.target.network), want, rtol=1e-6, atol=1e-7)


def test_rewards_are_standardised_by_what_has_been_seen():
    # Breaks if invalid steps count, if the newest batch is left out of the averages, or if the
    # deviation is not that of all updates: mean and mean square are averaged over updates.
    algorithm = QMIX(agent=PLAIN, mixer=VDN, standardise_rewards=True)
    batches = [batch_of(0), batch_of(1, scale=30.0)]
    story = updated(algorithm, *batches)
    moments = []
    for (before, _), (after, metrics), batch in zip(story, story[1:], batches, strict=False):
        r = np.asarray(batch.team_reward)[np.asarray(batch.valid)]
        moments.append((r.mean(), (r**2).mean()))
        mean, square = np.mean(moments, axis=0)
        np.testing.assert_allclose(after.rewards, (mean, square), rtol=1e-5)
        scaled = (batch.team_reward - mean) / np.sqrt(square - mean**2)
        batch = replace(batch, team_reward=scaled)
        want, _ = algorithm.loss(before.online, before.target.network, batch)
        np.testing.assert_allclose(metrics["loss"], want, rtol=1e-4)


def acted(trainer, ticks):
    """What is played, with the agents' memory after every act: [copies, ticks, ...]."""
    side = trainer.slots[0]
    learner = side.algorithm.init(trainer.spec, jr.key(3))
    start = trainer.begin((learner,), jr.key(4), trainer.copies)

    def tick(actors, t):
        actors, record, _ = trainer.tick((learner,), actors, jr.fold_in(jr.key(5), t), jnp.array(0), True)
        return actors, (record, actors.carry[0].hidden)

    last, (record, hidden) = jax.lax.scan(tick, start, jnp.arange(ticks))
    record, hidden = jax.tree.map(lambda x: jnp.moveaxis(x, 0, 1), (record, hidden))
    return learner, append_observation(record, last.obs), hidden


WORLDS = {
    "two_step": (TwoStep(), {}),
    "two_step, no last action": (TwoStep(), {"last_action": False}),
    "spread, nothing shared": (Spread(agents=2, horizon=3), {"sharing": "none"}),
}


@pytest.mark.parametrize(("env", "options"), WORLDS.values(), ids=WORLDS.keys())
def test_acting_and_learning_see_the_same(env, options):
    # Breaks if the loss reads other inputs than acting did: last actions a step off, an action or a
    # memory that outlives its episode, another agent's id. It plays three episodes with two fresh
    # starts between them, half at random, and compares Q of what was done in `act` and in the loss.
    half = ConstantSchedule(0.5)
    algorithm = QMIX(agent=SMALL, mixer=Factory(IndependentMixer), epsilon=half, **options)
    trainer = Trainer(env, (LearnerSlot("team", algorithm, (0, 1)),), 4, 1)
    learner, played, hidden = jax.jit(lambda: acted(trainer, 3 * env.spec.horizon + 2))()
    assert int(played.obs.first[:, :-1].sum()) == 4 * 3
    assert int((~played.valid).sum()) == 4 * 2

    networks = learner.online.agents
    by_agent = jax.vmap(lambda layer, h: layer(h), (0, 2), 2)
    q = networks.nets.head(hidden) if networks.shared else by_agent(networks.per_agent().head, hidden)
    q = np.take_along_axis(np.asarray(q), np.asarray(played.action, int)[..., None], -1)[..., 0]
    td_error = jax.jit(jax.vmap(algorithm.td_error, (None, None, 0)))
    _, learned = td_error(learner.online, learner.target.network, played)
    np.testing.assert_allclose(learned[played.valid], q[played.valid], rtol=1e-4, atol=1e-5)
    assert np.std(q[np.asarray(played.valid)]) > 0.01


@pytest.mark.parametrize("net", [SMALL, Factory(FeedForward, hidden=4)], ids=["recurrent", "feed_forward"])
def test_greedy_is_greedy(net):
    # Breaks if evaluation explores, or an illegal action can be the best.
    algorithm = QMIX(agent=net, mixer=VDN, epsilon=ConstantSchedule(1.0))
    learner = algorithm.init(SPEC, jr.key(0))
    legal = jnp.array([[True, False], [False, True]])
    obs = Observation(jnp.ones((2, 3)), jnp.zeros(2), legal, jnp.ones(2, bool), jnp.array(True))
    carry = algorithm.init_carry(SPEC, learner)
    _, forced, _ = algorithm.act(learner, carry, obs, jr.key(1), jnp.array(0), False)
    np.testing.assert_array_equal(forced, [0, 1])
    free = Observation(obs.agents, obs.state, jnp.ones((2, 2), bool), obs.alive, obs.first)
    act = lambda key: algorithm.act(learner, carry, free, key, jnp.array(0), False)[1]
    actions = jax.vmap(act)(jr.split(jr.key(1), 20))
    assert jnp.all(actions == actions[0])
