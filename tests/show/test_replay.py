"""Replays: what is packed is what was played; learners' decisions are why they acted as they did."""

from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from covey.config.config import Config
from covey.core import HasActionNames, HasDecisions
from covey.environments.particles.spread import Spread
from covey.runs import run
from covey.runs.engine import Engine
from covey.show.report import packing, players
from covey.show.report.page import make_report
from covey.training.learners import view_as
from show.report_runs import Parsed

RNG = np.random.default_rng(0)
TINY = [
    "agent=feed_forward",
    "agent.hidden=4",
    "mixer.embed=2",
    "experience.capacity=64",
    "experience.batch_size=4",
]
OPTIONS = {"seeds": "2", "steps": "64", "report_every": "32", "eval_every": "32", "eval_episodes": "2"}


@pytest.mark.parametrize(
    "x",
    [
        RNG.normal(size=(7, 3, 2)).astype(np.float32),
        RNG.random((5, 11)) > 0.5,
        RNG.integers(-1, 12, (6, 4)),
        np.full((9, 2), 3.25),
        np.array([[1.0, np.nan], [2.0, -8.0]]),
        np.array([10**9, -(10**9)]),
    ],
    ids=["float", "bool", "int", "constant", "nan", "large"],
)
@pytest.mark.parametrize("coarse", [False, True])
def test_packing_keeps_what_was_played(x, coarse):
    # Would break: bytes in another order, an offset forgotten, NaN as a number, a constant axis cut.
    content = packing.pack_array(x, coarse)
    width = float(np.nanmax(x * 1.0) - np.nanmin(x * 1.0))
    error = width / (250 if coarse and x.dtype.kind == "f" else 60_000)
    np.testing.assert_allclose(packing.unpack_array(content) * 1.0, x * 1.0, atol=error + 1e-12)
    assert content.get("constant", False) == bool((x == x[:1]).all())


def test_the_middle_is_shown_first():
    # Would break: the best seed shown as the typical one, an episode shown twice.
    assert players.choose_seeds(np.array([3.0, 1.0, 2.0, 9.0])) == {2: "median", 3: "best", 1: "worst"}
    assert players.choose_seeds(np.array([3.0])) == {0: "only"}
    copies, titles = players.choose_episodes(np.array([5.0, 0.0, 7.0]))
    assert copies == [0, 2, 1] and titles[0] == "median of 3 episodes"
    assert players.choose_episodes(np.array([1.0, 1.0]))[0] == [0]


def moved(tree, key):
    """Return the parameters a little off their start, at which increments are zero."""
    leaves, structure = jax.tree.flatten(tree)
    noise = lambda x, k: x + 0.1 * jax.random.uniform(k, x.shape) if eqx.is_inexact_array(x) else x
    return jax.tree.unflatten(structure, map(noise, leaves, jax.random.split(key, len(leaves))))


def played(algorithm: str, environment: str, settings: list[str]):
    """Return an algorithm, its new learner, and a greedy episode of it as the learner sees it."""
    engine = Engine(Config.parse(algorithm, environment, settings, {"envs": "2"}))
    trainer = engine.trainer
    slot = trainer.slots[0]

    def play(key):
        learners = moved(trainer.init_learners(key), key)
        joint = trainer.episodes(learners, key, jnp.zeros((), int), 1).trajectory
        view = view_as(slot, trainer.spec, slot.own_rollouts(joint))
        one = jax.tree.map(lambda x: x[0], view)
        return one, slot.algorithm.decisions(learners[0], one)

    assert isinstance(slot.algorithm, HasDecisions)
    return jax.tree.map(np.asarray, jax.jit(play)(jax.random.key(4)))


SMALL_ACTOR = ["actor=feed_forward", "actor.hidden=4"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("algorithm", "settings"),
    [
        ("qmix", TINY),
        ("mappo", [*SMALL_ACTOR, "critic.hidden=4"]),
        pytest.param("hyper_mappo", [*SMALL_ACTOR, "critic.hidden=4"], marks=pytest.mark.nightly),
        pytest.param("coma", ["actor.hidden=4", "critic.hidden=4"], marks=pytest.mark.nightly),
        pytest.param("maddpg", ["actor.hidden=4", "critic.hidden=4"], marks=pytest.mark.nightly),
        pytest.param("dual_q", ["actor.hidden=4", "critic.hidden=4"], marks=pytest.mark.nightly),
        pytest.param("ow_qmix", TINY, marks=pytest.mark.nightly),
        pytest.param("pqn_vdn", ["agent.hidden=4"], marks=pytest.mark.nightly),
    ],
)
def test_decisions_are_those_that_were_taken(algorithm, settings):
    # Would break: values of another moment, another agent, or without the memory of the steps before.
    episode, decisions = played(algorithm, "two_step", settings)
    found = decisions.get("action_values", decisions.get("action_probabilities"))
    legal = np.where(episode.obs.legal[:-1], found, -np.inf)
    assert (legal.argmax(axis=-1) == episode.action).all()
    if "action_probabilities" in decisions:
        np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-5)
    if "credit" in decisions:
        assert (decisions["credit"] >= 0).all() and decisions["credit"].shape == episode.action.shape


@pytest.mark.nightly
def test_credit_and_attention():
    # Would break: another derivative than the sum's, credit where nothing is mixed, weights without softmax.
    assert (played("vdn", "two_step", TINY[:2] + TINY[3:])[1]["credit"] == 1).all()
    assert "credit" not in played("iql", "two_step", TINY[:2] + TINY[3:])[1]
    attention = played("hyper_mappo", "two_step", ["layers=last"])[1]["attention"]
    np.testing.assert_allclose(attention.sum(axis=-1), 1, atol=1e-5)


@pytest.mark.slow
def test_a_report_replays_a_run(tmp_path: Path):
    # Would break: players mixed up, the untrained player trained, another episode than the one described.
    path = run.train_run(
        Config.parse("qmix", "two_step", TINY, OPTIONS), tmp_path / "run", quiet=True
    ).folder.path
    (replay,) = Parsed(make_report([path])).data["replays"]
    stages = [(player["rank"], player["stage"]) for player in replay["players"]]
    assert stages[0] == ("median", "last") and stages[-1] == ("median", "untrained")
    assert replay["players"][-1]["step"] == 0 and replay["stage"] is None
    for player in replay["players"]:
        for episode in player["episodes"]:
            reward = packing.unpack_array(episode["arrays"]["team_reward"])
            assert len(reward) == episode["length"] == 2
            np.testing.assert_allclose(reward.sum(axis=0), episode["returns"], atol=1e-3)


def test_worlds_name_their_actions():
    # Would break: fewer names than actions.
    world = Spread()
    assert isinstance(world, HasActionNames) and len(world.action_names) == world.spec.actions
