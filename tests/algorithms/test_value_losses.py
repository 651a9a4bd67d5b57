"""The losses of IQL, VDN and QMIX: in figures one can check by head, then with real networks in NumPy."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.algorithms.qmix import QMIX, Learner
from covey.core import Observation, OptState, Spec, Target, Trajectory
from covey.networks.agents import FeedForward, Recurrent
from covey.networks.mixers import IndependentMixer, MonotonicMixer, SumMixer
from covey.parts import Factory

IQL, VDN, ONE_UNIT = Factory(IndependentMixer), Factory(SumMixer), Factory(MonotonicMixer, embed=1, hyper=0)


def episode(seen, actions, rewards, terminated=False, legal=None, padded=False, state=None):
    """Two steps of two agents; `padded` appends the step that begins anew, which is not valid."""
    moments = 3 + padded
    first = jnp.array([True, False, False] + [True] * padded)
    again = lambda x: jnp.concatenate([x, x[:1]]) if padded else x
    seen, actions = again(jnp.asarray(seen, float)), again(jnp.asarray(actions, jnp.int8))
    state = jnp.ones((moments, 1)) if state is None else again(jnp.asarray(state, float))
    count = 2 if legal is None else legal.shape[-1]
    legal = jnp.ones((moments, 2, count), bool) if legal is None else again(jnp.asarray(legal))
    team = jnp.asarray([*rewards, *[100.0] * padded])[:, None]
    return Trajectory(
        obs=Observation(seen, state, legal, jnp.ones((moments, 2), bool), first),
        action=actions,
        reward=jnp.repeat(team, 2, axis=1) + jnp.array([1.0, -1.0]),
        team_reward=team,
        terminated=jnp.array([False, terminated] + [False] * padded),
        valid=jnp.array([True, True] + [False] * padded),
    )


def loss(algorithm, online, target, *episodes):
    batch = jax.tree.map(lambda *x: jnp.stack(x), *episodes)
    return float(algorithm.loss(online, target, batch)[0])


# Tables. Each agent sees which of three moments it is, and its network is one matrix: a Q-table
# with a row per moment. gamma is 1/2; they do (1, 0) for 3 and then (0, 1) for 2, and are cut off.
TABLES = [[[1, 2], [3, 0], [5, 4]], [[0, 1], [2, 6], [1, 7]]]
TARGETS = [[[0, 0], [2, 4], [1, 3]], [[0, 0], [1, 0], [2, 5]]]
DONE, PAID = [[1, 0], [0, 1]], [3.0, 2.0]


def tabular(mixer, **options):
    """An algorithm, and online and target networks that hold the tables."""
    spec = Spec(("a", "b"), features=3, actions=2, horizon=2, state=1)
    plain = {"agent": Factory(FeedForward, depth=0), "last_action": False, "agent_id": False}
    algorithm = QMIX(mixer=mixer, sharing="none", gamma=0.5, **(plain | options))
    networks = algorithm.init(spec, jr.key(0)).online
    if mixer is ONE_UNIT:  # Q_tot = ELU(|-1| q_a + |2| q_b) |-1/2| + 1
        zero = jax.tree.map(jnp.zeros_like, networks.mixer)
        biases = lambda m: (m.w1.layers[0].bias, m.w2.layers[0].bias, m.v.layers[1].bias)
        values = (jnp.array([-1.0, 2.0]), jnp.array([-0.5]), jnp.array([1.0]))
        networks = eqx.tree_at(lambda n: n.mixer, networks, eqx.tree_at(biases, zero, values))
    layer = lambda n: (n.agents.nets.layers.layers[0].weight, n.agents.nets.layers.layers[0].bias)
    hold = lambda q: eqx.tree_at(layer, networks, (jnp.array(q, float), jnp.zeros((2, 2))))
    return algorithm, hold(TABLES), hold(TARGETS)


def cut_off(**how):
    return episode(np.eye(3)[:, None].repeat(2, 1), DONE, PAID, **how)


FORBIDDEN = np.array([[[True, True]] * 2] * 2 + [[[True, True], [True, False]]])
BY_HEAD = {
    # Q_tot = 2+0, 3+6. Next, online prefers (0, 1) twice: targets 2+0, 1+5.
    # y = 3 + 2/2 = 4, 2 + 6/2 = 5. ((4-2)^2 + (5-9)^2) / 2
    "vdn": (VDN, {}, {}, 10.0),
    # y_1 = 2: nothing follows a true end. (4 + (2-9)^2) / 2
    "vdn, terminated": (VDN, {}, {"terminated": True}, 26.5),
    # The step that begins anew pays 100 here: it must count for nothing.
    "vdn, padded": (VDN, {}, {"padded": True}, 10.0),
    # The targets' own best are 4+1, 3+5. y = 5.5, 6. (3.5^2 + (-3)^2) / 2
    "vdn, not double": (VDN, {"double": False}, {}, 10.625),
    # Agent b may not take action 1 in the end: 1+2. y_1 = 3.5. (4 + (-5.5)^2) / 2
    "vdn, best is illegal": (VDN, {}, {"legal": FORBIDDEN}, 17.125),
    # G_1 = 5, G_0 = 3 + (.4*2 + .6*5)/2 = 4.9. (2.9^2 + 16) / 2
    "vdn, td(.6)": (VDN, {"lam": 0.6}, {}, 12.205),
    # lambda stops at the episode's end, not the window's.
    "vdn, td(.6), padded": (VDN, {"lam": 0.6}, {"padded": True}, 12.205),
    # G_1 = 2, G_0 = 3 + (.4*2 + .6*2)/2 = 4. (4 + 49) / 2
    "vdn, td(.6), terminated": (VDN, {"lam": 0.6}, {"terminated": True}, 26.5),
    # a: Q = 2, 3; y = 3 + 2/2, 2 + 1/2. b: Q = 0, 6; y = 3 + 0/2, 2 + 5/2. (4 + .25 + 9 + 2.25) / 4
    "iql": (IQL, {}, {}, 3.875),
    # a: 4, (2-3)^2. b: 9, (2-6)^2. / 4
    "iql, terminated": (IQL, {}, {"terminated": True}, 7.5),
    # Q_tot = (2 + 2*0)/2 + 1, (3 + 2*6)/2 + 1. Next: (2+0)/2 + 1, (1 + 2*5)/2 + 1. y = 4, 5.25.
    # (2^2 + (-3.25)^2) / 2
    "qmix": (ONE_UNIT, {}, {}, 7.28125),
    # (2^2 + (2 - 8.5)^2) / 2
    "qmix, terminated": (ONE_UNIT, {}, {"terminated": True}, 23.125),
}


@pytest.mark.parametrize(("mixer", "options", "how", "want"), BY_HEAD.values(), ids=BY_HEAD.keys())
def test_loss_of_round_numbers(mixer, options, how, want):
    # Breaks with anything in the equations: see each case's own arithmetic.
    algorithm, online, target = tabular(mixer, **options)
    assert loss(algorithm, online, target, cut_off(**how)) == pytest.approx(want, rel=1e-6)


def test_every_valid_step_of_a_batch_weighs_the_same():
    # Breaks if episodes are averaged before steps: one that is a step long must count for one step.
    algorithm, online, target = tabular(VDN)
    short = eqx.tree_at(lambda e: e.valid, cut_off(), jnp.array([True, False]))
    assert loss(algorithm, online, target, cut_off(), short) == pytest.approx((4 + 16 + 4) / 3)


def test_the_target_is_a_constant():
    # Breaks if a gradient flows through y: with two steps, dL/dQ_i(taken) = Q_tot - y, and nothing else.
    algorithm, online, target = tabular(VDN)
    batch = jax.tree.map(lambda x: x[None], cut_off())
    grad = jax.grad(lambda online: algorithm.loss(online, target, batch)[0])(online)
    want = np.zeros((2, 3, 2))
    want[0, 0, 1] = want[1, 0, 0] = 2.0 - 4.0
    want[0, 1, 0] = want[1, 1, 1] = 9.0 - 5.0
    np.testing.assert_allclose(grad.agents.nets.layers.layers[0].weight, want, atol=1e-6)


# Real networks, again in NumPy: two agents, two features, three actions, GRU 3.
SPEC = Spec(("a", "b"), features=2, actions=3, horizon=2, state=2)
SEEN = [[[0.5, -1.0], [1.0, 0.2]], [[-0.3, 0.8], [0.1, 0.9]], [[1.2, 0.4], [-0.7, -0.6]]]
STATE = [[1.0, 0.5], [-0.5, 0.2], [0.3, -1.0]]
LEGAL = np.ones((3, 2, 3), bool)


def by_number(tree, shift):
    """Parameters from a rule, not a generator: tenths between -.6 and .6, the target's shifted."""
    leaves, shape = jax.tree.flatten(tree)
    fill = lambda n, x: (((jnp.arange(x.size) * 5 + 3 * n + shift) % 13 - 6) / 10).reshape(x.shape)
    return jax.tree.unflatten(shape, [fill(n, x) for n, x in enumerate(leaves)])


