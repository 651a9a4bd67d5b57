"""The losses of MADDPG and the dual-Q hybrid, again in NumPy: two agents, a few transitions."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey import ops
from covey.algorithms.dual_q import DualQ
from covey.algorithms.maddpg import MADDPG
from covey.algorithms.off_policy.actor_step import blend_values, policy_evaluator
from covey.core import Observation, Spec, Target, Trajectory
from covey.networks.agents import FeedForward
from covey.networks.mixers import MonotonicMixer
from covey.parts import ConstantSchedule, Factory

DISCRETE = Spec(("a", "b"), features=3, actions=2, horizon=4, state=2)
BOX = Spec(("a", "b"), features=3, actions=2, horizon=4, state=2, bounds=(-1.0, 3.0))
WORLDS = {"discrete": DISCRETE, "continuous": BOX}
MATRIX, NET = Factory(FeedForward, depth=0), Factory(FeedForward, hidden=4, depth=1)
GAMMA, PRICE, TEMPERATURE = 0.9, 0.2, 0.7


def maddpg(**options):
    plain = {"actor": MATRIX, "critic": NET, "gamma": GAMMA, "regulariser": PRICE}
    return MADDPG(**plain | {"temperature": ConstantSchedule(TEMPERATURE)} | options)


def transitions(spec, seed=0, b=5):
    """One ends for good, one is no step at all, in one agent b is dead; a may not or cannot do one thing."""
    rng = np.random.default_rng(seed)
    real = lambda *shape: jnp.asarray(rng.normal(size=(b, *shape)), jnp.float32)
    legal = jnp.ones((b, 2, 2, 2), bool).at[:, :, 0, 1].set(False)
    alive = jnp.ones((b, 2, 2), bool).at[3, :, 1].set(False)
    obs = Observation(real(2, 2, 3), real(2, 2), legal, alive, jnp.zeros((b, 2), bool).at[2, 1].set(True))
    action = jnp.asarray(rng.integers(0, 2, (b, 1, 2)), jnp.int8).at[..., 0].set(0)
    action = jnp.clip(real(1, 2, 2), -1, 3) if spec.bounds else action
    terminated, valid = jnp.zeros((b, 1), bool).at[1].set(True), jnp.ones((b, 1), bool).at[2].set(False)
    return Trajectory(obs, action, real(1, 2), real(1, 1), terminated, valid)


def first(batch):
    """Its first transition."""
    return jax.tree.map(lambda x: x[:1], batch)


def begun(algorithm, spec):
    """A learner whose target networks are not its online ones."""
    learner, other = (algorithm.init(spec, jr.key(k)) for k in (0, 1))
    learner = replace(learner, target=Target(other.online))
    if isinstance(algorithm, MADDPG):
        return learner
    return replace(learner, maddpg=replace(learner.maddpg, target=Target(other.maddpg.online)))


def through(networks, i, x):
    """Agent i's network."""
    layers = networks.nets.layers.layers
    for n, layer in enumerate(layers, 1):
        x = x @ np.asarray(layer.weight[i], float) + np.asarray(layer.bias[i], float)
        x = np.maximum(x, 0) if n < len(layers) else x
    return x


def outputs(actors, obs):
    return np.stack([through(actors.networks, i, np.asarray(obs.agents[i], float)) for i in range(2)])


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def chosen(spec, x, legal, key):
    """What the critics are shown of an actor's outputs."""
    if spec.bounds:
        return np.where(legal, -1 + 2 * (np.tanh(x) + 1), -1)
    noisy = np.where(legal, x + np.asarray(jr.gumbel(key, x.shape)), -1e9)
    return np.eye(2)[noisy.argmax(-1)]


def did(spec, action):
    return np.asarray(action, float) if spec.bounds else np.eye(2)[np.asarray(action)]


def q(critics, i, obs, actions):
    x = np.concatenate([np.asarray(obs.agents, float).ravel(), np.ravel(actions)])
    return through(critics.networks, i, x)[0]


def keys(name, batch):
    return [jr.fold_in(ops.named(jr.key(7), name), k) for k in range(len(batch.valid))]


def at(batch, b):
    """Observations before and after transition b, and it."""
    t = jax.tree.map(lambda x: x[b], batch)
    return *(jax.tree.map(lambda x, m=m: np.asarray(x[m]), t.obs) for m in (0, 1)), t


