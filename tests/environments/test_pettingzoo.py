import importlib
import sys
from dataclasses import replace
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import originals
import pytest
from gymnasium.spaces import Box, Dict, Discrete

import covey
from covey.config.config import Config
from covey.environments.adapters.pettingzoo import pettingzoo
from covey.environments.particles import adversary, chase, reference, speaker_listener, spread, tag
from covey.errors import UserError
from covey.runs import run
from covey.training.copies import Copy

SPREAD = "mpe2.simple_spread_v3"


class Skirmish:
    """Two agents of two kinds, three steps; the second dies after one and has an action mask."""

    possible_agents = ("scout_0", "tank_0")

    def __init__(self, width=2, value=0.5, max_cycles=3, **moves):
        self.width, self.value, self.max_cycles, self.unwrapped = width, value, max_cycles, self
        tank = Dict(observation=Box(-1, 1, (2, 2)), action_mask=Box(0, 1, (3,)))
        self.spaces = {"scout_0": Box(-1, 1, (2,)), "tank_0": tank}
        self.moves = {"scout_0": Discrete(2), "tank_0": Discrete(3, start=5), **moves}
        self.metadata = {}

    def observation_space(self, agent):
        return self.spaces[agent]

    def action_space(self, agent):
        return self.moves[agent]

    def state(self):
        raise NotImplementedError

    def look(self):
        tank = {"observation": np.ones((2, 2)), "action_mask": np.array([0, 1, 1])}
        views = {
            "scout_0": np.full(2 if self.t == 0 else self.width, 0.5 if self.t == 0 else self.value),
            "tank_0": tank,
        }
        return {name: views[name] for name in self.agents}, {name: {} for name in self.agents}

    def reset(self, seed=None):
        self.agents, self.t = list(self.possible_agents), 0
        return self.look()

    def step(self, actions):
        self.t, self.did = self.t + 1, actions
        dead = {name: name == "tank_0" for name in actions}
        cut = dict.fromkeys(actions, self.t >= self.max_cycles)
        self.agents = [name for name in actions if not dead[name]]
        obs, info = self.look()
        self.agents = [name for name in self.agents if not cut[name]]
        return obs, dict.fromkeys(actions, 1.0), dead, cut, info


@pytest.fixture
def skirmish(monkeypatch):
    monkeypatch.setitem(sys.modules, "skirmish", SimpleNamespace(parallel_env=Skirmish))
    nobody = lambda: SimpleNamespace(metadata={})
    monkeypatch.setitem(sys.modules, "nobody", SimpleNamespace(env=nobody))
    return "skirmish"


PAIRS = {
    "simple_spread_v3": (spread.Spread, spread.SpreadState, originals.spread),
    "simple_tag_v3": (tag.Tag, chase.ChaseState, originals.chase),
    "simple_speaker_listener_v4": (
        speaker_listener.SpeakerListener,
        speaker_listener.SpeakerListenerState,
        originals.speaker_listener,
    ),
    "simple_reference_v3": (reference.Reference, reference.ReferenceState, originals.reference),
    "simple_adversary_v3": (adversary.Adversary, adversary.AdversaryState, originals.adversary),
}


@pytest.mark.parametrize("continuous", [False, True], ids=["discrete", "continuous"])
@pytest.mark.parametrize("name", PAIRS)
def test_our_world_and_the_original_are_the_same_to_a_policy(name, continuous):
    # fails if the order of features or actions, the padding, the rewards or the cut differ from ours
    make, state, look = PAIRS[name]
    ours = make(continuous=continuous)
    theirs = Copy(pettingzoo(f"mpe2.{name}", team=ours.spec.team, continuous_actions=continuous))
    assert theirs.spec == replace(ours.spec, team_reward=theirs.spec.team_reward)
    seen = theirs.reset(3).obs
    state = originals.ours(state, look(theirs.world.world.world.unwrapped))
    step = jax.jit(lambda state, action: ours.step(state, action, jax.random.key(0)))
    weights = np.random.default_rng(0).normal(size=(ours.spec.features, ours.spec.actions))
    for _ in range(ours.spec.horizon):
        scores = seen.agents @ weights
        if continuous:
            action = np.where(seen.legal, 1 / (1 + np.exp(-scores)), 0.0)
        else:
            action = np.argmax(np.where(seen.legal, scores, -np.inf), axis=1)
        state, mine = step(state, jnp.asarray(action)[None])
        told = theirs.step(action)
        seen = told.obs
        np.testing.assert_allclose(mine.obs.agents[0], seen.agents, atol=2e-5)
        np.testing.assert_array_equal(mine.obs.legal[0], seen.legal)
        np.testing.assert_allclose(mine.reward[0], told.reward, atol=1e-4, rtol=1e-5)
    assert bool(mine.truncated[0])
    assert told.truncated
    assert not told.terminated