def affine(layer, x):
    return np.asarray(x) @ np.asarray(layer.weight, float) + np.asarray(layer.bias, float)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def utilities(algorithm, net, e):
    """Q_i(tau_t, .), agent by agent and step by step."""
    q = np.zeros((len(e.valid) + 1, 2, 3))
    for i in range(2):
        h = np.zeros(3)
        for t in range(len(q)):
            last = np.zeros(3)
            if e.obs.first[t]:
                h = np.zeros(3)
            else:
                last[e.action[t - 1, i]] = 1
            x = [e.obs.agents[t, i]] + [last] * algorithm.last_action + [np.eye(2)[i]] * algorithm.agent_id
            x = np.maximum(affine(net.embed.layers[0], np.concatenate(x)), 0)
            (ir, iz, inew), (hr, hz, hn) = net.gru.inputs, net.gru.hidden
            r, z = sigmoid(affine(ir, x) + affine(hr, h)), sigmoid(affine(iz, x) + affine(hz, h))
            h = (1 - z) * np.tanh(affine(inew, x) + r * affine(hn, h)) + z * h
            q[t, i] = affine(net.head.layers[0], h)
    return q


def total(mixer, q, s):
    """The joint value of two agents' values in state s."""
    if isinstance(mixer, IndependentMixer):
        return np.array(q)
    if isinstance(mixer, SumMixer):
        return np.array([sum(q)])

    def mlp(net, x):
        for layer in net.layers[:-1]:
            x = np.maximum(affine(layer, x), 0)
        return affine(net.layers[-1], x)

    w1, w2, embed = np.abs(mlp(mixer.w1, s)), np.abs(mlp(mixer.w2, s)), len(mixer.b1.bias)
    hidden = q[0] * w1[:embed] + q[1] * w1[embed:] + affine(mixer.b1, s)
    return np.where(hidden > 0, hidden, np.exp(hidden) - 1) @ w2 + mlp(mixer.v, s)


