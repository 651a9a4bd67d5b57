"""Sides that an earlier run plays, runs against each other, agents by themselves."""

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import covey
from covey.algorithms.frozen_opponent import FrozenOpponent
from covey.algorithms.maddpg import MADDPG
from covey.algorithms.qmix import QMIX
from covey.analysis.versus import teams_of_first
from covey.config.config import Config
from covey.core import Observation, Spec
from covey.environments.games import TwoStep
from covey.errors import UserError
from covey.networks.agents import FeedForward
from covey.parts import Factory
from covey.runs import run
from covey.runs.policy import Agent
from covey.training.learners import LearnerSlot, observe_as
from covey.training.loop import Trainer

pytestmark = pytest.mark.slow  # runs are trained here

FACTIONS = f"{Path(__file__).parents[1]}/toys/worlds.py:Factions"
SMALL = [
    "agent=feed_forward",
    "agent.hidden=4",
    "sharing=none",
    "experience.capacity=64",
    "experience.batch_size=8",
]
OPTIONS = {
    "seeds": 2,
    "steps": 600,
    "eval_every": 300,
    "eval_episodes": 8,
    "report_every": 100,
    "audit": False,
}


def trained(path: Path, algorithm: str, *settings: str, **options) -> Path:
    return run.train_run(
        Config.parse(algorithm, FACTIONS, [*SMALL, *settings], OPTIONS | options), path, True
    ).folder.path


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Path]:
    """Two runs in which both sides learn, from other beginnings."""
    folder = tmp_path_factory.mktemp("runs")
    one = trained(folder / "one", "red=iql+blue=iql", "epsilon=.3")
    return {"one": one, "two": trained(folder / "two", "red=iql+blue=iql", "epsilon=.3", seed=7, steps=200)}


def arrays(path: Path) -> dict[str, np.ndarray]:
    """What a checkpoint holds, by name; seeds lead."""
    with zipfile.ZipFile(path / "checkpoints" / "last.npz") as archive:
        names = json.loads(archive.read("facts.json"))["leaves"]
        lanes = sorted({name.split("/")[0] for name in archive.namelist() if "/" in name})
        read = lambda lane, j: np.lib.format.read_array(archive.open(f"{lane}/{j}.npy"))
        return {name: np.concatenate([read(lane, j) for lane in lanes]) for j, name in enumerate(names)}


@pytest.fixture(scope="module")
def hunt(runs, tmp_path_factory) -> Path:
    """Red learns against the blue of run one, of which a copy was there to begin with, and is gone now."""
    folder = tmp_path_factory.mktemp("hunt")
    shutil.copytree(runs["one"], folder / "prey")
    path = trained(folder / "hunt", "iql", f"blue=run:{folder}/prey", seeds=3, steps=300)
    shutil.rmtree(folder / "prey")
    return path


# Would break: a frozen side that is updated, or takes another seed's or side's weights, or keeps experience.
@pytest.mark.slow
def test_a_frozen_side_stays_as_it_was(runs, hunt):
    before = arrays(runs["one"])
    after = arrays(hunt)
    own = {name: x for name, x in after.items() if name.startswith("learners.1.player.")}
    assert len(own) == sum(name.startswith("learners.1.") for name in before)
    for name, x in own.items():
        np.testing.assert_array_equal(x, before[name.replace(".player", "", 1)][[0, 1, 0]], err_msg=name)
    np.testing.assert_array_equal(after["learners.1.step"], before["steps"][[0, 1, 0]])
    assert json.loads((hunt / "summary.json").read_text())["updates"] > 0
    assert not any(name.startswith("buffers.1") for name in after)


# Would break: a frozen side that only the earlier run holds, or that begins anew when the run goes on.
@pytest.mark.slow
def test_resumed_without_the_earlier_run(runs, hunt, tmp_path):
    whole = trained(tmp_path / "whole", f"red=iql+blue=run:{runs['one']}", seeds=3, steps=600)
    shutil.copytree(hunt, tmp_path / "hunt")
    run.resume_run(tmp_path / "hunt", 600, quiet=True)
    first = arrays(whole)
    second = arrays(tmp_path / "hunt")
    assert first.keys() == second.keys()
    for name, x in first.items():
        np.testing.assert_array_equal(x, second[name], err_msg=name)


