import sys
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.config.config import Config
from covey.config.making import make_environment
from covey.environments.adapters.choices import WorldChoices
from covey.environments.adapters.multi_agent_env import multi_agent_env
from covey.errors import UserError
from covey.runs import run
from covey.testing import check_environment


class Discrete:
    """A space of JaxMARL's kind."""

    def __init__(self, n):
        self.n = n


class Raid:
    """A world of JaxMARL's kind: two agents of two shapes; the second leaves after three steps.

    It keeps a key in its state, and would reset itself in `step`, which an adapter must not call.
    """

    def __init__(self, max_steps=5, win_at=99, early=0):
        self.agents = ["ally_0", "ally_1"]
        self.max_steps, self.win_at, self.early = max_steps, win_at, early

    def action_space(self, agent):
        return Discrete(2 if agent == "ally_0" else 3)

    def look(self, state):
        place, t = state["place"], state["step"]
        return {
            "ally_0": jnp.stack([place, t * 1.0]),
            "ally_1": {"map": jnp.full((2, 2), t * 1.0), "bits": jnp.array([True])},
            "world_state": jnp.stack([place, place, t * 1.0]),
        }

    def get_avail_actions(self, state):
        return {"ally_0": jnp.ones(2, jnp.uint8), "ally_1": jnp.array([0, 1, 1], jnp.uint8)}

    def reset(self, key):
        state = {"place": jr.uniform(key), "step": 0, "key": key}
        return self.look(state), state

    def step_env(self, key, state, actions):
        late = state["step"] >= self.max_steps + self.early
        state = {**state, "step": state["step"] + 1, "place": state["place"] + actions["ally_1"]}
        over = late | (state["step"] >= self.win_at)
        done = {"ally_0": over, "ally_1": over | (state["step"] >= 3), "__all__": over}
        reward = {"ally_0": 1, "ally_1": actions["ally_0"] * 1.0}
        return self.look(state), state, reward, done, {"shaped_reward": {"ally_0": 2.0, "ally_1": 4.0}}

    def step(self, *args):
        raise AssertionError("`step` resets the world")


class SimpleMPE(Raid):
    """A world whose class has the name of JaxMARL's particle worlds, whose episodes end a step late."""


class Exact(Raid):
    """A world that counts a step before it looks at its limit."""

    def __init__(self, **options):
        super().__init__(early=-1, **options)


def play(world, steps, action=(1, 2), shaped=0.0, **options):
    """Return the observation after a reset of two copies, and what each step gave."""
    env = multi_agent_env(world, "raid", {}, WorldChoices(**options), shaped)
    state, first = env.reset(jr.key(0), 2)
    step = jax.jit(env.step)
    told = []
    for t in range(steps):
        state, outcome = step(state, jnp.tile(jnp.array(action, jnp.int8), (2, 1)), jr.key(t))
        told.append(outcome)
    return env, first, told


def test_a_late_world_keeps_the_protocol():
    # fails if shapes, types, dead agents or the end of an episode are not as the protocol says
    check_environment(multi_agent_env(SimpleMPE(), "raid", {}, WorldChoices()))


def test_padding_masks_and_deaths():
    # fails if a narrow agent is not padded, a mask is ignored, or a death is taken for everybody's end
    env, first, told = play(SimpleMPE(), 5)
    assert (env.spec.features, env.spec.actions, env.spec.state, env.spec.horizon) == (5, 3, 3, 5)
    assert not first.agents[:, 0, 2:].any()
    np.testing.assert_array_equal(first.agents[0, 1], [1, 0, 0, 0, 0])  # leaves by name: bits, map
    np.testing.assert_array_equal(first.legal[0], [[1, 1, 0], [0, 1, 1]])
    np.testing.assert_array_equal(told[0].reward[0], [1, 1])
    assert told[1].obs.alive.all()
    np.testing.assert_array_equal(told[2].obs.alive[0], [True, False])
    np.testing.assert_array_equal(told[2].obs.legal[0, 1], [0, 1, 0])
    assert not told[2].obs.agents[0, 1].any()


@pytest.mark.parametrize("kind", [SimpleMPE, Exact])
def test_the_limit_cuts_after_as_many_steps_as_it_says_and_the_last_observation_is_the_real_one(kind):
    # fails if episodes end a step late, a time limit is a true end, or the last observation is a new game's
    _, first, told = play(kind(), 5)
    assert not any(bool(step.truncated.any() | step.terminated.any()) for step in told[:4])
    assert told[4].truncated.all()
    assert not told[4].terminated.any()
    np.testing.assert_array_equal(told[4].obs.agents[:, 0, 1], [5, 5])
    np.testing.assert_allclose(told[4].obs.agents[:, 0, 0], first.agents[:, 0, 0] + 10, rtol=1e-6)
    assert told[4].obs.alive[:, 0].all()


def test_a_true_end_terminates_also_in_the_last_step_of_a_late_world():
    # fails if a battle that is won in time counts as cut off
    for win_at in (4, 5):
        _, _, told = play(SimpleMPE(win_at=win_at), win_at)
        assert told[-1].terminated.all()
        assert not told[-1].truncated.any()


def test_a_shorter_horizon_cuts_and_a_longer_one_does_not_outlive_the_world():
    # fails if `env.horizon` is ignored, or makes a true end of the world's own limit
    env, _, told = play(SimpleMPE(), 2, horizon=2)
    assert told[1].truncated.all()
    assert multi_agent_env(SimpleMPE(), "raid", {}, WorldChoices(50)).spec.horizon == env.spec.horizon + 3


