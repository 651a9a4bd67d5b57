"""Large actions, whose parts are agents."""

import sys
from types import SimpleNamespace

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

import covey
from covey.environments.adapters.choices import WorldChoices
from covey.environments.adapters.gymnasium import gymnasium_environment
from covey.environments.adapters.parts import masks_of_parts
from covey.environments.adapters.pettingzoo import pettingzoo
from covey.environments.adapters.spaces import member_of_parts, parts_of
from covey.errors import UserError

LARGE = [
    MultiDiscrete([9, 9]),
    MultiDiscrete([[5, 6], [7, 8]]),
    MultiDiscrete([9, 9], start=[3, -2]),
    MultiDiscrete([100]),
    MultiBinary(7),
    MultiBinary((2, 4)),
    Tuple([Discrete(40), Discrete(3, start=2)]),
    Tuple([Discrete(2), Box(0, 1, (2,))]),
    Dict(move=MultiDiscrete([5, 5]), fire=Discrete(7), where=Dict(x=Box(-1, 1), y=Discrete(2))),
]


@pytest.mark.parametrize("space", LARGE, ids=str)
def test_parts_joined_are_a_member_of_the_space(space):
    # fails if a part is lost, or parts are joined in another order than they are named
    parts = parts_of(space)
    chosen = iter(
        part.start + k % part.n if hasattr(part, "n") else part.low for k, part in enumerate(parts.values())
    )
    assert space.contains(member_of_parts(space, chosen))
    assert len(set(parts)) == len(parts)


def test_parts_keep_their_places():
    # fails if a matrix of choices is turned, or keys of a Dict are mixed up
    assert member_of_parts(LARGE[1], iter([1, 2, 3, 4])).tolist() == [[1, 2], [3, 4]]
    assert list(parts_of(LARGE[8])) == ["move.0", "move.1", "fire", "where.x", "where.y"]
    assert member_of_parts(LARGE[8], iter([1, 2, 6, "x", 0]))["where"] == {"x": "x", "y": 0}


class Tanks:
    """Two tanks choose a place and a target, 9 x 9; a scout chooses one of three. It lasts five steps.

    A tank earns 1 for each part that is its own favourite: 3 and 5 of `tank_0`, 4 and 6 of `tank_1`.
    """

    def __init__(self, masks="tuple", max_cycles=5):
        self.metadata = {"name": "tanks"}
        self.possible_agents = ["tank_0", "tank_1", "scout_0"]
        self.masks = masks
        self.max_cycles = max_cycles

    def observation_space(self, name):
        return Box(0, 9, (2,), np.float32)

    def action_space(self, name):
        return Discrete(3) if name == "scout_0" else MultiDiscrete([9, 9])

    def reset(self, seed=None, options=None):
        self.agents = list(self.possible_agents)
        self.t = 0
        return self.look()

    def look(self):
        each = {name: np.full(2, i, np.float32) for i, name in enumerate(self.possible_agents)}
        rows = (np.arange(9) < 7, np.arange(9) > 1)
        mask = {"tuple": rows, "side by side": np.concatenate(rows), "joint": np.outer(*rows)}[self.masks]
        masks = {name: {"action_mask": mask} if name != "scout_0" else {} for name in self.possible_agents}
        return {name: each[name] for name in self.agents}, {name: masks[name] for name in self.agents}

    def step(self, actions):
        self.t += 1
        self.did = actions
        wanted = {"tank_0": [3, 5], "tank_1": [4, 6], "scout_0": -1}
        right = {name: float(np.sum(np.equal(action, wanted[name]))) for name, action in actions.items()}
        reward = right | ({"scout_0": 10.0} if "scout_0" in actions else {})
        no = dict.fromkeys(actions, False)
        dead = no | {"scout_0": True} if "scout_0" in actions else no
        obs, infos = self.look()
        cut = dict.fromkeys(actions, self.t >= self.max_cycles)
        self.agents = [name for name in self.agents if not dead[name] and not cut[name]]
        return obs, reward, dead, cut, infos


@pytest.fixture
def tanks(monkeypatch):
    monkeypatch.setitem(sys.modules, "tanks", SimpleNamespace(parallel_env=Tanks))
    return "tanks"


