"""How IPPO and MAPPO learn from rollouts: what acting leaves behind, chunks, minibatches, optimisers."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.algorithms.on_policy.networks import SharedTrunk
from covey.algorithms.ppo import PPO
from covey.environments.games import TwoStep
from covey.environments.probes import Death, Meeting, Recall
from covey.errors import UserError
from covey.networks.agents import AbstractAgent, FeedForward, Recurrent
from covey.networks.identity import HyperSettings
from covey.parts import Adam, ConstantSchedule, Factory, LinearSchedule
from covey.testing import check_algorithm
from covey.training.learners import LearnerSlot, view_as
from covey.training.loop import Trainer

SMALL = Factory(Recurrent, hidden=4, norm=True, gain=1.0)
PLAIN = Factory(FeedForward, hidden=4, depth=1, gain=1.0)


def ppo(net=SMALL, **options):
    return PPO(**({"actor": net, "critic": net, "epochs": 1} | options))


def played(algorithm, env, copies=3, length=11):
    """A learner, and rollouts of it as it sees them: several episodes, and their beginnings."""
    trainer = Trainer(env, (LearnerSlot("team", algorithm, tuple(range(env.spec.agents))),), copies, length)

    def play(key):
        state = trainer.init(key)
        state, rollouts, _ = trainer.collect(state, jnp.array(0))
        return state.learners[0], view_as(trainer.slots[0], env.spec, trainer.slots[0].own_rollouts(rollouts))

    return jax.jit(play)(jr.key(0))


def updated(algorithm, learner, batch):
    return jax.jit(lambda *x: algorithm.update(*x, jr.key(1), jnp.array(0)))(learner, batch)


def again(algorithm, learner, batch):
    """Log-probabilities and values of every real step, found again from chunks; and as acting left them."""

    def find(learner, batch):
        chunk = algorithm.make_chunks(learner, batch)

        def one(c):
            policy, value = learner.networks.unroll(c.carry, c.obs)
            return policy.log_prob(c.extras.choice), value

        return jax.vmap(one)(chunk), (chunk.extras.log_prob, chunk.extras.value), chunk.valid

    found, left, valid = jax.tree.map(np.asarray, jax.jit(find)(learner, batch))
    return [x[valid] for x in found], [x[valid] for x in left]


WORLDS = {
    "discrete": (Recall(), {}),
    "deaths": (Death(), {"critic_input": "agent", "sharing": "none"}),
    "squashed": (Meeting(3), {"critic_input": "own"}),
    "cut off": (Meeting(3), {"squashed": False, "agent_id": False}),
    "one network": (Recall(), {"critic_input": "own", "trunk": SharedTrunk()}),
    "by identity": (Death(), {"critic_input": "agent", "hyper": HyperSettings("identity", "both", hidden=4)}),
    "one network, continuous": (Meeting(3), {"critic_input": "own", "trunk": SharedTrunk()}),
}


@pytest.mark.parametrize(("env", "options"), WORLDS.values(), ids=WORLDS.keys())
def test_chunks_say_what_acting_said(env, options):
    # Would break: a chunk that begins with another memory than it had, memory that outlives an episode
    # inside one, other inputs than acting had; chunks of 1, 4 and all steps must agree to 1e-6.
    algorithm = ppo(**options)
    learner, batch = played(algorithm, env)
    assert int(batch.obs.first[:, 1:].sum()) > 3
    for size in (1, 4, 99):
        found, left = again(replace(algorithm, chunk=size), learner, batch)
        for mine, theirs in zip(found, left, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-6)
            assert mine.std() > 1e-4


class Forgetful(AbstractAgent):
    """A recurrent network that begins every step with an empty memory: no memory at all."""

    net: Recurrent

    def __init__(self, i, o, *, key):
        self.net = SMALL(i, o, key=key)

    @property
    def carry_size(self):
        return 0

    def step(self, h, x):
        return h, self.net.step(jnp.zeros((*x.shape[:-1], self.net.carry_size)), x)[1]

    def unroll(self, h, xs, first):
        return self.step(h, xs)


def test_chunks_of_one_step_are_the_feed_forward_path():
    # Would break: another shuffle, another batch or another loss for networks that remember: with memory
    # wiped at each step, the same network must learn the same either way.
    env, options = Recall(), {"epochs": 2, "minibatches": 3, "chunk": 1}
    remembers, forgets = ppo(**options), ppo(Factory(Forgetful), **options)
    learner, batch = played(remembers, env)
    obs = replace(batch.obs, first=jnp.ones_like(batch.obs.first))
    extras = replace(batch.extras, carry=jax.tree.map(jnp.zeros_like, batch.extras.carry))
    none = jax.tree.map(lambda x: x[..., :0], extras.carry)
    other = forgets.init(env.spec, jr.key(0))
    other = jax.tree.unflatten(jax.tree.structure(other), jax.tree.leaves(learner))
    after, told = updated(remembers, learner, replace(batch, obs=obs, extras=extras))
    same, too = updated(forgets, other, replace(batch, obs=obs, extras=replace(extras, carry=none)))
    for mine, theirs in zip(jax.tree.leaves(after), jax.tree.leaves(same), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)
    for name in told:
        assert float(told[name]) == pytest.approx(float(too[name]), rel=1e-4, abs=1e-7)


@pytest.fixture(scope="module")
def deaths():
    """Feed-forward learners in a world of deaths, and rollouts."""
    algorithm = ppo(PLAIN, minibatches=2)
    return algorithm, *played(algorithm, Death())


def test_the_dead_do_not_move_the_actor(deaths):
    # Would break: what the dead did weighing in the policy's loss, its entropy, or the advantages' scale.
    algorithm, learner, batch = deaths
    dead = ~batch.obs.alive[:, :-1]
    assert dead.any()
    extras = replace(batch.extras, log_prob=jnp.where(dead, -7.0, batch.extras.log_prob))
    (one, _), (two, _) = (
        updated(algorithm, learner, replace(batch, extras=m)) for m in (batch.extras, extras)
    )
    for mine, theirs in zip(jax.tree.leaves(one.actor), jax.tree.leaves(two.actor), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def norm(tree):
    return float(jnp.sqrt(sum(jnp.sum(x**2) for x in jax.tree.leaves(tree))))


def test_each_optimiser_clips_its_own(deaths):
    # Would break: gradients clipped together, one optimiser for both, or settings swapped. Adam's first
    # moment after a step is a tenth of the clipped gradient.
    algorithm, _, batch = deaths
    adam = lambda clip: Adam(ConstantSchedule(1e-3), clip=clip)
    strict = replace(algorithm, actor_optimiser=adam(1e-3), critic_optimiser=adam(1e-2), minibatches=1)
    after, _ = updated(strict, strict.init(Death().spec, jr.key(0)), batch)
    assert norm(after.actor_opt_state.state[1].mu) == pytest.approx(1e-4, rel=1e-3)
    assert norm(after.critic_opt_state.state[1].mu) == pytest.approx(1e-3, rel=1e-3)


def test_one_network_has_one_optimiser_and_one_clip(deaths):
    # Would break: parameters of a critic that nobody uses, a gradient clipped by head, or the wrong setting.
    _, _, batch = deaths
    adam = lambda clip: Adam(ConstantSchedule(1e-3), clip=clip)
    options = {"actor_optimiser": adam(1e-3), "critic_optimiser": adam(1e-2), "critic_input": "own"}
    algorithm = ppo(PLAIN, trunk=SharedTrunk(), **options)
    learner, batch = played(algorithm, Death())
    sizes = lambda tree: sorted(x.size for x in jax.tree.leaves(tree))
    alone = PLAIN(Death().spec.features + 2, Death().spec.actions + 1, key=jr.key(0))
    assert sizes((learner.actor, learner.critic)) == sizes(alone)
    assert learner.critic_opt_state is None
    after, _ = updated(algorithm, learner, batch)
    assert norm(after.actor_opt_state.state[1].mu) == pytest.approx(1e-4, rel=1e-3)
    head = lambda learner: learner.actor.networks.nets.layers.layers[-1].weight
    assert (jnp.abs(head(after) - head(learner)).max(axis=0) > 0).all()


def test_the_value_coefficient_weighs_the_value(deaths):
    # Would break: a coefficient that nothing is multiplied by, or one that weighs the policy too. With 0 the
    # value's head has no gradient; the update's values show it, for they come from the same network.
    options = {"critic_input": "own", "actor_optimiser": Adam(ConstantSchedule(1e-3), clip=0.0, eps=1e6)}
    moved = {}
    for weight in (0.0, 1.0, 2.0):
        algorithm = ppo(PLAIN, trunk=SharedTrunk(weight), **options)
        learner, batch = played(algorithm, Death())
        after, _ = updated(algorithm, learner, batch)
        step = jax.tree.map(jnp.subtract, after.actor, learner.actor)
        moved[weight] = np.asarray(step.networks.nets.layers.layers[-1].weight, float)
    assert not moved[0.0][:, -1].any()
    np.testing.assert_allclose(moved[2.0][:, -1], 2 * moved[1.0][:, -1], rtol=1e-2)
    np.testing.assert_allclose(moved[2.0][:, :-1], moved[0.0][:, :-1], rtol=1e-2, atol=1e-12)


def test_learning_rates_count_optimiser_steps(deaths):
    # Would break: a schedule that counts updates or environment steps. Two minibatches use this one up.
    algorithm, _, batch = deaths
    fade = Adam(LinearSchedule(0.1, 0.0, 2))
    short = replace(algorithm, actor_optimiser=fade, critic_optimiser=fade)
    before = short.init(Death().spec, jr.key(0))
    after, _ = updated(short, before, batch)
    last, _ = updated(short, after, batch)
    assert norm(jax.tree.map(jnp.subtract, after.actor, before.actor)) > 0.1
    for part in ("actor", "critic"):
        moved = jax.tree.map(jnp.subtract, getattr(last, part), getattr(after, part))
        assert norm(moved) == 0


def ten_updates(**options):
    adam = Adam(ConstantSchedule(5e-3))
    optimisers = {"actor_optimiser": adam, "critic_optimiser": adam}
    algorithm = ppo(PLAIN, minibatches=2, epochs=2, **optimisers, **options)
    trainer = Trainer(Death(), (LearnerSlot("team", algorithm, (0, 1)),), 4, 5)
    run = jax.jit(lambda key: jax.lax.scan(trainer.iteration, trainer.init(key), jnp.arange(10)))
    state, (told, _) = run(jr.key(0))
    return state.learners[0], told


def test_ten_updates():
    # Would break: anything that changes what a seed learns, meant or not.
    learner, told = ten_updates(critic_input="agent")
    value = [0.53749, 0.32019, 0.55466, 0.431, 0.44392, 0.42282, 0.42726, 0.27558, 0.35782, 0.26957]
    policy = [0.04559, 0.00847, 0.00052, 0.00284, -0.01967, -0.0062, -0.01226, -0.01047, 0.01662, 0.01681]
    np.testing.assert_allclose(told["value_loss"], value, rtol=1e-3)
    np.testing.assert_allclose(told["policy_loss"], policy, atol=1e-4)
    np.testing.assert_allclose([norm(learner.actor), norm(learner.critic)], [3.31783, 3.02632], rtol=1e-4)


def test_ten_updates_of_one_network():
    # Would break: anything that changes what a seed learns, meant or not.
    learner, told = ten_updates(critic_input="own", trunk=SharedTrunk())
    value = [0.89258, 0.68827, 0.56766, 0.71672, 0.49012, 0.64379, 0.66913, 0.62847, 0.4641, 0.4031]
    policy = [0.02547, -0.00056, 0.00374, 0.00254, -0.01804, -0.00425, 0.00711, 0.01917, 0.00972, -0.01757]
    np.testing.assert_allclose(told["value_loss"], value, rtol=1e-3)
    np.testing.assert_allclose(told["policy_loss"], policy, atol=1e-4)
    np.testing.assert_allclose(norm(learner.actor), 3.29768, rtol=1e-4)


def test_insight_is_what_was_expected():
    # Would break: values on the critic's own scale, or of the state before.
    algorithm = ppo()
    learner, batch = played(algorithm, Recall())
    scale = learner.scale.update(jnp.array([[1.0], [5.0]]), jnp.ones(2, bool))
    learner = replace(learner, scale=scale)
    value = jax.jit(jax.vmap(algorithm.insight, (None, 0)))(learner, batch)["V"]
    np.testing.assert_allclose(value, scale.denormalise(batch.extras.value), rtol=1e-4, atol=1e-5)


def test_own_rewards_need_own_values():
    # Would break: one value for the team, broadcast to agents that are paid apart.
    with pytest.raises(UserError, match="with reward=own set critic_input=agent"):
        ppo(reward="own").init(Death().spec, jr.key(0))


def test_one_network_reads_one_input():
    # Would break: a shared network whose value is of the observation, where one of the state was asked for.
    sentence = "is not what the actor reads, and with trunk=shared both are one network: set critic_input=own"
    with pytest.raises(UserError, match=sentence):
        ppo(trunk=SharedTrunk()).init(Death().spec, jr.key(0))


KEEPERS = {
    "recurrent mappo": (ppo(epochs=2, minibatches=2, chunk=2), TwoStep()),
    "feed-forward ippo": (ppo(PLAIN, critic_input="own", sharing="none", reward="own"), Meeting(2)),
    "one network": (ppo(critic_input="own", trunk=SharedTrunk(), epochs=2, chunk=2), TwoStep()),
}


@pytest.mark.slow
@pytest.mark.parametrize(("algorithm", "env"), KEEPERS.values(), ids=KEEPERS.keys())
def test_the_protocol_is_kept(algorithm, env):
    # Would break: anything `check_algorithm` looks for.
    check_algorithm(algorithm, env)
