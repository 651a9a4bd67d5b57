"""Non-stationarity by hand: known divergences, returns of mixed teams, opposite gradients."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.config.config import Config
from covey.core import AgentGradients, HasAgentGradients, HasPolicy
from covey.runs.engine import Engine
from covey.training import stationarity
from covey.training.learners import view_as

KEY = jr.key(0)
FEED_FORWARD = ("actor=feed_forward", "critic=feed_forward")
STEPS = jnp.zeros((), int)


def trainer_of(algorithm, world, *settings):
    config = Config.parse(algorithm, world, settings, {"envs": 2, "seeds": 1})
    return Engine(config).trainer


def with_logits(learner, logits):
    """Return a PPO learner whose agents' logits are constants."""
    actor = jax.tree.map(jnp.zeros_like, learner.actor)
    last = lambda actor: actor.networks.nets.layers.layers[-1].bias
    return replace(learner, actor=eqx.tree_at(last, actor, jnp.array(logits)))


@pytest.fixture(scope="module")
def measured():
    """Two agents of `specialise` that were nearly sure of action 0, and are now nearly sure of action 1."""
    trainer = trainer_of("ippo", "specialise", "env.agents=2", *FEED_FORWARD)
    learner = jax.jit(trainer.init)(KEY).learners[0]
    old = with_logits(learner, [2.0, 0.0])
    new = with_logits(learner, [0.0, 1.0])
    measure = jax.jit(lambda new, old: stationarity.measure(trainer, (new,), (old,), KEY, STEPS, 8))
    return {name: float(x) for name, x in measure(new, old).items()}


def test_a_known_divergence(measured):
    # Would break: the direction of the divergence, a mean over steps of nobody, a sum over agents.
    p = np.exp([2.0, 0]) / np.exp([2.0, 0]).sum()
    q = np.exp([0, 1.0]) / np.exp([0, 1.0]).sum()
    kl = (p * np.log(p / q)).sum()
    assert measured["kl"] == pytest.approx(kl, rel=1e-5)
    assert measured["kl/agent_1"] == pytest.approx(kl, rel=1e-5)
    assert measured["joint_kl"] == pytest.approx(2 * kl, rel=1e-5)
    assert measured["action_change"] == measured["action_change/agent_0"] == 1


def test_one_of_today_among_partners_of_yesterday(measured):
    # Would break: a mask of the wrong agents, old and new exchanged, returns of exploring play.
    assert measured["return/yesterday/team"] == 0.5
    assert measured["return/today/team"] == 0.5
    assert measured["return/one_of_today/agent_0"] == measured["return/one_of_today/agent_1"] == 1
    assert measured["return/one_of_today/team"] == 1


def test_opposite_gradients_have_cosine_minus_one():
    # Would break: a pair counted with itself, or across weights that are not shared.
    g = jnp.array([[1.0, 2], [-2, -4], [3, 0], [0, 5.0]])
    two_and_two = stationarity.interference(AgentGradients(g, (0, 0, 1, 1)))
    np.testing.assert_allclose(two_and_two, [-1, -1, 0, 0], atol=1e-6)
    alone = stationarity.interference(AgentGradients(g, (0, 0, 0, 1)))
    expected = [(-1 + 5**-0.5) / 2, (-1 - 5**-0.5) / 2, 0, np.nan]
    np.testing.assert_allclose(alone, expected, atol=1e-6)