def test_a_shaped_reward_is_added_and_the_real_one_counted():
    # fails if the shaped reward reaches learners unasked, or hides the return
    _, _, told = play(SimpleMPE(), 1, shaped=0.5)
    np.testing.assert_array_equal(told[0].reward[0], [2, 3])
    np.testing.assert_array_equal(told[0].counts["unshaped"], [1, 1])


@pytest.fixture
def package(monkeypatch):
    """A package of JaxMARL's shape that holds one world."""

    def make(name, **options):
        return SimpleMPE(**options)

    registration = SimpleNamespace(registered_envs=["raid", "hopper_3x1"])
    monkeypatch.setitem(sys.modules, "jaxmarl", SimpleNamespace(make=make))
    monkeypatch.setitem(sys.modules, "jaxmarl.registration", registration)


@pytest.mark.usefixtures("package")
def test_a_world_trains_by_its_name(tmp_path):
    # fails if the prefix is unknown, an option does not reach the world, or its state cannot be saved
    settings = ["agent=feed_forward", "agent.hidden=4", "experience.capacity=4", "experience.batch_size=2"]
    options = {"seeds": "1", "steps": "40", "envs": "2", "eval_episodes": "2"}
    config = Config.parse("iql", "jaxmarl:raid", [*settings, "env.max_steps=4"], options)
    folder = run.train_run(config, tmp_path / "run", quiet=True).folder
    summary = folder.read_json(folder.summary)
    assert summary["status"] == "finished"
    assert summary["eval"]["length"] == 4


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("raids", {}, "JaxMARL has no world 'raids': choose from raid"),
        ("raid/3m", {}, "only SMAX, .* take a name after the slash"),
        ("raid", {"speed": 3}, "does not accept these options: .*'speed'"),
        ("raid", {"max_steps": 0}, "set env.horizon=500"),
        ("raid", {"team": ["a"]}, "is for 1 agents, but jaxmarl:raid has 2"),
        ("raid", {"shaped": 1.0, "max_steps": 0}, "horizon"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(name, options, sentence):
    # fails if a user's mistake ends in a traceback
    with pytest.raises(UserError, match=sentence):
        make_environment(f"jaxmarl:{name}", options)


def test_without_the_package_the_remedy_is_named(monkeypatch):
    # fails if the sentence does not say what to install
    monkeypatch.setitem(sys.modules, "jaxmarl", None)
    with pytest.raises(UserError, match=r"pip install 'covey\[jaxmarl\]'"):
        make_environment("jaxmarl:SMAX/3m")


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["SMAX/3m", "SMAX/smacv2_5_units"])
def test_smax_is_what_jaxmarl_steps(name):
    # fails if observations, state, masks, rewards, wins or ends differ from JaxMARL's own `step_env`
    pytest.importorskip("jaxmarl")
    env, _ = make_environment(f"jaxmarl:{name}")
    world = env.one.world
    keys = jr.split(jr.key(1), 4)
    stack = lambda by_name: np.stack([by_name[agent] for agent in world.agents], axis=1)
    state, ours = env.reset(jr.key(1), 4)
    seen, theirs = jax.vmap(world.reset)(jr.key_data(keys))
    step_ours = jax.jit(env.step)
    step_theirs = jax.jit(jax.vmap(world.step_env))
    open_games = np.ones(4, bool)
    for t in range(env.spec.horizon):
        np.testing.assert_array_equal(
            ours.agents[open_games], (stack(seen) * np.asarray(ours.alive)[..., None])[open_games]
        )
        np.testing.assert_array_equal(ours.state[open_games], seen["world_state"][open_games])
        masks = stack(jax.vmap(world.get_avail_actions)(theirs))
        np.testing.assert_array_equal(ours.legal[open_games], masks[open_games] > 0)
        action = jr.categorical(jr.key(t), jnp.where(ours.legal, 0.0, -jnp.inf))
        # attack where one can, so that battles end
        action = jnp.where(ours.legal[..., 5:].any(-1), 5 + jnp.argmax(ours.legal[..., 5:], -1), action)
        state, told = step_ours(state, action.astype(jnp.int8), jr.key(t))
        acts = {agent: action[:, i].astype(jnp.int32) for i, agent in enumerate(world.agents)}
        seen, theirs, reward, done, _ = step_theirs(jr.key_data(jr.split(jr.key(t), 4)), theirs, acts)
        ours = told.obs
        np.testing.assert_array_equal(told.reward[open_games], stack(reward)[open_games])
        np.testing.assert_array_equal(told.terminated[open_games], done["__all__"][open_games])
        won = (stack(reward)[:, 0] >= 1.0) & np.asarray(done["__all__"])
        np.testing.assert_array_equal(told.counts["won"][open_games] > 0, won[open_games])
        open_games &= ~np.asarray(done["__all__"])
    assert np.asarray(told.truncated)[open_games].all()
    assert (~open_games).any()


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name",
    [
        *(
            "MPE_simple_spread_v3",
            "MPE_simple_tag_v3",
            "MPE_simple_world_comm_v3",
            "SMAX",
            "hanabi",
            "jaxnav",
        ),
        *("SMAX", "storm", "storm_2p", "storm_np", "coin_game", "switch_riddle"),
        *("overcooked/cramped_room", "overcooked_v2/cramped_room"),
    ],
)
def test_jaxmarls_worlds_keep_the_protocol(name):
    # fails if a world's shapes, types, masks or ends are not what the adapter takes them for
    pytest.importorskip("jaxmarl")
    from covey.testing import environments

    env, _ = make_environment(f"jaxmarl:{name}")
    environments._check_spec(env.spec)
    environments._check_shapes(env, 3)
    environments._check_episodes(env, 2, env.spec.horizon)
