"""Agent networks: unrolling is repeated stepping, the carry ends with the episode, sharing is by group."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.core import Spec
from covey.networks.agents import AgentNetworks, FeedForward, Recurrent
from covey.networks.interface import NetworkInterface, observation_parts
from covey.parts import Factory

SPEC = Spec(names=("a", "b", "c"), features=4, actions=3, horizon=5, team=("red", "red", "blue"))
DEEP = {"depth": 2, "norm": True, "gain": 1.0, "activation": "tanh"}
NETS = [Factory(FeedForward, hidden=8), Factory(Recurrent, hidden=8)]
KINDS = {
    "feed_forward": NETS[0],
    "recurrent": NETS[1],
    "deep": Factory(Recurrent, hidden=8, after=1, **DEEP),
    "bare": Factory(Recurrent, hidden=8, depth=0),
}
GROUPS = {"all": (0, 0, 0), "team": (0, 0, 1), "none": (0, 1, 2)}


def networks(net, sharing, seed=0, spec=SPEC):
    interface = NetworkInterface(observation_parts(spec), actions=3)
    return AgentNetworks(net, spec, interface, sharing, key=jr.key(seed))


def size(tree):
    return sum(x.size for x in jax.tree.leaves(tree))


@pytest.mark.parametrize(
    ("kind", "sharing"),
    [(kind, sharing) for kind in ("feed_forward", "recurrent") for sharing in GROUPS]
    + [("deep", "team"), ("bare", "all")],
)
def test_unroll_is_repeated_step(kind, sharing):
    # Breaks if unrolling keeps memory across an episode's beginning, wipes it a step early or
    # late, hands an agent another one's network, or leaves out a norm or a layer that stepping has.
    team = networks(KINDS[kind], sharing)
    step, unroll = jax.jit(lambda h, x: team.step(h, x)), jax.jit(lambda h, *x: team.unroll(h, *x))
    xs = jr.normal(jr.key(1), (6, 3, 4))
    first = jnp.array([True, False, False, True, False, False])
    h, by_step = team.init_carry(), []
    for t in range(6):
        h, y = step(team.init_carry() if first[t] else h, xs[t])
        by_step.append(y)
    last, unrolled = unroll(team.init_carry(), xs, first)
    np.testing.assert_allclose(unrolled, jnp.stack(by_step), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(last, h, rtol=1e-5, atol=1e-6)


def test_an_episode_knows_nothing_of_the_one_before():
    # Breaks if anything leaks through `first`; and, the other way, if nothing is remembered at all.
    team = networks(NETS[1], "team")
    xs = jr.normal(jr.key(1), (4, 3, 4))
    first = jnp.array([True, False, True, False])
    run = jax.jit(lambda xs: team.unroll(team.init_carry(), xs, first)[1])
    changed = run(xs.at[0].add(1.0))
    assert not jnp.allclose(changed[1], run(xs)[1])
    np.testing.assert_array_equal(changed[2:], run(xs)[2:])


@pytest.mark.parametrize("sharing", GROUPS)
@pytest.mark.parametrize("net", NETS, ids=["feed_forward", "recurrent"])
def test_a_gradient_touches_its_own_group_only(net, sharing):
    # Breaks if agents of different groups share a parameter, or those of one group do not.
    team = networks(net, sharing)
    x = jr.normal(jr.key(1), (3, 4))
    own = lambda team, i: team.step(team.init_carry() + 0.1, x)[1][i].sum()
    gradient = jax.jit(jax.grad(own))
    for agent, group in enumerate(GROUPS[sharing]):
        grad = gradient(team, agent)
        for leaf in jax.tree.leaves(grad):
            rows = leaf if len(set(GROUPS[sharing])) > 1 else leaf[None]
            touched = [bool(jnp.any(row != 0)) for row in rows]
            assert touched == [g == group for g in range(len(rows))]


@pytest.mark.parametrize("sharing", GROUPS)
def test_parameters_count_once_a_group(sharing):
    # Breaks if sharing still allocates a network an agent.
    one = size(NETS[1](4, 3, key=jr.key(0)))
    assert size(networks(NETS[1], sharing)) == one * len(set(GROUPS[sharing]))


def test_groups_start_different_and_agents_of_one_group_agree():
    # Breaks if every group is initialised with the same key.
    x = jnp.ones((3, 4))
    q = lambda sharing: networks(NETS[0], sharing).step(jnp.zeros((3, 0)), x)[1]
    shared, team, none = q("all"), q("team"), q("none")
    assert jnp.array_equal(shared[0], shared[2])
    assert jnp.allclose(team[0], team[1])
    assert not jnp.allclose(team[0], team[2])
    assert not jnp.allclose(none[0], none[1])


def test_a_world_without_teams_is_one_team():
    # Breaks if an environment that names no teams falls apart into groups.
    plain = Spec(names=("a", "b"), features=4, actions=3, horizon=5)
    assert networks(NETS[0], "team", spec=plain).groups == (0, 0)


def test_an_agents_draw_belongs_to_its_name():
    # Breaks if initial weights depend on how many agents there are: an added one must move nobody.
    pair = Spec(names=("a", "b"), features=4, actions=3, horizon=5)
    of = lambda spec, i: jax.tree.map(lambda w: w[i], networks(NETS[1], "none", spec=spec).nets)
    for mine, theirs in zip(jax.tree.leaves(of(pair, 1)), jax.tree.leaves(of(SPEC, 1)), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-6)


def test_unrolling_starts_from_the_given_carry():
    # Would break: a chunk from the middle of an episode that starts with an empty carry.
    team = networks(NETS[1], "all")
    xs, first = jr.normal(jr.key(1), (4, 3, 4)), jnp.array([True, False, False, False])
    run = jax.jit(lambda h, xs, first: team.unroll(h, xs, first))
    whole = run(team.init_carry(), xs, first)[1]
    half, head = run(team.init_carry(), xs[:2], first[:2])
    np.testing.assert_allclose(head, whole[:2], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run(half, xs[2:], first[2:])[1], whole[2:], rtol=1e-5, atol=1e-6)


def shapes(net):
    return [layer.weight.shape for layer in net.layers]


def test_layers_are_as_many_as_depth_and_after_say():
    # Would break: defaults other than the value-mixing papers' agent (one layer, GRU, one layer), or a depth
    # that counts the GRU or the last layer.
    plain = Recurrent(4, 3, hidden=8, key=jr.key(0))
    deep = Recurrent(4, 3, hidden=8, after=1, **DEEP, key=jr.key(0))
    bare = Recurrent(4, 3, hidden=8, depth=0, key=jr.key(0))
    assert (shapes(plain.embed), shapes(plain.head)) == ([(4, 8)], [(8, 3)])
    assert (shapes(deep.embed), shapes(deep.head)) == ([(4, 8), (8, 8)], [(8, 8), (8, 3)])
    assert (shapes(bare.embed), shapes(bare.head)) == ([], [(8, 3)])
    assert [net.gru.inputs[0].weight.shape for net in (plain, deep, bare)] == [(8, 8), (8, 8), (4, 8)]
    assert shapes(FeedForward(4, 3, key=jr.key(0)).layers) == [(4, 64), (64, 64), (64, 3)]


def test_without_options_nothing_is_normalised_or_orthogonal():
    # Would break: an option whose default changes the agent of the value-mixing papers.
    net, h, x = (
        Recurrent(4, 3, hidden=8, key=jr.key(0)),
        jr.normal(jr.key(1), (8,)),
        jr.normal(jr.key(2), (4,)),
    )
    embedded = jnp.maximum(net.embed.layers[0](x), 0)
    want = net.gru(h, net.gru.project(embedded))
    got, q = net.step(h, x)
    np.testing.assert_allclose(got, want, rtol=1e-6)
    np.testing.assert_allclose(q, net.head.layers[-1](want), rtol=1e-6)
    assert all(leaf.any() for leaf in jax.tree.leaves(net))  # PyTorch's biases are drawn too


def test_a_recurrent_agent_normalises_the_output_of_its_gru():
    # Would break: a norm on what is carried from step to step, or none on what the head reads.
    net, x = Recurrent(4, 3, hidden=8, **DEEP, key=jr.key(0)), jr.normal(jr.key(2), (4,))
    h, y = net.step(jnp.zeros(8), x)
    read = (h - h.mean()) / jnp.sqrt(h.var() + 1e-5)
    np.testing.assert_allclose(y, net.head.layers[0](read), rtol=1e-4, atol=1e-5)