def later(spec, learner, batch):
    """The actions of target actors, by hand."""
    made = []
    for b, key in enumerate(keys("target", batch)):
        _, then, _ = at(batch, b)
        x = outputs(learner.target.network.actors, then)
        made.append(chosen(spec, x[None], then.legal[None], key)[0])
    return np.stack(made)


worlds = pytest.mark.parametrize("spec", WORLDS.values(), ids=WORLDS.keys())


@worlds
def test_targets_use_target_actors_and_target_critics(spec):
    # Would break: online networks in a target, one agent's action forgotten, an end that bootstraps, a step
    # that is none and counts, another draw than that of its name.
    algorithm, batch = maddpg(), transitions(spec)
    learner = begun(algorithm, spec)
    ahead = jax.jit(algorithm.next_actions)(learner, batch, jr.key(7), jnp.array(0))
    np.testing.assert_allclose(ahead[:, 0], later(spec, learner, batch), atol=1e-5)
    errors = []
    for b, a in enumerate(later(spec, learner, batch)):
        now, then, t = at(batch, b)
        for i in range(2):
            bootstrap = 0.0 if b == 1 else q(learner.target.network.critics, i, then, a)
            y = float(t.reward[0, i]) + GAMMA * bootstrap
            errors.append(y - q(learner.online.critics, i, now, did(spec, t.action[0])))
    square = np.square(errors).reshape(-1, 2).sum(1)
    wanted = square[[0, 1, 3, 4]].mean()
    loss, told = jax.jit(algorithm.critic_loss)(learner.online.critics, learner.target.network, batch, ahead)
    assert float(loss) == pytest.approx(wanted, rel=1e-4)
    assert float(told["critic_loss"]) == float(loss)


def actor_loss(algorithm, learner, value, batch):
    """As the update computes it, and its gradient."""

    def find(actors, batch):
        evaluate = policy_evaluator(batch, jr.key(7), algorithm.temperature(jnp.array(0)))
        return algorithm.actor_loss(actors, value, batch, evaluate)[0]

    return jax.jit(jax.value_and_grad(find))(learner.online.actors, batch)


def by_hand(spec, learner, batch, worth):
    """The actors' loss; `worth(i, now, replayed, own)`."""
    total, square = np.zeros(2), np.zeros(2)
    for i in range(2):
        lived = [b for b in range(5) if b != 2 and not (b == 3 and i == 1)]
        dims = slice(0, 2 - (i == 0))
        for b in lived:
            now, _, t = at(batch, b)
            x = outputs(learner.online.actors, now)
            own = chosen(spec, x[None], now.legal[None], keys("actor", batch)[b])[0]
            total[i] += worth(i, now, did(spec, t.action[0]), own) / len(lived)
            square[i] += np.mean(x[i, dims] ** 2) / len(lived)
    return PRICE * square.sum() - total.sum()


@worlds
def test_only_the_own_action_is_fresh(spec):
    # Would break: other agents' new actions in an agent's loss, the dead or unreal steps in it, what agent a
    # cannot do in its regulariser.
    algorithm, batch = maddpg(), transitions(spec)
    learner = begun(algorithm, spec)

    def worth(i, now, replayed, own):
        joint = np.array(replayed)
        joint[i] = own[i]
        return q(learner.online.critics, i, now, joint)

    loss, _ = actor_loss(algorithm, learner, learner.online.value, batch)
    assert float(loss) == pytest.approx(by_hand(spec, learner, batch, worth), rel=1e-4)


@worlds
def test_no_agent_moves_another_agents_actor(spec):
    # Would break: a gradient from agent b's critic to agent a's actor.
    algorithm, batch = maddpg(regulariser=0.0), transitions(spec)
    learner = begun(algorithm, spec)
    only_b = lambda t, own: learner.online.value(t, own) * jnp.array([0.0, 1.0])
    _, grads = actor_loss(algorithm, learner, only_b, batch)
    for leaf in jax.tree.leaves(grads):
        assert not jnp.any(leaf[0])
        assert jnp.any(leaf[1])


