"""Google's football, by a game of ours with gfootball's modules: the real one is built from source."""

import importlib
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from covey.config.making import make_environment
from covey.environments.adapters.football_picture import draw_football
from covey.environments.adapters.football_world import simple115
from covey.errors import UserError

TEAM = SimpleNamespace(e_Left="L", e_Right="R")


class Builder:
    """gfootball's builder of scenarios: it takes down who stands where, and who may be controlled."""

    def __init__(self, config):
        self.settings, self.players, self.side, self.parity = (
            SimpleNamespace(),
            {"L": [], "R": []},
            "L",
            config,
        )
        self.ball = None

    def config(self):
        return self.settings

    def SetTeam(self, team):  # noqa: N802
        self.side = team

    def AddPlayer(self, x, y, role, lazy=False, controllable=True):  # noqa: N802
        self.players[self.side].append((x, y, controllable))

    def SetBallPosition(self, x, y):  # noqa: N802
        self.ball = (x, y)

    def EpisodeNumber(self):  # noqa: N802
        return self.parity["episode_number"]


class Config(dict):
    """gfootball's configuration, whose scenario is built anew for each game."""

    def __init__(self, values):
        super().__init__(values)
        self.setdefault("episode_number", 0)

    def build(self):
        builder = Builder(self)
        importlib.import_module(f"gfootball.scenarios.{self['level']}").build_scenario(builder)
        return builder


class Game:
    """The ball moves to the right by .1 in each step in which the first agent shoots; at 1 it is a goal."""

    def __init__(self, config):
        self.config = config
        (players,) = config["players"]
        numbers = dict(part.split("=") for part in players.partition(":")[2].split(","))
        self.left, self.right = int(numbers["left_players"]), int(numbers["right_players"])
        n = self.left + self.right
        self.action_space = SimpleNamespace(n=19) if n == 1 else SimpleNamespace(nvec=[19] * n)

    def reset(self):
        self.config["episode_number"] += 1
        self.builder = self.config.build()
        self.x, self.steps, self.score = self.builder.ball[0], 0, [0, 0]
        for side, n in (("L", self.left), ("R", self.right)):
            assert sum(controllable for *_, controllable in self.builder.players[side]) == n
        return self.look()

    def look(self):
        sides = [np.array([p[:2] for p in self.builder.players[side]]) for side in "LR"]
        left, right = sides
        shared = {
            "ball": np.array([self.x, 0.0, 0.1]), "ball_direction": np.array([0.1, 0, 0]),
            "ball_owned_team": 0, "ball_owned_player": len(left) - 1, "game_mode": 0,
        }  # fmt: skip
        each = []
        for i in range(self.left):
            teams = {"left_team": left, "left_team_direction": 0 * left, "right_team": right}
            own = {
                "right_team_direction": 0 * right,
                "active": len(left) - self.left + i,
                "score": self.score,
            }
            each.append(shared | teams | own | {"sticky_actions": np.zeros(10, np.uint8)})
        for i in range(self.right):
            teams = {"left_team": right, "left_team_direction": 0 * right, "right_team": left}
            own = {"right_team_direction": 0 * left, "active": len(right) - self.right + i}
            own |= {"ball_owned_team": 1, "score": self.score[::-1]}
            each.append(shared | teams | own | {"sticky_actions": np.zeros(10, np.uint8)})
        return each

    def step(self, actions):
        assert len(actions) == self.left + self.right
        self.steps += 1
        self.x += 0.1 * (actions[0] == 12)
        goal = self.x > 0.99
        self.score = [int(goal), 0]
        lost = actions[0] == 16
        done = goal or lost or self.steps > self.builder.settings.game_duration
        reward = (
            np.array([goal] * self.left + [-goal] * self.right, np.float32)
            if goal
            else np.zeros(self.left + self.right, np.float32)
        )
        return self.look(), reward, done, {"score_reward": int(goal)}