@pytest.mark.slow
def test_a_run_is_evaluated_in_the_original_with_the_teams_it_had(tmp_path):
    # fails if speaker and listener, one team here, are two there: weights for another number of networks
    settings = ["agent=feed_forward", "agent.hidden=4", "experience.capacity=4", "experience.batch_size=2"]
    options = {"preset": "original", "seeds": "1", "steps": "50", "envs": "2", "eval_episodes": "2"}
    config = Config.parse("iql", "speaker_listener", settings, options)
    path = run.train_run(config, tmp_path / "run", quiet=True).folder.path
    told = covey.evaluate(path, episodes=2, environment="pz:mpe2.simple_speaker_listener_v4")
    assert told.teams.keys() == {"team"}
    assert told.agent_return["speaker_0"] == told.agent_return["listener_0"] < 0
    assert told.length == 25
    with pytest.raises(UserError, match="has 3 agents, and the run's own world 2 agents"):
        covey.evaluate(path, episodes=2, environment="pz:mpe2.simple_spread_v3")


def test_teams_padding_and_the_seed():
    # fails if a narrow observation is not padded, a name's prefix is no team, or no seed decides
    world = pettingzoo("mpe2.simple_tag_v3")
    assert world.spec.team == ("adversary",) * 3 + ("agent",)
    assert world.spec.features == 16
    assert world.spec.horizon == 25
    seen = world.reset(5)
    assert not seen.agents[3, 14:].any()
    assert seen.agents[3, :14].any()
    np.testing.assert_array_equal(seen.agents, world.reset(5).agents)
    assert not np.array_equal(seen.agents, world.reset(6).agents)


def test_teams_can_be_given():
    # fails if given teams do not take precedence over names, or one team is not the unnamed one
    assert pettingzoo("mpe2.simple_tag_v3", team=()).spec.team == ()
    assert pettingzoo("mpe2.simple_tag_v3", team=("all",) * 4).spec.team == ()
    halves = ("left", "left", "right", "right")
    assert pettingzoo("mpe2.simple_tag_v3", team=halves).spec.team == halves


def test_illegal_actions_deaths_and_ends(skirmish):
    # fails if a missing agent stays alive, a mask is ignored, or a death is taken for everybody's end
    world = pettingzoo(skirmish)
    assert world.spec.team == ("scout", "tank")
    assert world.spec.actions == 3
    seen = world.reset(0)
    assert seen.alive.all()
    np.testing.assert_array_equal(seen.legal, [[True, True, False], [False, True, True]])
    told = world.step(np.array([1, 2]))
    assert world.world.world.did == {"scout_0": 1, "tank_0": 7}  # its actions begin at 5
    assert not told.terminated
    assert not told.truncated
    np.testing.assert_array_equal(told.obs.alive, [True, False])
    np.testing.assert_array_equal(told.obs.legal[1], [True, False, False])
    assert not told.obs.agents[1].any()
    world.step(np.array([1, 0]))
    told = world.step(np.array([1, 0]))
    assert world.world.world.did == {"scout_0": 1}
    assert told.truncated
    assert not told.terminated
    assert told.obs.alive[0]


def test_boxes_of_different_ranges_share_one(skirmish):
    # fails if actions are not mapped to each dimension's own range
    moves = {"scout_0": Box(np.float32([0, -2]), np.float32([1, 2])), "tank_0": Box(0, 4, (3,))}
    world = pettingzoo(skirmish, **moves)
    assert world.spec.bounds == (-1.0, 1.0)
    assert world.actions.available.tolist() == [[True, True, False], [True, True, True]]
    world.reset(0)
    world.step(np.float32([[1, 0.5, 0], [0, 1, -1]]))
    np.testing.assert_allclose(world.world.world.did["scout_0"], [1.0, 1.0])
    np.testing.assert_allclose(world.world.world.did["tank_0"], [2.0, 4.0, 0.0])


@pytest.mark.parametrize(
    ("module", "options", "sentence"),
    [
        ("mpe2.simple_spred_v3", {}, "check the name after pz:"),
        ("mpe2.simple_spread_v3", {"agents": 4}, "does not accept these options"),
        ("mpe2.simple_spread_v3", {"team": ("a", "b")}, "team is for 2 agents, but .* has 3: name each"),
        ("json", {}, "holds no PettingZoo world"),
        ("nobody", {}, "give it `possible_agents`"),
        ("skirmish", {"max_cycles": 0}, "set horizon"),
    ],
)
@pytest.mark.usefixtures("skirmish")
def test_a_world_that_cannot_be_used_is_refused_in_a_sentence(module, options, sentence):
    # fails if a user's mistake ends in a traceback
    with pytest.raises(UserError, match=sentence):
        pettingzoo(module, **options)


def test_without_the_package_the_remedy_is_named(monkeypatch):
    # fails if the sentence does not say what to install
    def absent(name):
        raise ModuleNotFoundError(name="mpe2")

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(UserError, match=r"pip install 'covey\[pettingzoo\]'"):
        pettingzoo(SPREAD)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"width": 3}, "scout_0 an observation of 3 numbers at step 1"),
        ({"value": np.nan}, "observations of scout_0 that are not finite, at step 1"),
    ],
)
def test_nonsense_in_the_middle_of_an_episode_is_refused(skirmish, options, sentence):
    # fails if a NaN or a wrong shape reaches a learner
    copy = Copy(pettingzoo(skirmish, **options))
    copy.reset(0)
    with pytest.raises(UserError, match=sentence):
        copy.step(np.array([0, 1]))
