"""Actors and critics: their inputs, and which network each output comes from."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.core import Observation, Spec
from covey.networks.actors import Actor, Critic, observation_inputs
from covey.networks.agents import FeedForward, Recurrent
from covey.networks.distributions import Categorical, Gaussian
from covey.parts import Factory

SPEC = Spec(("a", "b", "c"), features=2, actions=3, horizon=5, state=4, team=("red", "red", "blue"))
BOX = Spec(SPEC.names, features=2, actions=3, horizon=5, state=4, team=SPEC.team, bounds=(0.0, 1.0))
NET = Factory(FeedForward, hidden=8)
step, unroll = (jax.jit(lambda it, h, obs, do=do: getattr(it, do)(h, obs)) for do in ("step", "unroll"))


def look(seed=0, alive=(True, True, True)):
    keys = jr.split(jr.key(seed))
    return Observation(
        jr.normal(keys[0], (3, 2)), jr.normal(keys[1], (4,)), jnp.ones((3, 3), bool), jnp.array(alive),
        jnp.array(True),
    )  # fmt: skip


def critic(sight, net=NET, agent_id=True, sharing="all"):
    return Critic(net, SPEC, sharing, agent_id, sight, key=jr.key(0))


def values(it, obs):
    return step(it, it.init_carry(), obs)[1]


def test_one_value_for_the_team_or_one_each():
    # Would break: a critic of the state with a value per agent.
    assert values(critic("state"), look()).shape == (1,)
    assert values(critic("agent"), look()).shape == values(critic("own"), look()).shape == (3,)


@pytest.mark.parametrize(("sight", "state", "own"), [("state", 1, 0), ("agent", 1, 1), ("own", 0, 1)])
def test_the_width_of_a_critics_input(sight, state, own):
    # Would break: a critic that lacks, or has, the state or the observation.
    it, obs, other = critic(sight), look(0), look(1)
    swap = lambda agents, world: Observation(agents, world, obs.legal, obs.alive, obs.first)
    now = values(it, obs)
    assert bool(jnp.any(values(it, swap(obs.agents, other.state)) != now)) == bool(state)
    assert bool(jnp.any(values(it, swap(other.agents, obs.state)) != now)) == bool(own)


@pytest.mark.parametrize("agent_id", [True, False])
@pytest.mark.parametrize("sight", ["state", "agent", "own"])
def test_inputs_are_the_state_then_the_observation_then_the_id(sight, agent_id):
    # Would break: identities in the team's state, none elsewhere, a row too many, a state shown to the dead.
    obs = look(alive=(True, False, True))
    own = np.concatenate([obs.agents, np.eye(3)], axis=1) if agent_id else np.asarray(obs.agents)
    world = np.stack([obs.state, 0 * obs.state, obs.state])
    want = {"state": np.asarray(obs.state)[None], "own": own, "agent": np.concatenate([world, own], axis=1)}
    np.testing.assert_array_equal(critic(sight, agent_id=agent_id).inputs(obs), want[sight])
    np.testing.assert_array_equal(observation_inputs(obs, agent_id), own)


def test_without_a_state_the_world_is_everybodys_observations():
    # Would break: an input of width 0, or others left out that the learner does not control.
    spec = Spec(("a", "b"), features=2, actions=3, horizon=5, others=1)
    obs = look()
    mine = Observation(obs.agents[:2], obs.state[:0], obs.legal[:2], obs.alive[:2], obs.first, obs.agents[2:])
    it = Critic(NET, spec, "all", True, "state", key=jr.key(0))
    np.testing.assert_array_equal(it.inputs(mine)[0], obs.agents.ravel())
    assert values(it, mine).shape == (1,)


def test_the_teams_value_has_one_network_however_agents_share():
    # Would break: a critic of the state that keeps a network for each agent.
    count = lambda *args, **more: sum(x.size for x in jax.tree.leaves(critic(*args, **more)))
    assert count("state", sharing="none") == count("state", sharing="all")
    assert count("own", sharing="none") == 3 * count("own", sharing="all")


def test_the_dead_are_shown_no_state():
    # Would break: a value of the dead that moves with a world they have left.
    it, dead = critic("agent"), (True, False, True)
    moved = lambda seed: Observation(
        look().agents, look(seed).state, look().legal, jnp.array(dead), jnp.array(True)
    )
    one, two = values(it, moved(1)), values(it, moved(2))
    assert one[1] == two[1]
    assert one[0] != two[0]


def test_ids_tell_twins_apart():
    # Would break: `agent_id` unread. With one network and one observation they must agree without it.
    twins = Observation(
        jnp.ones((3, 2)), jnp.zeros(4), jnp.ones((3, 3), bool), jnp.ones(3, bool), jnp.array(True)
    )
    for agent_id in (True, False):
        value = values(critic("own", agent_id=agent_id), twins)
        assert bool(jnp.all(value == value[0])) != agent_id


@pytest.mark.parametrize(("sharing", "alike"), [("all", 3), ("team", 2), ("none", 1)])
def test_agents_of_one_network_act_alike_and_others_differ(sharing, alike):
    # Would break: another sharing than the option says. Of three equal observations the first `alike` agree.
    twins = Observation(
        jnp.ones((3, 2)), jnp.ones(4), jnp.ones((3, 3), bool), jnp.ones(3, bool), jnp.array(True)
    )
    actor = Actor(NET, SPEC, sharing, False, True, 0.5, key=jr.key(0))
    _, policy = actor.step(actor.init_carry(), twins)
    assert isinstance(policy, Categorical)
    judged = values(critic("agent", agent_id=False, sharing=sharing), twins)
    for rows in (policy.log_p, judged[:, None]):
        same = [bool(jnp.allclose(row, rows[0], atol=1e-6)) for row in rows]
        assert same == [i < alike for i in range(3)]


def test_where_actions_are_continuous_outputs_are_means():
    # Would break: bounds, the way they are kept or the dimensions an agent has, lost on the way.
    obs = look()
    obs = Observation(obs.agents, obs.state, obs.legal.at[1, 0].set(False), obs.alive, obs.first)
    for squashed in (True, False):
        actor = Actor(NET, BOX, "all", True, squashed, 0.5, key=jr.key(0))
        _, policy = actor.step(actor.init_carry(), obs)
        assert isinstance(policy, Gaussian)
        assert (policy.bounds, policy.squashed) == (BOX.bounds, squashed)
        np.testing.assert_array_equal(policy.legal, obs.legal)
        np.testing.assert_array_equal(
            policy.mean, actor.networks.step(actor.init_carry(), observation_inputs(obs, True))[1]
        )
        assert policy.log_prob(policy.mode()).shape == (3,)


@pytest.mark.parametrize("sharing", ["all", "team", "none"])
def test_deviations_belong_to_groups(sharing):
    # Would break: one deviation for all under any sharing, or one each where all is shared.
    actor = Actor(NET, BOX, sharing, False, True, 0.25, key=jr.key(0))
    assert actor.log_deviation is not None
    groups = {"all": 1, "team": 2, "none": 3}[sharing]
    assert actor.log_deviation.shape == (groups, 3)
    np.testing.assert_allclose(jnp.exp(actor.log_deviation), 0.25)
    slope = jax.grad(lambda a: a.step(a.init_carry(), look())[1].entropy()[2])(actor).log_deviation
    touched = [bool(jnp.any(row != 0)) for row in slope]
    assert touched == [group == groups - 1 for group in range(groups)]


@pytest.mark.parametrize(("spec", "sight"), [(SPEC, "agent"), (BOX, "state")], ids=["discrete", "continuous"])
def test_unrolling_is_stepping(spec, sight):
    # Would break: legal actions of another moment, or memory that crosses an episode's beginning.
    net = Factory(Recurrent, hidden=4)
    actor, judge = (
        Actor(net, spec, "team", True, True, 0.5, key=jr.key(0)),
        Critic(net, spec, "team", True, sight, key=jr.key(1)),
    )
    moments = [look(seed) for seed in range(4)]
    for t, obs in enumerate(moments):
        moments[t] = Observation(
            obs.agents, obs.state, jr.bernoulli(jr.key(t), 0.5, (3, 3)).at[:, 0].set(True), obs.alive,
            jnp.array(t in (0, 2)),
        )  # fmt: skip
    story = jax.tree.map(lambda *x: jnp.stack(x), *moments)
    policy, value = unroll(actor, actor.init_carry(), story), unroll(judge, judge.init_carry(), story)
    h, k = actor.init_carry(), judge.init_carry()
    for t, obs in enumerate(moments):
        if obs.first:
            h, k = actor.init_carry(), judge.init_carry()
        h, now = step(actor, h, obs)
        k, worth = step(judge, k, obs)
        np.testing.assert_allclose(value[t], worth, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(policy.entropy()[t], now.entropy(), rtol=1e-5, atol=1e-6)
