"""SMAC's protocol, by a battle of ours that keeps it to the letter: the game is not to be had here."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from covey.config.making import make_environment
from covey.errors import UserError


class Battle:
    """Two marines against one enemy of 3 points, as SMAC's `StarCraft2Env` would tell it.

    An attack takes a point off, the enemy kills a marine at `deaths`, the game crashes at step `crash_at`.
    """

    n_agents, episode_limit, n_actions = 2, 5, 7

    def __init__(self, map_name="3m", seed=None, deaths=(), crash_at=None, continuing_episode=False):
        self._seed = seed
        self.deaths, self.crash_at = deaths, crash_at
        self.continuing_episode = continuing_episode
        self.death_tracker_ally = np.zeros(2)
        self._controller = None
        self.launches = []

    def get_env_info(self):
        return {"n_agents": 2, "n_actions": 7, "obs_shape": 3, "state_shape": 4, "episode_limit": 5}

    def reset(self):
        if self._controller is None:
            self.full_restart()
        self.steps, self.enemy, self.alive = 0, 3, [True, True]
        return self.get_obs(), self.get_state()

    def full_restart(self):
        self.launches.append(self._seed)
        ping = lambda: SimpleNamespace(game_version="4.10.0")
        self._controller = SimpleNamespace(ping=ping)

    def get_obs(self):
        return [np.array([i, self.steps / 5, self.enemy / 3], np.float32) * self.alive[i] for i in range(2)]

    def get_state(self):
        return np.array([self.enemy, *self.alive, self.steps], np.float32)

    def get_avail_actions(self):
        return [[0, 1, 1, 1, 1, 1, 1] if alive else [1, 0, 0, 0, 0, 0, 0] for alive in self.alive]

    def step(self, actions):
        for mask, action in zip(self.get_avail_actions(), [int(a) for a in actions], strict=True):
            assert mask[action] == 1, "cannot perform action"
        if self.steps + 1 == self.crash_at:
            self.full_restart()
            return 0, True, {}
        self.steps += 1
        hits = sum(action == 6 for action in actions)
        self.enemy = max(0, self.enemy - hits)
        for who, when in enumerate(self.deaths):
            self.alive[who] &= self.steps < when
        info = {"battle_won": False, "dead_allies": 2 - sum(self.alive), "dead_enemies": int(self.enemy == 0)}
        terminated = not self.enemy or not any(self.alive)
        if terminated:
            info["battle_won"] = not self.enemy
        elif self.steps >= self.episode_limit:
            terminated = True
            if self.continuing_episode:
                info["episode_limit"] = True
        return hits * 1.5 + 20 * info["battle_won"], terminated, info


class Capable:
    """The wrapper of SMACv2, which holds the game in `env` and passes on what it lacks."""

    def __init__(self, capability_config, **options):
        assert options == {**PUBLISHED, "map_name": "10gen_zerg"}
        self.config = capability_config
        self.env = Battle()

    def __getattr__(self, name):
        return getattr(self.env, name)

    def reset(self):
        return self.env.reset()


PUBLISHED = {"conic_fov": False, "use_unit_ranges": True, "min_attack_range": 2, "obs_own_pos": True}


@pytest.fixture
def packages(monkeypatch):
    monkeypatch.setitem(sys.modules, "smac", SimpleNamespace(env=None))
    monkeypatch.setitem(sys.modules, "smac.env", SimpleNamespace(StarCraft2Env=Battle))
    source = SimpleNamespace(StarCraft2Env=Battle, StarCraftCapabilityEnvWrapper=Capable)
    monkeypatch.setitem(sys.modules, "smacv2", SimpleNamespace(env=None))
    monkeypatch.setitem(sys.modules, "smacv2.env", source)


def battle(**options):
    env, _ = make_environment("smac:3m", options)
    return env, env.reset(7)


ATTACK, STOP, NO_OP = 6, 1, 0


@pytest.mark.usefixtures("packages")
def test_a_victory_terminates_and_is_counted():
    # fails if the team's reward, the win or the true end is lost
    env, _ = battle()
    assert env.spec.names == ("agent_0", "agent_1")
    told = env.step(np.array([ATTACK, ATTACK]))
    np.testing.assert_array_equal(told.reward, [3.0, 3.0])
    assert told.counts == {}
    told = env.step(np.array([ATTACK, STOP]))
    assert told.terminated
    assert not told.truncated
    assert told.counts == {"won": 1, "dead_allies": 0, "dead_enemies": 1, "timeouts": 0, "crashes": 0}
    np.testing.assert_array_equal(told.reward, [21.5, 21.5])


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize("says_so", [False, True])
def test_a_timeout_is_a_truncation(says_so):
    # fails if values do not bootstrap at the time limit, whether or not the game tells it
    env, _ = battle(continuing_episode=says_so)
    for _ in range(5):
        told = env.step(np.array([STOP, STOP]))
    assert told.truncated
    assert not told.terminated
    assert told.counts["timeouts"] == 1
    assert told.obs.agents.any()


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize("deaths", [(5, 5), ()], ids=["lost", "won"])
def test_a_battle_that_is_decided_in_the_last_step_terminates(deaths):
    # fails if every end at the limit is taken for a timeout
    env, _ = battle(deaths=deaths)
    for t in range(5):
        told = env.step(np.array([ATTACK if t in (0, 1, 4) and not deaths else STOP, STOP]))
    assert told.terminated
    assert told.counts["won"] == (not deaths)


@pytest.mark.usefixtures("packages")
def test_the_dead_have_the_no_op_only_and_no_illegal_action_is_sent():
    # fails if a dead agent sees or chooses something, or is sent another action: the game asserts
    env, seen = battle(deaths=(2, 9))
    assert not seen.legal[:, NO_OP].any()
    env.step(np.array([STOP, STOP]))
    told = env.step(np.array([STOP, STOP]))
    np.testing.assert_array_equal(told.obs.alive, [False, True])
    np.testing.assert_array_equal(told.obs.legal[0], [True] + [False] * 6)
    assert not told.obs.agents[0].any()
    env.step(np.array([ATTACK, STOP]))  # what a policy says for the dead has no effect


@pytest.mark.usefixtures("packages")
def test_a_crash_ends_the_episode_without_a_true_end():
    # fails if a crash of the game is taken for a defeat, or the next episode does not start
    env, _ = battle(crash_at=2)
    before = env.step(np.array([ATTACK, STOP]))
    told = env.step(np.array([ATTACK, STOP]))
    assert told.truncated
    assert not told.terminated
    assert told.counts == {"crashes": 1.0}
    assert not told.reward.any()
    np.testing.assert_array_equal(told.obs.agents, before.obs.agents)
    assert env.reset(8).alive.all()


@pytest.mark.usefixtures("packages")
def test_the_seed_is_chosen_before_the_launch_and_the_version_known():
    # fails if all copies play one game, a user's seed is overwritten, or run.json lacks the game's version
    env, _ = battle()
    assert env.world.world.launches == [0]  # the seed of the first reset, which looks at the world
    assert env.versions == {"StarCraft II": "4.10.0"}
    env, _ = battle(seed=3)
    assert env.world.world.launches == [3]


@pytest.mark.usefixtures("packages")
def test_smacv2s_scenarios_are_the_published_ones():
    # fails if numbers, units or weights are not SMACv2's
    env, _ = make_environment("smacv2:zerg_10_vs_11")
    assert env.world.world.env.launches == [0]
    assert env.versions
    config = env.world.world.config
    assert (config["n_units"], config["n_enemies"]) == (10, 11)
    assert config["team_gen"]["unit_types"] == ["zergling", "hydralisk", "baneling"]
    assert config["team_gen"]["exception_unit_types"] == ["baneling"]
    with pytest.raises(UserError, match="no scenario 'orc_5_vs_5'"):
        make_environment("smacv2:orc_5_vs_5")


@pytest.mark.parametrize("name", ["smac:3m", "smacv2:terran_5_vs_5"])
def test_without_the_package_the_remedy_is_named(name, monkeypatch):
    # fails if the sentence does not say what to install, or PyPI's other `smac` passes for SMAC
    package = name.partition(":")[0]
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"pip install 'git\+https://github.com/oxwhirl/{package}"):
        make_environment(name)
    monkeypatch.setitem(sys.modules, package, SimpleNamespace())
    monkeypatch.setitem(sys.modules, f"{package}.env", SimpleNamespace())
    with pytest.raises(UserError, match=f"the installed {package} is another project"):
        make_environment(name)