def test_the_gradient_of_a_draw_is_that_of_its_softmax():
    # Would break: a soft action shown to the critic, another temperature, noise drawn anew for the gradient.
    algorithm, batch = maddpg(regulariser=0.0), first(transitions(DISCRETE))
    batch = replace(
        batch, valid=jnp.ones((1, 1), bool), obs=replace(batch.obs, legal=jnp.ones((1, 2, 2, 2), bool))
    )
    learner = begun(algorithm, DISCRETE)
    slope = np.array([[1.0, -2.0], [0.5, 3.0]])
    linear = lambda t, own: jnp.sum(own * slope, axis=-1)
    loss, grads = actor_loss(algorithm, learner, linear, batch)
    now, _, _ = at(batch, 0)
    x, key = outputs(learner.online.actors, now), keys("actor", batch)[0]
    noisy = x + np.asarray(jr.gumbel(key, (1, 2, 2)))[0]
    p = softmax(noisy / TEMPERATURE)
    pull = p * (slope - (p * slope).sum(-1, keepdims=True)) / TEMPERATURE
    np.testing.assert_allclose(grads.networks.nets.layers.layers[0].bias, -pull, rtol=1e-3, atol=1e-6)
    assert float(loss) == pytest.approx(-slope[np.arange(2), noisy.argmax(-1)].sum(), rel=1e-5)


def dual(spec, **options):
    mixer = Factory(MonotonicMixer, embed=3, hyper=0)
    algorithm = DualQ(maddpg(**options), local_critic=NET, mixer=mixer)
    return algorithm, begun(algorithm, spec)


def local(critics, i, obs, action):
    return through(critics.networks, i, np.concatenate([np.asarray(obs.agents[i], float), action]))[0]


def mixed(mixer, values, world):
    """QMIX's network, its weights from one linear layer of the state."""
    affine = lambda net: world @ np.asarray(net.weight, float) + np.asarray(net.bias, float)
    w1 = np.abs(affine(mixer.w1.layers[0])).reshape(2, -1)
    hidden = values @ w1 + affine(mixer.b1)
    hidden = np.where(hidden > 0, hidden, np.expm1(hidden))
    (first, last) = mixer.v.layers
    inner = np.maximum(affine(first), 0)
    v = inner @ np.asarray(last.weight, float) + np.asarray(last.bias, float)
    return hidden @ np.abs(affine(mixer.w2.layers[0])) + v[0]


def joint(net, obs, actions):
    values = np.array([local(net.critics, i, obs, actions[i]) for i in range(2)])
    return mixed(net.mixer, values, np.asarray(obs.state, float))


@worlds
def test_mixer_and_local_critics_learn_the_teams_reward(spec):
    # Would break: individual rewards, an online network in the target, actions of online actors, a target
    # that looks beyond a true end.
    algorithm, learner = dual(spec)
    batch = transitions(spec)
    ahead = later(spec, learner.maddpg, batch)
    errors = []
    for b in (0, 1, 3, 4):
        now, then, t = at(batch, b)
        y = float(t.team_reward[0, 0]) + GAMMA * (b != 1) * joint(learner.target.network, then, ahead[b])
        errors.append(y - joint(learner.online, now, did(spec, t.action[0])))
    vectors = jnp.asarray(np.stack([did(spec, a) for a in batch.action]), jnp.float32)
    args = (learner.online, learner.target.network, batch, vectors, jnp.asarray(ahead, jnp.float32)[:, None])
    loss, _ = jax.jit(algorithm.loss)(*args)
    assert float(loss) == pytest.approx(np.mean(np.square(errors)), rel=1e-4)


@worlds
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_actors_follow_a_blend_of_both_values(spec, alpha):
    # Would break: the mixed value instead of the own local one, alpha the wrong way round.
    algorithm, learner = dual(spec)
    batch = transitions(spec)

    def worth(i, now, replayed, own):
        done = np.array(replayed)
        done[i] = own[i]
        mine = local(learner.online.critics, i, now, own[i])
        return alpha * q(learner.maddpg.online.critics, i, now, done) + (1 - alpha) * mine

    value = blend_values(learner.maddpg.online.value, learner.online.critics, jnp.array(alpha))
    loss, grads = actor_loss(algorithm.maddpg, learner.maddpg, value, batch)
    assert float(loss) == pytest.approx(by_hand(spec, learner.maddpg, batch, worth), rel=1e-4)
    other = algorithm.maddpg.init(spec, jr.key(5)).online.critics
    nets = replace(learner.maddpg.online, critics=other)
    value = blend_values(nets.value, learner.online.critics, jnp.array(alpha))
    _, same = actor_loss(algorithm.maddpg, learner.maddpg, value, batch)
    equal = [
        bool(jnp.all(a == b)) for a, b in zip(jax.tree.leaves(grads), jax.tree.leaves(same), strict=True)
    ]
    assert all(equal) == (alpha == 0)  # at 0 no Q of MADDPG's touches an actor