def attack(builder):
    builder.config().game_duration = 6
    builder.SetBallPosition(0.7, 0.0)
    builder.SetTeam(TEAM.e_Left)
    for y in (0.0, 0.1, 0.2):
        builder.AddPlayer(-1.0 + y, y, "GK")
    builder.SetTeam(TEAM.e_Right)
    builder.AddPlayer(-1.0, 0.0, "GK", lazy=True)


def kick_off(builder):
    builder.config().game_duration = 5
    builder.SetBallPosition(0.0, 0.0)
    order = ("L", "R") if builder.EpisodeNumber() % 2 == 0 else ("R", "L")
    for team in order:
        builder.SetTeam(team)
        builder.AddPlayer(-1.0, 0.0, "GK", controllable=False)
        builder.AddPlayer(0.1, 0.0, "CF")


@pytest.fixture(autouse=True)
def package(monkeypatch):
    """gfootball's modules, with two scenarios."""
    scenarios = {"academy_attack": attack, "5_vs_5": kick_off}
    modules = {
        "gym": {}, "gfootball": {}, "gfootball.env": {}, "gfootball.scenarios": {},
        "gfootball.env.config": {"Config": Config},
        "gfootball.env.football_env": {"FootballEnv": Game},
        "gfootball.env.scenario_builder": {"Team": TEAM, "all_scenarios": lambda: list(scenarios)},
        **{f"gfootball.scenarios.{name}": {"build_scenario": f} for name, f in scenarios.items()},
    }  # fmt: skip
    for name, members in modules.items():
        module = ModuleType(name)
        module.__dict__.update(members, __path__=[])
        monkeypatch.setitem(sys.modules, name, module)
    yield
    for name in [name for name in sys.modules if name.startswith("gfootball.scenarios.covey_")]:
        del sys.modules[name]


SHOOT, SLIDE, IDLE = 12, 16, 0


def test_the_attackers_are_controlled_and_nobody_else():
    # fails if the game may choose whom an agent plays, a player is lost, or the keeper is given away
    env, _ = make_environment("football:attack")
    assert env.spec.names == ("left_0", "left_1")
    assert (env.spec.features, env.spec.state, env.spec.actions, env.spec.horizon) == (115, 104, 19, 6)
    players = env.world.game.builder.players
    assert [controllable for *_, controllable in players["L"]] == [False, True, True]
    assert players["R"] == [(-1.0, 0.0, False)]
    np.testing.assert_array_equal(np.argmax(env.reset(1).agents[:, 97:108], axis=1), [1, 2])
    env, _ = make_environment("football:attack", {"left": 1, "sticky": True})
    assert env.spec.features == 125


def test_both_sides():
    # fails if the right side is not a team, or the side that kicks off does not follow the seed
    env, _ = make_environment("football:5_vs_5", {"right": 1})
    assert env.spec.teams == ("left", "right")
    for seed in range(4):
        env.reset(seed)
        assert env.world.config["game_engine_random_seed"] == seed
    env.reset(1)
    for _ in range(10):
        told = env.step(np.array([SHOOT, IDLE]))
        if told.terminated or told.truncated:
            break
    assert told.truncated
    assert not told.counts["won"]


def test_goals_checkpoints_and_ends():
    # fails if a checkpoint is paid twice or to another than who has the ball, or an end's reason is lost
    env, _ = make_environment("football:attack")
    env.reset(0)
    told = env.step(np.array([SHOOT, IDLE]))  # at .8: 9 of the ten distances are passed
    np.testing.assert_allclose(told.reward, [0.0, 0.9], atol=1e-6)
    told = env.step(np.array([IDLE, IDLE]))
    assert not told.reward.any()
    env.step(np.array([SHOOT, IDLE]))
    told = env.step(np.array([SHOOT, IDLE]))
    assert told.terminated
    assert told.counts == {"goals": 1, "goals_against": 0, "won": 1, "timeouts": 0}
    np.testing.assert_allclose(told.reward, [2.0, 1.0], atol=1e-6)
    env.reset(0)
    told = env.step(np.array([SLIDE, IDLE]))
    assert told.terminated
    assert not told.counts["won"]


