"""Networks of entities: what changes places in the input changes places in the output, and nothing else."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.core import Observation
from covey.errors import UserError
from covey.networks.actors import Critic
from covey.networks.agents import AgentNetworks, FeedForward
from covey.networks.entity_agent import EntityAgent
from covey.networks.entity_encoders import AttentionEncoder, HypernetworkEncoder
from covey.networks.entity_mixer import EntityMixer
from covey.networks.entity_rows import Entities, EntityBlock
from covey.networks.interface import InputPart, NetworkInterface, observation_parts, plain_parts
from covey.networks.mixers import single_choices
from covey.parts import Factory
from networks.entity_worlds import PLAIN, Moment, layout, spec_of

ENCODERS = {
    "hypernetwork": Factory(HypernetworkEncoder, code=6),
    "attention": Factory(AttentionEncoder, heads=2),
}
AGENTS = 4
ENEMIES = 3
HEALS = (False, True, False, True)
SPEC = spec_of(AGENTS, ENEMIES)
TEAM = np.array([2, 0, 3, 1])
FOES = np.array([1, 2, 0])


def net(encoder, **options):
    return Factory(EntityAgent, encoder=ENCODERS[encoder], hidden=8, **options)


def networks(factory, spec=SPEC, others=1):
    interface = NetworkInterface(observation_parts(spec, last_action=True), spec.actions, others)
    return AgentNetworks(factory, spec, interface, "all", key=jr.key(0))


def inputs(moment):
    return jnp.concatenate([moment.features(), moment.last_one_hot], axis=-1)


def outputs(team, x):
    return np.asarray(jax.jit(lambda x: team.step(team.init_carry() + 0.1, x)[1])(x))


@pytest.mark.parametrize("encoder", ENCODERS)
def test_outputs_change_places_with_entities(encoder):
    # Breaks where a row is read in its place, an action's output belongs to another entity's row, a healer's
    # outputs do not skip the healer itself, or a last action names the wrong row.
    moment = Moment(AGENTS, ENEMIES, HEALS)
    team = networks(net(encoder))
    before = outputs(team, inputs(moment))
    after = outputs(team, inputs(moment.permuted(TEAM, FOES)))
    for new, old in enumerate(TEAM):
        slots = TEAM if HEALS[old] else FOES
        plain = np.delete(after[new], np.s_[PLAIN : PLAIN + AGENTS])
        np.testing.assert_allclose(plain, np.delete(before[old], np.s_[PLAIN : PLAIN + AGENTS]), atol=1e-6)
        named = before[old][PLAIN : PLAIN + AGENTS]
        np.testing.assert_allclose(after[new][PLAIN : PLAIN + len(slots)], named[slots], atol=1e-6)
    mine = before[[1, 3], [PLAIN + 1, PLAIN + 3]]
    assert (mine == 0).all()  # a healer's own
    assert (abs(before[1, [PLAIN, PLAIN + 2, PLAIN + 3]]) > 1e-3).all()


@pytest.mark.parametrize("encoder", ENCODERS)
def test_what_is_not_seen_adds_nothing(encoder):
    # Breaks where a row of zeros is counted or attended to, keeps a field of the last action, or a weight
    # depends on the number of allies, enemies or actions.
    moment = Moment(AGENTS, ENEMIES, (False,) * AGENTS)
    moment.last[:] = PLAIN + ENEMIES - 1
    moment.foes[:, -1] = 0
    moment.friends[:, -1] = 0
    moment.friends[-1, -2] = 0
    many = networks(net(encoder), spec_of(AGENTS, ENEMIES, healer=False))
    few_spec = spec_of(AGENTS - 1, ENEMIES - 1, healer=False)
    few = networks(net(encoder), few_spec)
    jax.tree.map(np.testing.assert_array_equal, many.nets, eqx_with(few.nets, many.nets))
    smaller = Moment(AGENTS - 1, ENEMIES - 1, (False,) * (AGENTS - 1))
    for name in ("around", "own"):
        setattr(smaller, name, getattr(moment, name)[:-1])
    smaller.foes = moment.foes[:-1, :-1]
    smaller.friends = moment.friends[:-1, :-1]
    x = np.concatenate([smaller.features(), 0 * smaller.last_one_hot], axis=-1)
    want = outputs(few, jnp.asarray(x))
    got = outputs(many, inputs(moment))[:-1]
    assert (got[:, PLAIN + ENEMIES - 1] == 0).all()
    np.testing.assert_allclose(np.delete(got, PLAIN + ENEMIES - 1, axis=1), want, atol=1e-6)


def eqx_with(weights, like):
    return jax.tree.unflatten(jax.tree.structure(like), jax.tree.leaves(weights))


@pytest.mark.parametrize("recurrent", [True, False])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_weight_learns_and_unrolling_is_stepping(encoder, recurrent):
    # Breaks where a part of the network leads nowhere, or `unroll` and `step` read rows differently.
    team = networks(net(encoder, recurrent=recurrent, gain=1.0))
    xs = jnp.stack([inputs(Moment(AGENTS, ENEMIES, HEALS, seed)) for seed in range(3)])
    first = np.array([True, False, True])

    def unrolled(team):
        return team.unroll(team.init_carry(), xs, jnp.asarray(first))[1]

    def stepped(team):
        h = team.init_carry()
        found = []
        for t in range(3):
            h, y = team.step(team.init_carry() if first[t] else h, xs[t])
            found.append(y)
        return jnp.stack(found)

    grads = jax.jit(jax.grad(lambda team: jnp.sum(unrolled(team) ** 2)))(team)
    for path, leaf in jax.tree.leaves_with_path(grads):
        assert np.any(leaf != 0), jax.tree_util.keystr(path)
    both = jax.jit(lambda team: (unrolled(team), stepped(team)))(team)
    np.testing.assert_allclose(*both, rtol=1e-4, atol=1e-5)
    assert team.nets.carry_size == (8 if recurrent else 0)


def test_made_weights_are_a_hypernetworks():
    # Breaks where the sum over rows is not that of [e, 1] times a matrix that is linear in [c(e), 1].
    encoder = HypernetworkEncoder(2, (3,), 5, None, code=4, key=jr.key(0))
    rows = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    block = EntityBlock(jnp.asarray(rows), jnp.array([True] * 5 + [False]))
    own = np.array([0.3, -0.7], np.float32)
    x, (code,) = encoder(Entities(jnp.asarray(own), (block,), None, None))
    want = own @ np.asarray(encoder.pool.weight[:2]) + np.asarray(encoder.pool.bias)
    last_layer = np.asarray(encoder.pool.weight[2:]).reshape(5, 4, 5)  # code, field, output
    for row in rows[:5]:
        hidden = np.maximum(row @ np.asarray(encoder.codes[0].weight) + np.asarray(encoder.codes[0].bias), 0)
        made = np.einsum("c,cfo->fo", np.append(hidden, 1), last_layer)
        want = want + np.append(row, 1) @ made
    np.testing.assert_allclose(x, np.maximum(want, 0), rtol=1e-4, atol=1e-5)
    assert (np.asarray(code)[5] == 0).all()


def look(moment, alive=None):
    n = moment.agents
    alive = jnp.ones(n, bool) if alive is None else alive
    legal = jnp.ones((n, moment.last_one_hot.shape[-1]), bool)
    x = jnp.asarray(moment.features())
    return Observation(x, jnp.asarray(moment.state()), legal, alive, jnp.array(True))


@pytest.mark.parametrize("reads", ["state", "agent"])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_critic_of_the_state_knows_no_order(encoder, reads):
    # Breaks where the state's rows or last actions are read in their places, or the dead are.
    critic = Critic(net(encoder), SPEC, "all", False, reads, key=jr.key(0))
    value = jax.jit(lambda obs: critic.step(critic.init_carry(), obs)[1])
    moment = Moment(AGENTS, ENEMIES, HEALS)
    before = value(look(moment))
    after = value(look(moment.permuted(TEAM, FOES)))
    np.testing.assert_allclose(after, before if reads == "state" else before[TEAM], atol=1e-6)
    moment.state_own[0] = 0
    dead = value(look(moment))
    moment.last[0] = (moment.last[0] + 1) % PLAIN
    np.testing.assert_array_equal(value(look(moment)) if not HEALS[0] else dead, dead)
    assert not np.allclose(dead, before)


def mixer(agents, enemies):
    spec = spec_of(agents, enemies, healer=False)
    return EntityMixer(agents, spec.world, 3, spec.state_layouts[0], embed=4, hyper=8, key=jr.key(1))


def test_the_mixer_knows_no_order_and_never_falls():
    # Breaks where a value is weighed by another agent's row, rows are read in their places, or a weight of a
    # value can be negative.
    moment = Moment(AGENTS, ENEMIES, (False,) * AGENTS)
    mix = mixer(AGENTS, ENEMIES)
    total = jax.jit(lambda q, state: mix(single_choices(q), state)[0])
    q = jr.normal(jr.key(2), (AGENTS,))
    before = total(q, moment.state())
    np.testing.assert_allclose(total(q[TEAM], moment.permuted(TEAM, FOES).state()), before, atol=1e-6)
    assert abs(total(q[TEAM], moment.state()) - before) > 1e-4
    slope = jax.jit(jax.vmap(jax.grad(total), (0, None)))(
        5 * jr.normal(jr.key(3), (500, AGENTS)), moment.state()
    )
    assert (slope >= 0).all()
    assert (slope > 0).mean() > 0.9
    of = lambda mix: [x.shape for x in jax.tree.leaves(mix)]
    assert of(mix) == of(mixer(7, 5))


def test_who_is_not_told_rows_is_refused():
    # Breaks where a network of entities takes any input for rows, or a mixer rows that are not its agents'.
    make = net("hypernetwork").offer(interface=NetworkInterface(plain_parts(4), others=1))
    with pytest.raises(UserError, match=r"Spec\.layouts .* or take recurrent or feed_forward"):
        make(4, 1, key=jr.key(0))
    told = spec_of(AGENTS, ENEMIES).state_layouts[0]
    with pytest.raises(UserError, match=r"mixer=entity reads a row .* or mixer=monotonic"):
        EntityMixer(AGENTS + 1, SPEC.world, 3, told, key=jr.key(0))
    with pytest.raises(UserError, match="or mixer=monotonic"):
        EntityMixer(AGENTS, SPEC.world, 3, None, key=jr.key(0))


def test_an_interface_is_given_to_who_asks():
    # Breaks where a network that does not ask for an interface gets one, or reads agents' numbers.
    plain = networks(Factory(FeedForward, hidden=8), others=0)
    assert not plain.placed
    assert plain.nets.layers.layers[0].weight.shape[0] == SPEC.features + SPEC.actions
    asked = networks(net("hypernetwork"))
    assert asked.placed
    assert asked.nets.interface.parts[-1] == InputPart(AGENTS, kind="place")
    assert not networks(net("hypernetwork"), spec_of(3, 2, healer=False)).placed


def test_surroundings_are_what_no_block_holds():
    # Breaks where a world that does not say so has features that no part of the network reads.
    told = layout(3, 2)
    x = jnp.arange(20.0)
    np.testing.assert_array_equal(told.surroundings(x), [0, 1])
    untold = type(told)(told.own, told.allies, told.enemies)
    np.testing.assert_array_equal(untold.surroundings(x), [0, 1, *range(15, 20)])
