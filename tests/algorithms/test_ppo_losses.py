"""The losses of IPPO and MAPPO: advantages by brute force, everything else again in NumPy."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey.algorithms.on_policy.networks import SharedTrunk
from covey.algorithms.on_policy.passes import PolicyCarry, PolicyExtras
from covey.algorithms.ppo import PPO
from covey.core import Observation, Spec, Trajectory
from covey.networks.agents import FeedForward
from covey.parts import Adam, ConstantSchedule, Factory

SPEC = Spec(("a", "b"), features=3, actions=3, horizon=9, state=2)
N, T, GAMMA, LAM = 2, 9, 0.9, 0.7
MATRIX = Factory(FeedForward, depth=0)
TOLD = ("policy_loss", "entropy", "kl", "clip_fraction", "value_loss", "value_scale")


def ppo(**options):
    plain = {"actor": MATRIX, "critic": MATRIX, "agent_id": False, "sharing": "all", "epochs": 1}
    plain |= {"gamma": GAMMA, "lam": LAM, "value_clip": 0.3, "huber": 1.0, "entropy": ConstantSchedule(0.05)}
    return PPO(**(plain | options))


def ends(rng):
    """Episodes of one copy: some terminate, some are cut off, beginning anew takes a step of its own."""
    kind = rng.choice(["on", "end", "cut"], T, p=[0.6, 0.2, 0.2])
    valid = np.ones(T, bool)
    for t in range(1, T):
        valid[t] = not (valid[t - 1] and kind[t - 1] != "on")
    return valid, valid & (kind == "end"), np.append(True, ~valid)


def rollouts(seed, k):
    """N copies, T steps: rewards, deaths, forbidden actions, and what was drawn and expected, at random."""
    rng = np.random.default_rng(seed)
    valid, terminated, first = (np.stack(x) for x in zip(*(ends(rng) for _ in range(N)), strict=True))
    legal = rng.random((N, T + 1, 2, 3)) < 0.9
    choice = rng.integers(0, 3, (N, T, 2))
    np.put_along_axis(legal[:, :T], choice[..., None], True, -1)
    alive = rng.random((N, T + 1, 2)) < 0.8
    real = lambda *shape: rng.normal(size=(N, *shape)).astype(np.float32)
    obs = Observation(*map(jnp.asarray, (real(T + 1, 2, 3), real(T + 1, 2), legal, alive, first)))
    nothing = PolicyCarry(jnp.zeros((N, T, 2, 0)), jnp.zeros((N, T, k, 0)))
    log_prob = np.log(rng.uniform(0.25, 0.5, (N, T, 2))).astype(np.float32)
    extras = PolicyExtras(nothing, jnp.asarray(choice), jnp.asarray(log_prob), jnp.asarray(real(T, k)))
    reward, team = (x * valid[..., None] for x in (real(T, 2), real(T, 1)))
    parts = (choice, reward, team, terminated, valid)
    return Trajectory(obs, *map(jnp.asarray, parts), extras)


def affine(networks, x):
    layer = networks.nets.layers.layers[0]
    return np.asarray(x, float) @ np.asarray(layer.weight, float) + np.asarray(layer.bias, float)


def expected(algorithm, learner, obs):
    """What the critic, or the one network's last output, says, as it says it."""
    if learner.critic is None:
        return affine(learner.actor.networks, obs.agents)[..., -1]
    shown = {"state": obs.state[..., None, :], "own": obs.agents}[algorithm.critic_input]
    return affine(learner.critic.networks, shown)[..., 0]


def brute(algorithm, learner, b):
    """Advantages: every later error of the same episode, discounted; the cut ones bootstrap."""
    scale = (float(learner.scale.centre), float(learner.scale.deviation))
    last = expected(algorithm, learner, jax.tree.map(lambda x: x[:, -1:], b.obs))
    value = np.concatenate([b.extras.value, last], axis=1) * scale[1] + scale[0]
    reward = np.broadcast_to(b.reward if algorithm.reward == "own" else b.team_reward, b.extras.value.shape)
    going = ~b.terminated[..., None]
    delta = reward + GAMMA * going * value[:, 1:] - value[:, :-1]
    advantage = np.zeros(delta.shape)
    for n in range(N):
        for t in range(T):
            s = t
            while s < T and b.valid[n, s]:
                advantage[n, t] += (GAMMA * LAM) ** (s - t) * delta[n, s]
                s = T if b.terminated[n, s] else s + 1
    return advantage, advantage + value[:, :-1]