def test_a_timeout_is_a_truncation_and_scoring_alone_pays_goals_alone():
    # fails if values do not bootstrap at the time limit, or checkpoints cannot be left out
    env, _ = make_environment("football:attack", {"rewards": "scoring"})
    env.reset(0)
    for _ in range(6):
        told = env.step(np.array([IDLE, IDLE]))
        assert not told.reward.any()
    assert told.truncated
    assert told.counts["timeouts"] == 1


def colours_at(picture, *places):
    """Return the strongest channel at places of the pitch, and whether all of it is bright."""
    height, width, _ = picture.shape
    pixels = [
        picture[round((y / 0.47 + 1) * height / 2), round((x / 1.06 + 1) * width / 2)] for x, y in places
    ]
    return [("RGB"[np.argmax(pixel)], bool(pixel.max() > 200)) for pixel in pixels]


def moment(own, other, active, ball):
    teams = {"left_team": np.array(own), "right_team": np.array(other)}
    return teams | {"active": active, "ball": ball, "ball_owned_team": -1, "ball_owned_player": -1}


def test_a_picture_shows_who_stands_where():
    # fails if a film mixes up sides, marks another player, or does not turn the right side's view
    places = [(-0.975, 0.0), (0.225, 0.1), (0.875, 0.0), (0.5, -0.2)]  # beside the labels in discs
    left, right = [[-1, 0], [0.2, 0.1]], [[0.9, 0]]
    picture = draw_football(("left_0",), [moment(left, right, 1, (0.5, -0.2, 0.0))])
    shown = colours_at(picture, *places)
    assert shown[:3] == [("B", False), ("B", True), ("R", False)]
    assert shown[3][1]
    turned = [[-x, -y] for x, y in left], [[-x, -y] for x, y in right]
    picture = draw_football(("right_0",), [moment(*turned[::-1], 0, (-0.5, 0.2, 0.0))])
    shown = colours_at(picture, *places)
    assert shown[:3] == [("B", False), ("B", False), ("R", True)]
    env, _ = make_environment("football:5_vs_5", {"right": 1})
    env.reset(0)
    assert env.render().dtype == np.uint8


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("atack", {}, "football has no scenario 'atack': choose from 5_vs_5, academy_attack"),
        ("attack", {"left": 4}, r"left is 4, but attack has 3 players there: choose env\.left=3"),
        ("attack", {"left": 0}, "leaves nobody to control"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(name, options, sentence):
    # fails if a user's mistake ends the process, as gfootball does
    with pytest.raises(UserError, match=sentence):
        make_environment(f"football:{name}", options)


def test_without_the_package_the_remedy_is_named(monkeypatch):
    # fails if the sentence does not say where to read how it is installed
    monkeypatch.setitem(sys.modules, "gfootball", None)
    with pytest.raises(UserError, match=r"pip install .*gfootball.*docs/worlds/football\.md"):
        make_environment("football:attack")


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore")
def test_the_original(monkeypatch):
    # fails if numbers, rewards or controlled players differ from gfootball's own wrappers; a goal by hand
    monkeypatch.undo()
    for name in [name for name in sys.modules if name.startswith(("gfootball", "gym."))]:
        del sys.modules[name]
    pytest.importorskip("gfootball_engine")
    env, _ = make_environment("football:academy_empty_goal_close")
    wrappers = importlib.import_module("gfootball.env.wrappers")
    seen = env.reset(3)
    for t in range(40):
        raw = env.world.game.observation()
        theirs = wrappers.Simple115StateWrapper.convert_observation(raw, True)
        np.testing.assert_array_equal(seen.agents, theirs)
        np.testing.assert_array_equal(simple115(raw[0]), theirs[0])
        told = env.step(np.array([5 if t < 3 else SHOOT]))
        seen = told.obs
        if told.terminated:
            break
    assert told.counts["won"] == 1
    env, _ = make_environment("football:academy_3_vs_1_with_keeper")
    for seed in range(3):
        env.reset(seed)
        for _ in range(5):
            told = env.step(np.zeros(3, int))
            assert [own["active"] for own in env.world.game.observation()] == [1, 2, 3]