def by_hand(algorithm, online, target, e):
    """The loss of one episode, from the equations."""
    q, q_target = (utilities(algorithm, n.agents.nets, e) for n in (online, target))
    chooser = q if algorithm.double else q_target
    whole = e.obs.state if algorithm.mixer_input == "state" else np.reshape(e.obs.agents, (len(q), -1))
    steps, taken, ahead = len(e.valid), [], []
    for t in range(steps):
        allowed = lambda i, t=t: [a for a in range(3) if e.obs.legal[t + 1, i, a]]
        best = [max(allowed(i), key=lambda a, i=i, t=t: chooser[t + 1, i, a]) for i in range(2)]
        taken.append(total(online.mixer, [q[t, i, e.action[t, i]] for i in range(2)], whole[t]))
        ahead.append(total(target.mixer, [q_target[t + 1, i, best[i]] for i in range(2)], whole[t + 1]))
    y, errors = [0.0] * (steps + 1), []
    for t in reversed(range(steps)):
        goes_on = t + 1 < steps and bool(e.valid[t + 1])
        later = (1 - algorithm.lam) * ahead[t] + algorithm.lam * y[t + 1] if goes_on else ahead[t]
        y[t] = float(e.team_reward[t, 0]) + algorithm.gamma * (1 - bool(e.terminated[t])) * later
        errors += [(y[t] - taken[t]) ** 2] * bool(e.valid[t])
    return np.mean(errors)