@pytest.mark.parametrize("algorithm", ["qmix", "mappo"])
def test_the_agents_parts_add_up_to_the_gradient(algorithm):
    # Would break: an agent's part that takes another agent's outputs along, or one that is left out.
    settings = FEED_FORWARD if algorithm == "mappo" else ("agent=feed_forward",)
    trainer = trainer_of(algorithm, "specialise", "env.agents=3", *settings)
    state = jax.jit(trainer.init)(KEY)
    slot = trainer.slots[0]
    learner = state.learners[0]

    def gradients(learner):
        actors = trainer.begin((learner,), KEY, 8)
        joint = trainer.rollout((learner,), actors, KEY, STEPS, 3).trajectory
        view = view_as(slot, trainer.spec, slot.own_rollouts(joint))
        parts = slot.algorithm.agent_gradients(learner, view, STEPS)
        if algorithm == "qmix":
            loss = lambda agents: slot.algorithm.loss(
                replace(learner.online, agents=agents), learner.target.network, view
            )[0]
            return parts.gradient, jax.grad(loss)(learner.online.agents)
        chunks = slot.algorithm.make_chunks(learner, view)
        loss = lambda actor: slot.algorithm.loss(
            replace(learner.networks, actor=actor), chunks, slot.algorithm.entropy(STEPS), learner.scale
        )[0]
        return parts.gradient / trainer.spec.agents, jax.grad(loss)(learner.actor)

    parts, whole = jax.jit(gradients)(learner)
    whole = np.concatenate([np.ravel(x) for x in jax.tree.leaves(whole)])
    assert np.abs(whole).max() > 1e-4
    np.testing.assert_allclose(parts.sum(0), whole, atol=1e-6)


def test_algorithms_say_what_they_cannot_give():
    # Would break: a number that nobody computed, or an algorithm that loses its measurement.
    given = {
        name: stationarity.measurable(trainer_of(name, world).slots[0])
        for name, world in (("qmix", "specialise"), ("coma", "specialise"), ("maddpg", "spread"))
    }
    assert given["qmix"] == {"kl": False, "interference": True}
    assert given["coma"] == {"kl": True, "interference": True}
    assert given["maddpg"] == {"kl": False, "interference": False}
    assert isinstance(
        trainer_of("hyper_mappo", "specialise").slots[0].algorithm, HasPolicy | HasAgentGradients
    )


@pytest.mark.parametrize(
    ("algorithm", "world", "settings"),
    [
        pytest.param("hyper_mappo", "spread", ("env.horizon=4",), marks=pytest.mark.slow),
        pytest.param("adversary=iql+agent=ippo", "tag", ("env.horizon=4",), marks=pytest.mark.slow),
        pytest.param("coma", "spread", ("env.horizon=4",), marks=pytest.mark.nightly),
        pytest.param("ow_qmix", "spread", ("env.horizon=4",), marks=pytest.mark.nightly),
        pytest.param("pqn_vdn", "spread", ("env.horizon=4",), marks=pytest.mark.nightly),
        pytest.param("mappo", "spread", ("env.horizon=4", "env.continuous=true"), marks=pytest.mark.nightly),
        pytest.param("maddpg", "tag", ("env.horizon=4", "env.continuous=true"), marks=pytest.mark.nightly),
    ],
)
def test_nothing_moved_measures_nothing(algorithm, world, settings):
    # Would break: an algorithm whose policy in training is another than it measures; a world with two teams.
    trainer = trainer_of(algorithm, world, *settings)
    learners = jax.jit(trainer.init)(KEY).learners
    measure = jax.jit(lambda learners: stationarity.measure(trainer, learners, learners, KEY, STEPS, 4))
    found = {name: float(x) for name, x in measure(learners).items()}
    for name, x in found.items():
        if name.rpartition("/")[0].startswith(("kl", "action_change")):
            assert x == pytest.approx(0, abs=1e-5), name
        if "interference" in name:
            assert np.isnan(x) or -1.001 <= x <= 1.001, name
    teams = [name.rpartition("/")[2] for name in found if name.startswith("return/today/")]
    assert teams
    for team in teams:
        assert found[f"return/today/{team}"] == pytest.approx(found[f"return/yesterday/{team}"], rel=1e-5)
        assert found[f"return/one_of_today/{team}"] == pytest.approx(found[f"return/today/{team}"], rel=1e-5)