def test_each_part_is_an_agent_of_its_agents_team(tanks):
    # fails if parts do not know which they are, act for each other, or count twice in a team's reward
    world = pettingzoo(tanks, team=("a", "b", "b"))
    assert world.spec.names == ("tank_0.0", "tank_0.1", "tank_1.0", "tank_1.1", "scout_0")
    assert world.spec.team == ("a", "a", "b", "b", "b")
    assert world.spec.actions == 9
    obs = world.reset(0)
    np.testing.assert_array_equal(obs.agents[2], [1, 1, 1, 0])
    np.testing.assert_array_equal(obs.agents[3], [1, 1, 0, 1])
    np.testing.assert_array_equal(obs.agents[4], [2, 2, 0, 0])
    step = world.step(np.array([3, 8, 4, 6, 2]))
    assert world.world.world.did["tank_0"].tolist() == [3, 8]
    assert world.world.world.did["scout_0"] == 2
    np.testing.assert_array_equal(step.reward, [1, 1, 2, 2, 10])
    np.testing.assert_array_equal(step.team_reward, [1, 6])
    np.testing.assert_array_equal(step.obs.alive, [True] * 4 + [False])


def test_sums_count_an_agent_once(tanks):
    # fails if a tank with two parts earns its team double
    world = pettingzoo(tanks, team_reward="sum", team=())
    world.reset(0)
    assert world.step(np.array([3, 5, 4, 6, 0])).team_reward.tolist() == [14.0]


@pytest.mark.parametrize("masks", ["tuple", "side by side"])
def test_masks_reach_their_parts(tanks, masks):
    # fails if a part gets another's mask
    legal = pettingzoo(tanks, masks=masks).reset(0).legal
    np.testing.assert_array_equal(legal[0], np.arange(9) < 7)
    np.testing.assert_array_equal(legal[1], np.arange(9) > 1)
    np.testing.assert_array_equal(legal[4], np.arange(9) < 3)


def test_masks_are_nested_as_the_action_is():
    # fails if a Dict's masks are taken in their own order, or a mask of several parts is not taken apart
    a, b, c = np.array([1, 0]), np.array([1, 1, 0]), np.array([0, 1])
    space = Dict(move=MultiDiscrete([2, 3]), where=Box(-1, 1), fire=Discrete(2))
    rows = masks_of_parts(space, {"fire": c, "where": None, "move": (a, b)})
    assert [None if row is None else list(row) for row in rows] == [[1, 0], [1, 1, 0], None, [0, 1]]
    rows = masks_of_parts(Tuple([MultiDiscrete([2, 3]), Discrete(2)]), ((a, b), c))
    assert list(map(list, rows)) == [[1, 0], [1, 1, 0], [0, 1]]


def test_a_mask_of_joint_choices_is_refused_with_a_remedy(tanks):
    # fails if a mask that says which pairs go together is silently dropped
    with pytest.raises(UserError, match=r"tank_0: an action mask has 81 entries, .* give masks nested"):
        pettingzoo(tanks, masks="joint")


@pytest.mark.nightly
def test_parts_learn_what_their_agent_is_paid_for(tanks, tmp_path):
    # fails if a part's action, reward or number is not its own: chance earns 4.3, the best is 10
    run = covey.train(
        "ippo",
        "pz:tanks",
        env={"team": []},
        settings={"actor_optimiser.lr": 0.01, "critic_optimiser.lr": 0.01},
        seeds=1,
        steps=2_000,
        envs=8,
        out=tmp_path / "run",
        quiet=True,
    )
    assert run.summary["eval"]["team_return"]["mean"] > 8


class Leaves(gymnasium.Env):
    """Two agents of a Dict of actions; the first leaves after a step, and its action is still wanted."""

    n_agents = 2
    observation_space = Tuple([Box(0, 1, (1,))] * 2)
    action_space = Tuple(
        [Dict(move=MultiDiscrete([9, 9]), fire=Discrete(3, start=1), aim=Box(-1, 1, (2,)))] * 2
    )

    def reset(self, *, seed=None, options=None):
        return (np.zeros(1, np.float32),) * 2, {}

    def step(self, action):
        assert self.action_space.contains(action)
        self.did = action
        return (np.zeros(1, np.float32),) * 2, [1.0, 1.0], False, False, {"agents_terminated": [True, False]}


def test_an_agent_that_has_left_takes_a_member_of_its_space():
    # fails if the action that is made up for it has no form, or none of its space
    world = gymnasium_environment(Leaves(), "leaves", {}, WorldChoices(horizon=3))
    assert world.spec.agents == 8
    world.reset(0)
    for _ in range(2):
        world.step(np.zeros((8, world.spec.actions), np.float32))
    gone = world.world.world.did[0]
    assert (gone["move"].tolist(), gone["fire"], gone["aim"].tolist()) == ([0, 0], 1, [0, 0])
