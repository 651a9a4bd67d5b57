"""How MADDPG and the dual-Q hybrid learn: the order of an update, clips, targets, alpha's clock."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey import ops
from covey.algorithms.dual_q import DualQ
from covey.algorithms.maddpg import MADDPG
from covey.algorithms.off_policy.actor_step import policy_evaluator
from covey.algorithms.off_policy.deterministic import DeterministicActors
from covey.core import Observation, Spec, Trajectory
from covey.environments.particles.pursuit import Pursuit
from covey.environments.probes import Death, Meeting
from covey.errors import UserError
from covey.experience import Replay
from covey.networks.agents import FeedForward, Recurrent
from covey.networks.mixers import MonotonicMixer, single_choices
from covey.parts import Adam, ConstantSchedule, Factory, PhasesSchedule, RampSchedule, SoftTarget
from covey.testing import check_algorithm
from covey.training.learners import LearnerSlot
from covey.training.loop import Trainer

SPEC = Spec(("a", "b", "c"), features=3, actions=2, horizon=4, state=2, team=("hunter", "hunter", "prey"))
NET, RECURRENT = Factory(FeedForward, hidden=4, depth=1), Factory(Recurrent, hidden=4)
HYBRID = {"local_critic": NET, "mixer": Factory(MonotonicMixer, embed=3, hyper=0)}
RING = Replay(capacity=400, batch_size=8, window=1, start=16, every=8)


def maddpg(**options):
    return MADDPG(**{"actor": NET, "critic": NET, "experience": RING} | options)


def dual(**options):
    own = {name: options.pop(name) for name in [*options] if name in DualQ.__dataclass_fields__}
    return DualQ(maddpg(**options), **HYBRID | own)


def transitions(seed=0, b=6, scale=1.0):
    keys = iter(jr.split(jr.key(seed), 6))
    real = lambda *shape: scale * jr.normal(next(keys), (b, *shape))
    many = lambda *shape: jnp.ones((b, *shape), bool)
    obs = Observation(real(2, 3, 3), real(2, 2), many(2, 3, 2), many(2, 3), ~many(2))
    action = jr.randint(next(keys), (b, 1, 3), 0, 2).astype(jnp.int8)
    return Trajectory(obs, action, real(1, 3), real(1, 2), ~many(1), many(1))


def updated(algorithm, learner, batch, step=0):
    return jax.jit(algorithm.update)(learner, batch, jr.key(1), jnp.array(step))


def born(algorithm):
    return jax.jit(lambda key: algorithm.init(SPEC, key))(jr.key(0))


def close(a, b):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.allclose(x, y, rtol=1e-4, atol=1e-6) for x, y in pairs)


def adams_first(params, grads, rate):
    """The first step of Adam, from scratch."""
    return jax.tree.map(lambda p, g: p - rate * g / (jnp.abs(g) + 1e-8), params, grads)


@pytest.mark.slow
def test_critics_then_actors_by_the_new_critics_then_targets():
    # Would break: actors that follow the old critics, targets that follow the old networks.
    plain = Adam(ConstantSchedule(0.05), clip=0.0)
    algorithm = maddpg(actor_optimiser=plain, critic_optimiser=plain, target=SoftTarget(0.25))
    learner, batch = born(algorithm), transitions()
    after, _ = updated(algorithm, learner, batch)
    later = algorithm.next_actions(learner, batch, jr.key(1), jnp.array(0))
    old, target = learner.online, learner.target.network
    grads = jax.grad(algorithm.critic_loss, has_aux=True)(old.critics, target, batch, later)[0]
    critics = adams_first(old.critics, grads, 0.05)
    assert close(after.online.critics, critics)

    def actors(critics):
        evaluate = policy_evaluator(batch, jr.key(1), algorithm.temperature(jnp.array(0)))
        nets = replace(old, critics=critics)
        grads = jax.grad(algorithm.actor_loss, has_aux=True)(old.actors, nets.value, batch, evaluate)[0]
        return adams_first(old.actors, grads, 0.05)

    assert close(after.online.actors, actors(critics))
    assert not close(after.online.actors, actors(old.critics))
    followed = jax.tree.map(lambda n, o: 0.25 * n + 0.75 * o, after.online, target)
    assert close(after.target.network, followed)


def norms(opt_state, i):
    """Of agent i's gradient, clipped, by variable: Adam's first moment after a step is a tenth of it."""
    return np.array([10 * float(jnp.linalg.norm(x[i])) for x in jax.tree.leaves(opt_state.state[1].mu)])


@pytest.mark.parametrize("part", ["actor", "critic"])
def test_each_agent_is_clipped_by_itself(part):
    # Would break: one norm over the stack of agents: then a's large gradient would shrink b's.
    options = {f"{part}_optimiser": Adam(ConstantSchedule(1e-3), clip=1e-3), "regulariser": 1.0}
    algorithm, batch = maddpg(**options), transitions(scale=3.0)
    learner = born(algorithm)
    opt_state = getattr(updated(algorithm, learner, batch)[0], f"{part}_opt_state")
    for i in range(3):
        assert np.sqrt(np.sum(norms(opt_state, i) ** 2)) == pytest.approx(1e-3, rel=1e-3)
    loud = replace(batch, reward=batch.reward * jnp.array([100.0, 1.0, 1.0]))
    same = getattr(updated(algorithm, learner, loud)[0], f"{part}_opt_state")
    for x, y in zip(jax.tree.leaves(opt_state), jax.tree.leaves(same), strict=True):
        np.testing.assert_array_equal(x[1:], y[1:])


def test_by_default_each_variable_of_each_agent_is_clipped_at_a_half():
    # Would break: a norm over an agent's whole network, or over agents.
    algorithm = maddpg()
    after, _ = updated(algorithm, born(algorithm), transitions(scale=30.0))
    for i in range(3):
        np.testing.assert_allclose(norms(after.critic_opt_state, i), 0.5, rtol=1e-3)


def test_the_stack_moves_like_agents_by_themselves():
    # Would break: an optimiser that mixes the rows of a stack.
    adam = Adam(ConstantSchedule(0.1), clip=0.7)
    params, grads = {"w": jnp.ones((3, 2, 2))}, {"w": jr.normal(jr.key(0), (3, 2, 2))}
    together, _ = ops.step(adam, params, ops.init_opt_state(adam, params, True), grads, True)
    for i in range(3):
        own, gradient = {"w": params["w"][i]}, {"w": grads["w"][i]}
        alone, _ = ops.step(adam, own, ops.init_opt_state(adam, own), gradient)
        np.testing.assert_allclose(together["w"][i], alone["w"], rtol=1e-6)


def test_the_hybrid_clips_the_mixer_and_each_local_critic_apart():
    # Would break: one clip for both, one for all local critics, settings swapped.
    adam = lambda clip: Adam(ConstantSchedule(1e-3), clip=clip)
    algorithm = dual(local_optimiser=adam(1e-4), mixer_optimiser=adam(2e-4))
    after, _ = updated(algorithm, born(algorithm), transitions(scale=3.0))
    for i in range(2):
        assert np.sqrt(np.sum(norms(after.local_opt_state, i) ** 2)) == pytest.approx(1e-4, rel=1e-3)
    mixing = jnp.sqrt(sum(jnp.sum(x**2) for x in jax.tree.leaves(after.mixer_opt_state.state[1].mu)))
    assert 10 * float(mixing) == pytest.approx(2e-4, rel=1e-3)


def test_the_hybrids_targets_follow_after_the_update():
    # Would break: a target that stays, or follows the networks of before.
    algorithm = dual(target=SoftTarget(0.25))
    learner = born(algorithm)
    after, _ = updated(algorithm, learner, transitions())
    followed = jax.tree.map(lambda n, o: 0.25 * n + 0.75 * o, after.online, learner.target.network)
    assert close(after.target.network, followed)
    assert not close(after.online, learner.online)


def test_alpha_counts_from_the_first_update():
    # Would break: a clock that begins with training, or anew at each update.
    algorithm = dual(alpha=RampSchedule(100))
    learner, batch, seen = born(algorithm), transitions(), []
    for step in (5000, 5050, 5200):
        learner, told = updated(algorithm, learner, batch, step)
        seen.append(float(told["alpha"]))
    assert seen == [0.0, 0.5, 1.0]


def test_schedules_of_alpha():
    # Would break: a phase that ends elsewhere than the reference says.
    for step, value in ((0, 0), (10_000, 0), (30_000, 0.35), (50_000, 0.7), (900_000, 0.7)):
        assert float(PhasesSchedule()(jnp.array(step))) == pytest.approx(value)
    for step, value in ((0, 0), (2500, 0.25), (10_000, 1), (900_000, 1)):
        assert float(RampSchedule()(jnp.array(step))) == pytest.approx(value)


def trained(algorithm, env, iterations, copies=4):
    """A learner, by the training loop, and what its updates told."""
    everybody = tuple(range(env.spec.agents))
    length = algorithm.experience.rollout_length(env.spec, copies)
    trainer = Trainer(env, (LearnerSlot("all", algorithm, everybody),), copies, length)

    def run(key):
        state, told, _ = trainer.chunk(trainer.init(key), jnp.arange(iterations))
        return state.learners[0], told, state.steps

    return jax.jit(run)(jr.key(0))


SMALL = Pursuit(adversaries=2, prey=1, obstacles=0)


@pytest.fixture(scope="module")
def hunted():
    """A hybrid after real updates, and what it told."""
    algorithm = dual(alpha=ConstantSchedule(0.5))
    return algorithm, *trained(algorithm, SMALL, 20)


def test_the_joint_value_grows_with_every_local_one(hunted):
    # Would break: a mixer whose weights may be negative: then an agent's best would not be the team's.
    _, learner, *_ = hunted
    mixer, width = learner.online.mixer, SMALL.spec.world
    worlds, q = 3 * jr.normal(jr.key(1), (50, width)), 3 * jr.normal(jr.key(2), (50, 2))
    slopes = jax.vmap(jax.grad(lambda q, world: mixer(single_choices(q), world)[0]))(q, worlds)
    assert jnp.all(slopes >= 0)
    assert jnp.any(slopes > 0)


def test_what_the_hybrid_tells(hunted):
    # Would break: a measure that is missing, no cosine, or one for an agent outside the team.
    _, _, told, steps = hunted
    last = {name: float(x[-1]) for name, x in told.items() if x.ndim == 1}
    assert {"cosine/adversary_0", "cosine/adversary_1"} == {name for name in last if "cosine" in name}
    assert all(-1 <= last[f"cosine/adversary_{i}"] <= 1 and last[f"cosine/adversary_{i}"] for i in range(2))
    assert last["global_scale"] > 0 and last["local_scale"] > 0
    assert last["alpha"] == 0.5
    assert int(steps) > 500


def test_agents_that_share_an_actor_are_told_one_cosine():
    # Would break: a row of one network's weights taken for one agent's network.
    algorithm = dual(sharing="all", agent_id=True)
    _, told = updated(algorithm, born(algorithm), transitions())
    assert float(told["cosine/a"]) == float(told["cosine/b"])
    assert -1 <= float(told["cosine/a"]) <= 1


def test_insight_is_what_the_critics_say():
    # Would break: values of other actions than were done.
    algorithm, one = dual(), jax.tree.map(lambda x: x[0], transitions())
    learner = born(algorithm)
    told = algorithm.insight(learner, one)
    want = learner.maddpg.online.critics(one.current_obs, jax.nn.one_hot(one.action, 2))
    np.testing.assert_allclose(told["Q"], want)
    assert told["Q_local"].shape == (1, 2)
    assert told["Q_tot"].shape == (1, 1)


def test_shared_critics_must_know_whom_they_value():
    # Would break: one value for agents that are paid apart.
    with pytest.raises(UserError, match="set agent_id=True"):
        maddpg(sharing="team").init(SPEC, jr.key(0))
    maddpg(sharing="team", agent_id=True).init(SPEC, jr.key(0))


def test_actors_that_remember_need_whole_episodes():
    # Would break: transitions for actors that learn to look back.
    with pytest.raises(UserError, match="or actor=feed_forward"):
        maddpg(actor=RECURRENT).init(SPEC, jr.key(0))


def test_exploration_draws_by_the_probabilities_or_adds_noise():
    # Would break: greedy exploration, noise on another scale than halves of the range.
    algorithm = maddpg(noise=ConstantSchedule(0.05))
    learner = born(algorithm)
    obs = jax.tree.map(lambda x: x[0, 0], transitions().obs)
    x = learner.online.actors.step(learner.online.actors.init_carry(), obs)[1]
    act = lambda key: algorithm.act(learner, learner.online.actors.init_carry(), obs, key, 0, True)[1]
    seen = jax.nn.one_hot(jax.vmap(act)(jr.split(jr.key(0), 4000)), 2).mean(0)
    np.testing.assert_allclose(seen, jax.nn.softmax(x), atol=0.03)
    box = DeterministicActors(NET, replace(SPEC, bounds=(0.0, 4.0)), "none", False, key=jr.key(0))
    near = jax.vmap(lambda key: box.explore(x, obs.legal, 0.05, key))(jr.split(jr.key(0), 4000))
    np.testing.assert_allclose(near.mean(0), 2 * (jnp.tanh(x) + 1), atol=0.02)
    np.testing.assert_allclose(near.std(0), 0.1, atol=0.02)


KEEPERS = {
    "maddpg": (maddpg(), Death(), None),
    "maddpg, continuous": (maddpg(sharing="all", agent_id=True), Meeting(2), None),
    "recurrent maddpg": (
        maddpg(actor=RECURRENT, experience=Replay(capacity=64, batch_size=4)),
        Death(),
        None,
    ),
    "dual_q against others": (dual(mixer_input="observations"), SMALL, "adversary"),
    "dual_q, continuous": (dual(), Meeting(2), None),
}


@pytest.mark.slow
@pytest.mark.parametrize(("algorithm", "env", "team"), KEEPERS.values(), ids=KEEPERS.keys())
def test_the_protocol_is_kept(algorithm, env, team):
    # Would break: anything `check_algorithm` looks for.
    check_algorithm(algorithm, env, team)


@pytest.mark.slow
@pytest.mark.parametrize("sharing", ["none", "team"])
def test_at_one_the_hybrid_is_maddpg_to_the_bit(sharing):
    # Would break: any draw that local values move, any gradient of theirs that reaches an actor or a critic.
    ring = Replay(capacity=20_000, batch_size=32, window=1, start=1000, every=400)
    options = {"sharing": sharing, "agent_id": sharing == "team", "experience": ring}
    plain, _, steps = trained(maddpg(**options), SMALL, 40, copies=64)
    hybrid, _, too = trained(dual(alpha=ConstantSchedule(1.0), **options), SMALL, 40, copies=64)
    assert int(steps) == int(too) > 60_000
    assert int(plain.updates) == int(hybrid.maddpg.updates) > 100
    for mine, theirs in zip(jax.tree.leaves(plain), jax.tree.leaves(hybrid.maddpg), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert not close(hybrid.online, hybrid.target.network)