# Would break: other weights, beginnings or seeds than the run's own evaluation has.
@pytest.mark.slow
def test_against_itself_a_run_evaluates(runs, hunt):
    for path in (runs["one"], hunt):
        match = covey.versus(path, path)
        own = covey.evaluate(path)
        for team in ("red", "blue"):
            np.testing.assert_allclose(
                match.teams[team]["per_seed"], own.teams[team]["per_seed"], rtol=1e-6, atol=1e-6
            )


# Would break: sides that change places, seeds paired in another order, one program for two kinds.
@pytest.mark.slow
def test_crossplay_is_every_pair_of_runs(runs, hunt, tmp_path):
    names = [runs["one"], runs["two"], hunt]
    table = covey.crossplay(names, side="blue", out=tmp_path / "table")
    assert json.loads((tmp_path / "table" / "crossplay.json").read_text()) == table.to_json()
    assert (tmp_path / "table" / "crossplay.png").stat().st_size > 0
    for i, j in ((0, 1), (1, 0), (1, 2)):
        one = covey.versus(names[i], names[j], side="blue", pairs=True)
        assert one.pairs == [2, 2, 3][i] * [2, 2, 3][j]
        assert table.team_return[i][j] == pytest.approx(one.teams["blue"]["mean"], abs=1e-6)
    assert table.team_return[0][1] != table.team_return[1][0]


# Would break: a side cut out of a learner for everybody that acts on other agents' observations.
def test_some_agents_of_a_learner_for_all():
    world = Spec(("r0", "b0", "r1"), features=3, actions=4, horizon=5, team=("red", "blue", "red"))
    player = MADDPG(actor=Factory(FeedForward, hidden=4), critic=Factory(FeedForward, hidden=4))
    frozen = FrozenOpponent("runs/x", "all", player, world, 1)
    rows = jr.normal(jr.key(0), (3, 3))
    obs = Observation(rows, jnp.zeros(0), jnp.ones((3, 4), bool), jnp.ones(3, bool), jnp.ones((), bool))
    for members in ((0, 2), (1,)):
        slot = LearnerSlot("some", frozen, members)
        learner = frozen.init(slot.spec(world), jr.key(1))
        args = jr.key(2), jnp.zeros((), int), False
        _, action, extras = frozen.act(
            learner, frozen.init_carry(slot.spec(world), learner), observe_as(slot, obs), *args
        )
        whole = player.act(learner.player, player.init_carry(world, learner.player), obs, *args)[1]
        np.testing.assert_array_equal(action, whole[np.array(members)])
        assert extras is None


# Would break: a stochastic player frozen to its greedy actions, or the other way round; schedules that go on.
def test_how_it_plays():
    world = Spec(("a", "b"), features=3, actions=4, horizon=5)
    player = QMIX(agent=Factory(FeedForward, hidden=4))
    obs = Observation(
        jnp.zeros((2, 3)), jnp.zeros(0), jnp.ones((2, 4), bool), jnp.ones(2, bool), jnp.ones((), bool)
    )

    def actions(frozen, trained_for):
        learner = replace(frozen.init(world, jr.key(0)), step=jnp.array(trained_for))
        act = lambda key: frozen.act(learner, frozen.init_carry(world, learner), obs, key, 0, True)[1]
        return np.asarray(jax.vmap(act)(jr.split(jr.key(1), 64)))

    frozen = FrozenOpponent("runs/x", "team", player, world, 1)
    assert (actions(frozen, 0) == actions(frozen, 0)[0]).all()  # off-policy: greedy
    drawn = actions(FrozenOpponent("runs/x", "team", player, world, 1, greedy=False), 0)
    assert all(len(np.unique(drawn[:, i])) == 4 for i in range(2))  # epsilon is 1 at the beginning
    late = actions(FrozenOpponent("runs/x", "team", player, world, 1, greedy=False), 10**6)
    assert (late == actions(frozen, 0)).mean() > 0.9  # and .05 at the end


def said(call, *args, **options) -> str:
    with pytest.raises(UserError) as error:
        call(*args, **options)
    return str(error.value)


def refused(*words: str) -> str:
    return said(Config.parse, words[0], words[1], words[2:])


