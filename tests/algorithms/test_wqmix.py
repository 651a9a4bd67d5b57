"""Weighted QMIX: its loss in figures one can check by head, then with real networks in NumPy; its updates."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from test_value_losses import (
    FORBIDDEN,
    QMIX_2,
    SPEC,
    TABLES,
    TARGETS,
    VARIANTS,
    VDN,
    affine,
    by_number,
    cut_off,
    episode,
    loss,
    story,
    total,
    utilities,
)  # fmt: skip
from test_value_updates import batch_of, flat

from covey.algorithms.qmix import QMIX
from covey.algorithms.wqmix import WQMIX, CentralWeighting, OptimisticWeighting
from covey.core import Spec
from covey.environments.games import TwoStep
from covey.experience import Replay
from covey.networks.agents import FeedForward, Recurrent
from covey.networks.mixers import UnrestrictedMixer
from covey.parts import Adam, ConstantSchedule, Factory, HardTarget
from covey.testing import check_algorithm

# Tables of Q*, whose mixer is a sum here, and of its target. Q_tot's are test_value_losses', as is the story:
# gamma is 1/2; they do (1, 0) for 3 and then (0, 1) for 2, and are cut off.
STAR = [[[0, 4], [1, 0], [0, 0]], [[2, 0], [0, 3], [0, 0]]]
STAR_TARGET = [[[1, 2], [2, 4], [1, 3]], [[0, 1], [1, 0], [2, 5]]]
CW, OW = CentralWeighting(), OptimisticWeighting()


def tabular(**options):
    spec = Spec(("a", "b"), features=3, actions=2, horizon=2, state=1)
    net = Factory(FeedForward, depth=0)
    own = {name: options.pop(name) for name in [*options] if name in WQMIX.__dataclass_fields__}
    bare = {"sharing": "none", "gamma": 0.5, "last_action": False, "agent_id": False}
    algorithm = WQMIX(
        QMIX(agent=net, mixer=VDN, **bare, **options), central_agent=net, central_mixer=VDN, **own
    )
    learner = algorithm.init(spec, jr.key(0))
    layer = lambda n: (n.agents.nets.layers.layers[0].weight, n.agents.nets.layers.layers[0].bias)
    hold = lambda n, q: eqx.tree_at(layer, n, (jnp.array(q, float), jnp.zeros((2, 2))))
    online = eqx.tree_at(lambda p: p.monotonic, learner.online, hold(learner.online.monotonic, TABLES))
    if algorithm.central:
        online = eqx.tree_at(lambda p: p.central, online, hold(learner.online.central, STAR))
    return algorithm, online, hold(learner.target.network, STAR_TARGET if algorithm.central else TARGETS)


def poor():
    return episode(np.eye(3)[:, None].repeat(2, 1), [[1, 0], [0, 1]], [0.0, 2.0])


BY_HEAD = {
    # Q_tot = 2+0, 3+6. u* = (1, 1), (0, 1), (0, 1). y = 3 + (2+0)/2 = 4, 2 + (1+5)/2 = 5. Q* = 4+2, 1+3.
    # 2 < 4: 1; 9 > 5: .1. (4 + .1*16)/2 + ((4-6)^2 + (5-4)^2)/2
    "ow": (OW, {}, cut_off(), 5.3),
    # The first is not u*, but 4 > Q*^-(u*) = 2+1; the second is. (4 + 16)/2 + 2.5
    "cw": (CW, {}, cut_off(), 12.5),
    # Paid 0 for the first: y = 1 < 3: .1. (.1*(1-2)^2 + 16)/2 + ((1-6)^2 + 1)/2
    "cw, not better": (CW, {}, poor(), 21.05),
    # 1 < 2: .1. (.1 + .1*16)/2 + 13
    "ow, not better": (OW, {}, poor(), 13.85),
    # No weights: (4 + 16)/2 + 2.5
    "alpha 1": (OW, {"alpha": 1.0}, cut_off(), 12.5),
    # The step that begins anew counts for nothing.
    "ow, padded": (OW, {}, cut_off(padded=True), 5.3),
    # y_1 = 2. (4 + .1*49)/2 + ((4-6)^2 + (2-4)^2)/2
    "ow, terminated": (OW, {}, cut_off(terminated=True), 8.45),
    # Agent b may not take action 1 in the end: y_1 = 2 + (1+2)/2. (4 + .1*30.25)/2 + (4 + .25)/2
    "ow, best is illegal": (OW, {}, cut_off(legal=FORBIDDEN), 5.6375),
    # G_1 = 5, G_0 = 3 + (.4*2 + .6*5)/2 = 4.9. (2.9^2 + .1*16)/2 + (1.1^2 + 1)/2
    "ow, td(.6)": (OW, {"lam": 0.6}, cut_off(), 6.11),
    # Q_tot's own target: y = 3 + (2+0)/2, 2 + (1+5)/2, as luck will have it. (4 + 1.6)/2
    "ow without Q*": (OW, {"central": False}, cut_off(), 2.8),
    # Q_tot^-(u*) = 0+0 at first: 1 < 0 is wrong, so it counts in full. (1 + 16)/2
    "cw without Q*": (CW, {"central": False}, poor(), 8.5),
}


@pytest.mark.parametrize(("weighting", "options", "e", "want"), BY_HEAD.values(), ids=BY_HEAD.keys())
def test_loss_of_round_numbers(weighting, options, e, want):
    # Breaks with anything in the equations: see each case's own arithmetic. Regressing Q* at the greedy
    # actions, as one library does, would give other figures everywhere.
    algorithm, online, target = tabular(weighting=weighting, **options)
    assert loss(algorithm, online, target, e) == pytest.approx(want, rel=1e-6)


def test_target_and_weight_are_constants():
    # Breaks if a gradient flows through y or w: with two steps, d/dQ_i(taken) = w (Q - y), and nothing else.
    algorithm, online, target = tabular(weighting=OW)
    batch = jax.tree.map(lambda x: x[None], cut_off())
    grad = jax.grad(lambda online: algorithm.loss(online, target, batch)[0])(online)
    for networks, first, second in ((grad.monotonic, -2.0, 0.4), (grad.central, 2.0, -1.0)):
        want = np.zeros((2, 3, 2))
        want[0, 0, 1] = want[1, 0, 0] = first
        want[0, 1, 0] = want[1, 1, 1] = second
        np.testing.assert_allclose(networks.agents.nets.layers.layers[0].weight, want, atol=1e-6)


def joint(mixer, q, s):
    """The joint value, also of a mixer without restrictions."""
    if not isinstance(mixer, UnrestrictedMixer):
        return total(mixer, q, s)

    def mlp(net, x):
        for layer in net.layers[:-1]:
            x = np.maximum(affine(layer, x), 0)
        return affine(net.layers[-1], x)

    return mlp(mixer.f, np.concatenate([s, q])) + mlp(mixer.v, s)


def by_hand(algorithm, online, target, e, optimistic):
    """The loss of one episode, from the equations: one-step targets."""
    see = lambda n: utilities(algorithm.qmix, n.agents.nets, e)
    q, star, star_target = see(online.monotonic), see(online.central), see(target)
    whole = e.obs.state if algorithm.qmix.mixer_input == "state" else np.reshape(e.obs.agents, (len(q), -1))
    pick = lambda values, t, u: [values[t, i, u[i]] for i in range(2)]
    allowed = lambda t, i: [a for a in range(3) if e.obs.legal[t, i, a]]
    best = [[max(allowed(t, i), key=lambda a, t=t, i=i: q[t, i, a]) for i in range(2)] for t in range(len(q))]
    judged = [joint(target.mixer, pick(star_target, t, best[t]), whole[t])[0] for t in range(len(q))]
    plain, central = [], []
    for t in range(len(e.valid)):
        if not e.valid[t]:
            continue
        u = e.action[t]
        q_tot = joint(online.monotonic.mixer, pick(q, t, u), whole[t])[0]
        y = float(e.team_reward[t, 0]) + algorithm.qmix.gamma * (1 - bool(e.terminated[t])) * judged[t + 1]
        matters = q_tot < y if optimistic else list(u) == best[t] or y > judged[t]
        plain.append((1.0 if matters else algorithm.alpha) * (y - q_tot) ** 2)
        central.append((y - joint(online.central.mixer, pick(star, t, u), whole[t])[0]) ** 2)
    return np.mean(plain) + np.mean(central)


@pytest.mark.parametrize("weighting", [CW, OW], ids=["cw", "ow"])
def test_loss_by_hand(weighting):
    # Breaks if networks, mixers, inputs, masks, weights or targets depart from their equations anywhere.
    cases = {name: VARIANTS[name] for name in ("padded", "terminated", "illegal", "observations")}
    for name, (options, how) in cases.items():
        net = Factory(Recurrent, hidden=3)
        unrestricted = Factory(UnrestrictedMixer, hidden=4, depth=2)
        algorithm = WQMIX(
            QMIX(agent=net, mixer=QMIX_2, gamma=0.9, **options),
            central_agent=net, central_mixer=unrestricted, weighting=weighting, alpha=0.3,
        )  # fmt: skip
        learner = algorithm.init(SPEC, jr.key(0))
        online, target, e = by_number(learner.online, 0), by_number(learner.target.network, 6), story(**how)
        want = by_hand(algorithm, online, target, jax.tree.map(np.asarray, e), weighting is OW)
        assert loss(algorithm, online, target, e) == pytest.approx(want, rel=2e-5), name


SMALL = WQMIX(
    QMIX(
        agent=Factory(Recurrent, hidden=4),
        mixer=QMIX_2,
        optimiser=Adam(ConstantSchedule(0.01)),
        target=HardTarget(4),
        experience=Replay(capacity=64, batch_size=4),
    ),
    central_agent=Factory(Recurrent, hidden=4),
    central_mixer=Factory(UnrestrictedMixer, hidden=8),
)


@pytest.mark.slow
def test_it_keeps_the_protocol():
    # Would break: anything `check_algorithm` looks for.
    check_algorithm(SMALL, TwoStep())


def test_ten_updates():
    # Golden: breaks if anything in init, loss, optimiser or target copies changes, however slightly meant.
    spec = Spec(("a", "b"), features=3, actions=2, horizon=4, state=2)
    batches = jax.tree.map(lambda *x: jnp.stack(x), *map(batch_of, range(10)))

    @jax.jit
    def run(key):
        learner = SMALL.init(spec, key)
        once = lambda learner, batch: SMALL.update(learner, batch, jr.key(1), jnp.array(0))
        return jax.lax.scan(once, learner, batches)

    learner, metrics = run(jr.key(0))
    found = [*metrics["loss"][jnp.array([0, 4, 9])], *metrics["central_loss"][jnp.array([0, 4, 9])]]
    sizes = [
        np.sum(flat(x) ** 2)
        for x in (learner.online.monotonic, learner.online.central, learner.target.network)
    ]
    np.testing.assert_allclose(found, GOLDEN_LOSSES, rtol=1e-3)
    np.testing.assert_allclose(sizes, GOLDEN_SIZES, rtol=1e-3)
    assert int(learner.updates) == 10


GOLDEN_LOSSES = [1.520627, 0.841119, 0.603010, 1.371580, 0.812426, 0.814390]
GOLDEN_SIZES = [26.30656, 25.29478, 25.17273]
