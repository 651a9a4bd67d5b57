import sys
from types import SimpleNamespace
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.config.making import make_environment
from covey.environments.adapters.choices import WorldChoices
from covey.environments.adapters.jumanji_copy import connectors_grid, jumanji_environment
from covey.errors import UserError
from covey.testing import check_environment


class Shown(NamedTuple):
    """An observation as Jumanji's worlds give it."""

    agents_view: jax.Array  # [agents, 2]
    grid: jax.Array  # [2, 2], nobody's own although there are two agents
    action_mask: jax.Array
    step_count: jax.Array


class TimeStep(eqx.Module):
    reward: jax.Array
    discount: jax.Array
    observation: Shown
    is_last: jax.Array
    extras: dict

    def last(self):
        return self.is_last


class RandomGenerator:
    def __init__(self, start):
        self._start = start

    def __call__(self, key):
        return self._start + jr.uniform(key)


class Depot:
    """Two agents move along a line until the first is at `done_at`; a key is kept in the state."""

    action_spec = SimpleNamespace(
        shape=(2,), dtype=jnp.dtype(jnp.int32), num_values=np.array([3, 2]), maximum=np.array([2, 1])
    )
    observation_spec = discount_spec = None
    num_agents = 2

    def __init__(self, time_limit=4, done_at=99, generator=None):
        self.time_limit, self.done_at = time_limit, done_at
        self.generator = generator or RandomGenerator(0)

    def reset(self, key):
        state = {"at": jnp.stack([self.generator(key), 0.0]), "steps": 0, "key": key}
        return state, self.show(state, 0.0, False, 1.0)

    def show(self, state, reward, last, discount):
        view = jnp.stack([state["at"], state["at"] + 10], axis=1)
        mask = jnp.array([[True, True, False], [True, True, True]])
        shown = Shown(view, jnp.ones((2, 2), jnp.int8), mask, state["steps"])
        extras = {"moved": state["at"][0], "by_agent": state["at"]}
        return TimeStep(jnp.asarray(reward), jnp.asarray(discount), shown, jnp.asarray(last), extras)

    def step(self, state, action):
        state = {**state, "at": state["at"] + action, "steps": state["steps"] + 1}
        done = state["at"][0] >= self.done_at
        last = done | (state["steps"] >= self.time_limit)
        return state, self.show(state, jnp.float32(action), last, jnp.where(last, jnp.zeros(2), 1.0))


class Connector(Depot):
    """A world whose class has the name of one that tells truncation by its discount."""

    def step(self, state, action):
        state, shown = super().step(state, action)
        done = state["at"][0] >= self.done_at
        return state, eqx.tree_at(lambda s: s.discount, shown, jnp.where(done, jnp.zeros(2), jnp.ones(2)))


def play(world, steps, **options):
    env = jumanji_environment(world, "depot", {}, WorldChoices(**options))
    state, first = env.reset(jr.key(0), 2)
    step = jax.jit(env.step)
    told = []
    for t in range(steps):
        state, outcome = step(state, jnp.array([[1, 1], [1, 0]], jnp.int8), jr.key(t))
        told.append(outcome)
    return env, first, told


def test_a_world_keeps_the_protocol():
    # fails if shapes, types or ends are not as the protocol says
    check_environment(jumanji_environment(Depot(), "depot", {}, WorldChoices()))


def test_rows_masks_and_the_state():
    # fails if an agent sees another's row, a map is cut into rows, a mask is ignored, or the clock is raw
    env, first, told = play(Depot(), 1)
    assert (env.spec.features, env.spec.actions, env.spec.state, env.spec.horizon) == (7, 3, 9, 4)
    np.testing.assert_array_equal(first.agents[0, 1], [0, 10, 1, 1, 1, 1, 0])
    np.testing.assert_array_equal(first.legal[0], [[1, 1, 0], [1, 1, 0]])
    np.testing.assert_array_equal(told[0].obs.agents[:, :, -1], np.full((2, 2), 0.25))
    np.testing.assert_array_equal(told[0].reward, [[1, 1], [1, 0]])


@pytest.mark.parametrize("kind", [Depot, Connector])
def test_a_time_limit_is_a_truncation_and_an_end_is_not(kind):
    # fails if values do not bootstrap at the limit, or do at a true end
    _, _, told = play(kind(), 4)
    assert told[3].truncated.all()
    assert not told[3].terminated.any()
    np.testing.assert_allclose(told[3].counts["moved"], told[3].obs.agents[:, 0, 0])
    assert not told[2].counts["moved"].any()
    _, _, told = play(kind(done_at=2), 2)
    assert told[1].terminated.all()
    assert not told[1].truncated.any()


def test_an_end_at_the_limit_is_true_where_the_world_tells_it():
    # fails if a world's own word is not taken where it has one
    _, _, told = play(Connector(done_at=4), 4)
    assert told[3].terminated.all()
    _, _, told = play(Depot(done_at=4), 4)
    assert told[3].truncated.all()


@pytest.fixture
def package(monkeypatch):
    def make(name, **options):
        return Depot(**options)

    names = {"Depot-v0", "Depot-v1", "Maze-v0"}
    module = SimpleNamespace(make=make, registered_environments=lambda: names)
    monkeypatch.setitem(sys.modules, "jumanji", module)


@pytest.mark.usefixtures("package")
def test_names_and_the_generators_options():
    # fails if a name without a version, or an option of the generator, is not understood
    env, _ = make_environment("jumanji:Depot", {"generator": {"start": 5}, "time_limit": 7})
    assert env.spec.horizon == 7
    assert env.reset(jr.key(0), 1)[1].agents[0, 0, 0] > 5
    with pytest.raises(UserError, match="Jumanji has no world 'Depto': choose from Depot-v0, Depot-v1"):
        make_environment("jumanji:Depto")
    with pytest.raises(UserError, match="does not accept these options"):
        make_environment("jumanji:Depot", {"generator": {"begin": 5}})


def test_each_agent_sees_connectors_grid_as_its_own():
    # fails if an agent cannot tell its own path from another's
    grid = jnp.array([[0, 1, 2], [3, 4, 5], [6, 7, 8]])
    np.testing.assert_array_equal(connectors_grid(grid, 1, 3), [[0, 7, 8], [9, 1, 2], [3, 4, 5]])


def test_a_world_of_one_agent_with_several_choices_is_refused():
    # fails if the parts of one agent's action are taken for agents
    world = Depot()
    world.num_agents = None
    with pytest.raises(UserError, match="has one agent, which chooses several things at once"):
        jumanji_environment(world, "depot", {}, WorldChoices())


def test_without_the_package_the_remedy_is_named(monkeypatch):
    # fails if the sentence does not say what to install
    monkeypatch.setitem(sys.modules, "jumanji", None)
    with pytest.raises(UserError, match=r"pip install 'covey\[jumanji\]'"):
        make_environment("jumanji:RobotWarehouse")


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name",
    ["LevelBasedForaging", "RobotWarehouse", "Connector", "Cleaner", "MMST", "Snake"],
)
def test_jumanjis_worlds_keep_the_protocol(name):
    # fails if a world's shapes, types, masks or ends are not what the adapter takes them for
    pytest.importorskip("jumanji")
    check_environment(make_environment(f"jumanji:{name}")[0])