QMIX_2, QMIX_1 = Factory(MonotonicMixer, embed=4, hyper=5), Factory(MonotonicMixer, embed=4, hyper=0)
ILLEGAL = LEGAL.copy()
ILLEGAL[1:, :, 1] = ILLEGAL[2, 0, 2] = False
VARIANTS = {
    "truncated": ({}, {}),
    "terminated": ({}, {"terminated": True}),
    "padded": ({}, {"padded": True}),
    "illegal": ({}, {"legal": ILLEGAL}),
    "not double": ({"double": False}, {}),
    "td(.6)": ({"lam": 0.6}, {"padded": True}),
    "observations": ({"mixer_input": "observations"}, {}),
    "no last action": ({"last_action": False}, {}),
    "no id": ({"agent_id": False}, {}),
}


def with_networks(mixer, options):
    algorithm = QMIX(agent=Factory(Recurrent, hidden=3), mixer=mixer, gamma=0.9, **options)
    learner = algorithm.init(SPEC, jr.key(0))
    return algorithm, by_number(learner.online, 0), by_number(learner.target.network, 6)


def story(legal=LEGAL, **how):
    return episode(SEEN, [[1, 2], [0, 1]], [1.0, -0.5], legal=legal, state=STATE, **how)


@pytest.mark.parametrize("mixer", [IQL, VDN, QMIX_1, QMIX_2], ids=["iql", "vdn", "qmix1", "qmix2"])
def test_loss_by_hand(mixer):
    # Breaks if networks, mixers, inputs, masks or targets depart from their equations anywhere.
    for name, (options, how) in VARIANTS.items():
        algorithm, online, target = with_networks(mixer, options)
        e = story(**how)
        want = by_hand(algorithm, online, target, jax.tree.map(np.asarray, e))
        assert loss(algorithm, online, target, e) == pytest.approx(want, rel=2e-5), name


@pytest.mark.slow
def test_the_variants_are_apart():
    # Breaks if the figures above cannot tell a setting from its opposite. (Padding may change nothing.)
    losses = {}
    for name, (options, how) in VARIANTS.items():
        algorithm, online, target = with_networks(QMIX_2, options)
        losses[name] = loss(algorithm, online, target, story(**how))
    plain = losses.pop("truncated")
    assert losses.pop("padded") == pytest.approx(plain)
    assert all(abs(value - plain) > 1e-3 * plain for value in losses.values()), (plain, losses)


def learner(online, target):
    return Learner(online, Target(target), OptState(()), jnp.array(0), jnp.zeros(2))


THOUGHT = {
    # a's and b's values of what they did: 2 and 0, 3 and 6.
    "vdn": (VDN, "Q_tot", [[2.0], [9.0]]),
    "iql": (IQL, "Q", [[2.0, 0.0], [3.0, 6.0]]),
    "qmix": (ONE_UNIT, "Q_tot", [[2.0], [8.5]]),
}


@pytest.mark.parametrize(("mixer", "name", "want"), THOUGHT.values(), ids=THOUGHT.keys())
def test_insight_of_round_numbers(mixer, name, want):
    # Would break: the target's values told, greedy ones instead of those of what was done, a wrong name.
    algorithm, online, target = tabular(mixer)
    told = algorithm.insight(learner(online, target), cut_off())
    assert told.keys() == {name}
    np.testing.assert_allclose(told[name], want, rtol=1e-6)


@pytest.mark.parametrize("mixer", [IQL, VDN, QMIX_2], ids=["iql", "vdn", "qmix2"])
def test_insight_is_what_the_loss_sees(mixer):
    # Would break: other inputs or another mixer's input than in the loss; one step that needs a second.
    for options in ({}, {"mixer_input": "observations"}, {"last_action": False}):
        algorithm, online, target = with_networks(mixer, options)
        whose, e = learner(online, target), story()
        (told,) = algorithm.insight(whose, e).values()
        np.testing.assert_array_equal(told, algorithm.td_error(online, target, e)[1])
        short = jax.tree.map(lambda x: x[: len(x) - 1], e)
        (first,) = algorithm.insight(whose, short).values()
        np.testing.assert_allclose(first, told[:1], rtol=1e-6)