def test_what_cannot_be_played(runs, tmp_path):
    one = runs["one"]
    assert "there is no run folder at runs/none" in refused("iql", FACTIONS, "blue=run:runs/none")
    tagged = refused("iql", "tag", f"agent=run:{one}")
    assert "agent=run:" in tagged and "does not fit: this world has 4 agents, that run's 3 agents" in tagged
    assert "nobody is left for iql" in refused("iql", FACTIONS, f"blue=run:{one}", f"red=run:{one}")
    late = refused("iql", FACTIONS, f"blue=run:{one}", "blue.seed=2")
    assert "seed 2 is not in" in late and "it trained seeds 0 to 1" in late
    shutil.copytree(one, tmp_path / "new", ignore=shutil.ignore_patterns("checkpoints"))
    train = lambda: trained(tmp_path / "hunt", "iql", f"blue=run:{tmp_path}/new")
    assert f"run:{tmp_path}/new has no checkpoint yet: let it train" in said(train)
    assert not (tmp_path / "hunt").exists()
    assert "there is no such team; the teams are red, blue" in said(covey.versus, one, one, side="green")
    assert "leaves nobody" in said(covey.versus, one, one, side="red+blue")
    assert "have one team" in said(teams_of_first, Spec(("a", "b"), features=1, actions=2, horizon=1), None)


# Would break: settings of all learners that reach a side which learns nothing.
def test_settings_are_for_who_learns(runs):
    parsed = Config.parse("iql", FACTIONS, ["gamma=.5", f"blue=run:{runs['one']}", "blue.greedy=false"])
    assert parsed.algorithm == f"red=iql+blue=run:{runs['one']}"
    assert parsed.learners["red"]["gamma"] == 0.5
    blue = parsed.build()[1][1].algorithm
    assert isinstance(blue, FrozenOpponent) and blue.slot == "blue" and blue.greedy is False
    assert blue.world.names == ("b0",) and blue.player.gamma == QMIX.gamma
    both = Config.parse("red=iql+blue=vdn", FACTIONS, [f"blue=run:{runs['one']}"])
    assert both.algorithm == parsed.algorithm
    # a setting may be called as a team is
    prey = Config.parse("qmix", "pursuit", ["agent=feed_forward"])
    assert prey.learners["adversary"]["agent"]["name"] == "feed_forward"
    assert prey.learners["agent"]["name"] == "random"


# Would break: an agent by itself that acts on another's row, forgets within an episode, or remembers across.
def test_an_agent_by_itself(runs):
    policy = covey.load(runs["one"], 1)
    alone = {name: policy.agent(name) for name in policy.spec.names}
    for seed in range(4):
        seen = np.random.default_rng(seed).normal(size=(3, 1)).astype(np.float32)
        together = policy.act(seen)
        apart = [int(agent.act(row)) for agent, row in zip(alone.values(), seen, strict=True)]
        assert apart == together.tolist()
    assert int(alone["b0"].act(seen[1], legal=np.array([False, True]))) == 1
    alone["b0"].reset()
    assert "there is no agent 'b1': there are r0, b0, r1" in said(policy.agent, "b1")


class Gossip(QMIX):
    """Everybody acts on what the first agent sees."""

    def inputs(self, obs, last):
        return super().inputs(replace(obs, agents=obs.agents.at[...].set(obs.agents[..., :1, :])), last)


# Would break: an agent given away by itself that needs what its teammates see.
def test_an_agent_that_cannot_be_alone():
    env = TwoStep()
    slot = LearnerSlot("team", Gossip(agent=Factory(FeedForward, hidden=16)), (0, 1))
    learner = slot.algorithm.init(env.spec, jr.key(0))
    trainer = Trainer(env, (slot,), 1, 1)
    assert "also acts on what its teammates see" in said(Agent, trainer, (learner,), "agent_1")
    Agent(trainer, (learner,), "agent_0")


# Would break: another agent's, side's or seed's weights; agents of another team, or optimisers, taught too.
@pytest.mark.slow
def test_weights_from_one_agent(runs, tmp_path):
    options = {"seeds": 3, "steps": 20, "report_every": 20, "source": f"{runs['one']}:r1"}
    path = trained(tmp_path / "new", "red=iql+blue=iql", "experience.start=40", **options)
    before = arrays(runs["one"])
    after = arrays(path)
    name = "learners.0.online.agents.nets.layers.layers.1.weight"
    for row in (0, 1):
        np.testing.assert_array_equal(after[name][:, row], before[name][[0, 1, 0], 1])
    own = "learners.1.online.agents.nets.layers.layers.1.weight"
    assert not (after[own] == before[own][[0, 1, 0]]).all()
    wide = Config.parse(
        "iql", FACTIONS, [*SMALL, "agent.hidden=5"], OPTIONS | {"source": f"{runs['one']}:r1"}
    )
    assert "no network here has the shape of r1's" in said(run.train_run, wide, tmp_path / "wide", True)