KINDS = {
    "mappo": ppo(),
    "ippo": ppo(critic_input="own"),
    "own rewards": ppo(critic_input="own", reward="own"),
    "no scale": ppo(normalise_values=False),
    "one network": ppo(critic_input="own", trunk=SharedTrunk(0.7)),
}


def begun(algorithm):
    """A learner that has already seen returns."""
    learner = algorithm.init(SPEC, jr.key(0))
    seen = jnp.array([[1.0], [5.0]]), jnp.ones(2, bool)
    return replace(learner, scale=learner.scale.update(*seen)) if algorithm.normalise_values else learner


@pytest.fixture(scope="module", params=KINDS.values(), ids=KINDS.keys())
def made(request):
    """An algorithm, a learner, and its compiled functions."""
    algorithm = request.param
    learner = begun(algorithm)
    update = jax.jit(lambda learner, batch: algorithm.update(learner, batch, jr.key(1), jnp.array(0)))
    return algorithm, learner, jax.jit(algorithm.make_chunks), update


def width(algorithm):
    return 1 if algorithm.critic_input == "state" else 2


def test_advantages_and_goals(made):
    # Would break: anything that leaks through an end, a cut or a beginning; a cut taken for an end; the last
    # value missing, or off the returns' scale; the dead or unreal steps among what is standardised.
    algorithm, learner, examples, _ = made

    @given(seed=st.integers(0, 10**6))
    @settings(max_examples=25, deadline=None)
    def holds(seed):
        batch = rollouts(seed, width(algorithm))
        chunk, b = jax.tree.map(np.asarray, (examples(learner, batch), batch))
        advantage, goal = brute(algorithm, learner, b)
        steps = lambda x: x.reshape(N * T, 1, -1)
        real = b.valid.reshape(N * T, 1)
        np.testing.assert_allclose(chunk.goal[real], steps(goal)[real], atol=1e-4)
        advantage = np.broadcast_to(advantage, (N, T, 2))
        active = b.valid[..., None] & b.obs.alive[:, :-1]
        if active.sum() > 3:
            mine = advantage[active]
            wanted = steps((advantage - mine.mean()) / (mine.std() + 1e-5))
            np.testing.assert_allclose(chunk.advantage[real], wanted[real], atol=2e-3)

    holds()


def told_by_hand(algorithm, learner, b, before=None):
    """The metrics of an update. `before` is the learner whose values the advantages are made of."""
    advantage, goal = brute(algorithm, before or learner, b)
    advantage = np.broadcast_to(advantage, (N, T, 2))
    active = b.valid[..., None] & b.obs.alive[:, :-1]
    mine = advantage[active]
    advantage = (advantage - mine.mean()) / (mine.std() + 1e-5)

    logits = affine(learner.actor.networks, b.obs.agents)[..., :3]
    logits = np.where(b.obs.legal, logits, -np.inf)[:, :-1]
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    new = np.log(np.take_along_axis(p, b.extras.choice[..., None], -1)[..., 0])
    ratio = np.exp(new - b.extras.log_prob)
    near = np.clip(ratio, 0.8, 1.2)
    gain = np.minimum(ratio * advantage, near * advantage)
    entropy = -np.sum(np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0), -1)

    centre, deviation = 0.0, 1.0
    if algorithm.normalise_values:  # the batch's returns join those of the fixture's batch, with equal weight
        mean, square = goal[b.valid].mean(), (goal[b.valid] ** 2).mean()
        w = np.array([0.99999, 1.0]) / 1.99999
        centre = w @ [3.0, mean]
        deviation = np.sqrt(w @ [13.0, square] - centre**2)
    value, old = expected(algorithm, learner, b.obs)[:, :-1], b.extras.value
    goal = (goal - centre) / deviation
    h = lambda e: np.where(np.abs(e) < 1, 0.5 * e**2, np.abs(e) - 0.5)
    value_loss = np.maximum(h(goal - value), h(goal - (old + np.clip(value - old, -0.3, 0.3))))
    means = [-gain, entropy, ratio - 1 - np.log(ratio), ratio != near]
    told = [*(x[active].mean() for x in means), value_loss[b.valid].mean(), deviation]
    return dict(zip(TOLD, told, strict=True))


@pytest.mark.parametrize("seed", range(3))
def test_losses_by_hand(made, seed):
    # Would break: any term of either loss; the dead or unreal steps in a mean; the dead left out of the
    # critic's; the scale brought to the goals before it has seen them.
    algorithm, learner, _, update = made
    batch = rollouts(seed, width(algorithm))
    _, got = update(learner, batch)
    want = told_by_hand(algorithm, learner, jax.tree.map(np.asarray, batch))
    assert got.keys() == want.keys()
    for name in want:
        assert float(got[name]) == pytest.approx(want[name], rel=2e-3, abs=2e-5), name


def test_the_figures_can_tell():
    # Would break: data on which no ratio is clipped, no value is, or nobody dies.
    algorithm = KINDS["mappo"]
    learner = algorithm.init(SPEC, jr.key(0))
    b = jax.tree.map(np.asarray, rollouts(0, 1))
    assert 0.1 < told_by_hand(ppo(normalise_values=False), learner, b)["clip_fraction"] < 0.9
    assert not b.obs.alive.all()
    assert not b.valid.all()
    assert b.terminated.any()
    assert np.abs(expected(algorithm, learner, b.obs)[:, :-1] - b.extras.value).max() > 0.3


def actor_slope(entropy):
    algorithm = ppo(
        entropy=ConstantSchedule(entropy), actor_optimiser=Adam(ConstantSchedule(1.0), clip=0.0, eps=1e6)
    )
    learner = algorithm.init(SPEC, jr.key(0))
    update = jax.jit(lambda *x: algorithm.update(*x, jr.key(0), jnp.array(0)))
    after, _ = update(learner, rollouts(0, 1))
    step = lambda learner: learner.actor.networks.nets.layers.layers[0].weight
    return np.asarray(step(after) - step(learner), float)


def test_entropy_is_wanted():
    # Would break: a coefficient that nothing is multiplied by, or that has the wrong sign. With a great eps
    # Adam's first step is along the gradient: of a policy that is not yet uniform it must widen it.
    widened = actor_slope(1e3)
    algorithm = ppo()
    learner = algorithm.init(SPEC, jr.key(0))
    b = rollouts(0, 1)

    def entropy(weight):
        logits = b.obs.agents @ weight + learner.actor.networks.nets.layers.layers[0].bias
        p = jax.nn.softmax(jnp.where(b.obs.legal, logits, -1e9))[:, :-1]
        h = -jnp.sum(p * jnp.log(jnp.maximum(p, 1e-9)), -1)
        return jnp.mean(h, where=b.valid[..., None] & b.obs.alive[:, :-1])

    uphill = np.asarray(jax.jit(jax.grad(entropy))(learner.actor.networks.nets.layers.layers[0].weight))
    along = lambda a, b: float(np.sum(a * b) / np.linalg.norm(a) / np.linalg.norm(b))
    assert along(widened, uphill) > 0.999
    assert along(actor_slope(0.0), uphill) < 0.9


def test_the_gradient_of_one_network():
    # Would break: a coefficient left out, a head that has no gradient, advantages or goals that have one. The
    # loss is computed again in NumPy, and each weight and bias is moved a little.
    algorithm = KINDS["one network"]
    learner = begun(algorithm)
    batch = rollouts(0, 2)
    chunk = algorithm.make_chunks(learner, batch)
    scale = algorithm.next_scale(learner, chunk)
    slope = jax.jit(jax.grad(algorithm.loss, has_aux=True))(learner.networks, chunk, 0.05, scale)[0]
    b = jax.tree.map(np.asarray, batch)
    layer = lambda learner: learner.actor.networks.nets.layers.layers[0]

    def loss(weight, bias):
        moved = eqx.tree_at(lambda x: (layer(x).weight, layer(x).bias), learner, (weight, bias))
        told = told_by_hand(algorithm, moved, b, learner)
        return told["policy_loss"] - 0.05 * told["entropy"] + 0.7 * told["value_loss"]

    params = [np.asarray(x, float) for x in (layer(learner).weight, layer(learner).bias)]
    for n, got in enumerate((layer(slope).weight, layer(slope).bias)):
        for place in np.ndindex(got.shape):
            ends = []
            for change in (1e-5, -1e-5):
                moved = [x.copy() for x in params]
                moved[n][place] += change
                ends.append(loss(*moved))
            assert float(got[place]) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-2, abs=1e-4)
