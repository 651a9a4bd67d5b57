"""dispersion and navigation: by hand, and beside VMAS from VMAS's own state at each step."""

import importlib
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.environments.particles import vmas_physics
from covey.environments.particles.dispersion import Dispersion, DispersionState
from covey.environments.particles.navigation import Navigation, NavigationState
from covey.errors import UserError

KEY = jr.key(0)


def column(*places):
    return jnp.array(places, jnp.float32)[..., None]


def meal(pos, food, eaten=None, **settings):
    """Return a dispersion, and the step in which its agents stand still at `pos`."""
    env = Dispersion(len(pos), len(food), **settings)
    eaten = jnp.zeros((len(food), 1), bool) if eaten is None else jnp.array(eaten)[:, None]
    state = DispersionState(
        column(*pos), jnp.zeros((len(pos), 2, 1)), column(*food), eaten, jnp.zeros(1, int)
    )
    return jax.jit(env.step)(state, jnp.zeros((1, len(pos)), jnp.int8), KEY)


def test_food_is_shared_by_those_who_reach_it_at_once_and_taken_once():
    # Would break: the whole piece to each of two eaters, a piece eaten twice, a radius without the agent's.
    pos = [[0.0, 0.0], [0.05, 0.0], [0.5, 0.5]]
    food = [[0.02, 0.0], [0.5, 0.42], [0.0, -0.08], [0.9, 0.9]]
    state, step = meal(pos, food)
    np.testing.assert_allclose(step.reward, [[1.5, 0.5, 1.0]])
    np.testing.assert_allclose(step.team_reward, [[1.0]])
    assert step.counts["eaten"].tolist() == [3]
    assert state.eaten[:, 0].tolist() == [True, True, True, False]
    _, step = meal(pos, food, [True, True, True, False])
    assert not step.reward.any()
    assert not step.terminated.any()
    _, step = meal([*pos[:2], [0.9, 0.9]], food, [True, True, True, False])
    assert step.reward.tolist() == [[0, 0, 1]]
    assert step.terminated.all()


def test_food_for_all_and_a_cost_of_time():
    # Would break: the reward of the first eater alone, or a cost to those who ate.
    pos = [[0.0, 0.0], [0.5, 0.5]]
    food = [[0.02, 0.0], [-0.02, 0.0], [0.9, 0.9]]
    assert meal(pos, food, share_reward=True)[1].reward.tolist() == [[2, 2]]
    paid = meal(pos, food, penalise_by_time=True)[1].reward
    np.testing.assert_allclose(paid, [[2, -0.01]], rtol=1e-6)


@pytest.mark.parametrize("continuous", [False, True], ids=["discrete", "continuous"])
def test_one_agent_for_each_piece_takes_all_within_27_steps(continuous):
    # Would break: the optimum that the documentation states, or the speed of agents.
    env = Dispersion(4, continuous=continuous)

    def act(obs):
        to_food = obs.agents[:, :, 4:].reshape(-1, 4, 4, 3)[:, jnp.arange(4), jnp.arange(4), :2]
        if continuous:
            return jnp.clip(20 * to_food - 10 * obs.agents[:, :, 2:4] * 0.3, -1, 1)
        side = jnp.where(to_food > 0.03, 2, jnp.where(to_food < -0.03, 1, 0))
        return (3 * side[..., 0] + side[..., 1]).astype(jnp.int8)

    def tick(carry, _):
        state, obs, total = carry
        state, step = env.step(state, act(obs), KEY)
        return (state, step.obs, total + step.team_reward[:, 0]), step.terminated

    state, obs = env.reset(KEY, 512)
    (_, _, total), over = jax.jit(lambda *begin: jax.lax.scan(tick, (*begin, jnp.zeros(512)), None, 27))(
        state, obs
    )
    np.testing.assert_allclose(total, 1.0, rtol=1e-6)
    assert over[-1].all()


def test_progress_adds_up_to_the_way_and_a_bump_costs_both():
    # Would break: progress measured from another step, the sum paid to one agent, a fine for one of two.
    goals = column([0.5, 0.0], [0.0, 0.0], [0.9, -0.9])
    pos = column([0.0, 0.0], [0.204, 0.0], [-0.9, 0.9])
    state = NavigationState(pos, jnp.zeros_like(pos), goals, jnp.zeros(1, int))
    action = jnp.array([[0, 0, 7]])  # the third drives right and down
    for share in (True, False):
        env = Navigation(3, share_reward=share)
        after, step = jax.jit(env.step)(state, action, KEY)
        # Two substeps of .05 from rest, along each axis at a speed of .05, then .1.
        np.testing.assert_allclose(after.pos[2, :, 0], [-0.9 + 0.0075, 0.9 - 0.0075], rtol=1e-5)
        progress = 1.8 * 2**0.5 - (1.8 - 0.0075) * 2**0.5
        expected = progress + np.array([-1, -1, 0]) if share else np.array([-1, -1, progress])
        np.testing.assert_allclose(step.reward[0], expected, atol=1e-5)
        assert step.counts["collisions"].tolist() == [1]


def test_beams_end_at_the_near_side_of_others():
    # Would break: beams counted from the wrong axis or the other way round, a body behind that stops a beam.
    pos = column([0.0, 0.0], [0.0, 0.3], [-0.25, 0.0], [0.9, 0.9])
    lengths = vmas_physics.beam_lengths(pos, 4, 0.35, 0.1)[:, :, 0]
    np.testing.assert_allclose(lengths[0], [0.35, 0.2, 0.15, 0.35], atol=1e-6)
    np.testing.assert_allclose(lengths[2], [0.15, 0.35, 0.35, 0.35], atol=1e-6)
    np.testing.assert_allclose(lengths[3], 0.35)


def test_agents_and_goals_begin_apart():
    # Would break: a place kept although it is too near, or all copies drawn anew because one is.
    env = Navigation(8)
    state, _ = jax.jit(lambda key: env.reset(key, 256))(KEY)
    places = np.concatenate([state.pos, state.goals])
    gaps = np.linalg.norm(places[:, None] - places[None], axis=2) + 9 * np.eye(16)[..., None]
    assert gaps.min() >= 0.25
    assert np.abs(places).max() <= 1
    assert np.abs(places[0].mean(-1)).max() < 4.5 / np.sqrt(3 * 256)


def test_common_goals():
    # Would break: the second half at the first half's goal.
    assert Navigation(4, collisions=False, agents_with_same_goal=3).goal_of == (0, 0, 0, 3)
    assert Navigation(4, collisions=False, agents_with_same_goal=2, split_goals=True).goal_of == (0, 0, 1, 1)
    assert Navigation(3).goal_of == (0, 1, 2)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"agents_with_same_goal": 2}, r"agents_with_same_goal=2 .* collisions=False"),
        ({"agents_with_same_goal": 9, "collisions": False}, r"agents_with_same_goal=9 .* at most"),
        (
            {"collisions": False, "split_goals": True, "agents_with_same_goal": 3},
            r"split_goals .* half of `?agents",
        ),
    ],
)
def test_goals_that_no_team_can_have_are_refused(settings, sentence):
    # Would break: bodies that fight for one place, or a search for room that never ends.
    with pytest.raises(UserError, match=sentence):
        Navigation(**settings)


def original(scenario: str, n: int, continuous: bool, **settings: Any) -> Any:
    return importlib.import_module("vmas").make_env(
        scenario, n, "cpu", continuous_actions=continuous, seed=0, **settings
    )


def positions(things: Any, what: str = "pos") -> jax.Array:
    return jnp.stack([jnp.asarray(getattr(x.state, what).numpy()).T for x in things])


def crowd(theirs: Any, scenario: str, rng: np.random.Generator) -> None:
    """Put all agents into the middle of the field."""
    import torch

    for agent in theirs.world.agents:
        pos = torch.tensor(rng.uniform(-0.3, 0.3, agent.state.pos.shape), dtype=torch.float32)
        agent.set_pos(pos, None)
        if scenario == "navigation":
            agent.pos_shaping = torch.linalg.vector_norm(pos - agent.goal.state.pos, dim=1)


def almost_touching(pos: Any) -> np.ndarray:
    """Return the copies with a gap that VMAS counts as a collision only while other copies overlap."""
    gaps = np.linalg.norm(np.asarray(pos)[:, None] - np.asarray(pos)[None], axis=2) - 0.2
    return ((gaps > 0) & (gaps < 0.006)).any((0, 1))


PARITY = {
    "dispersion": ("dispersion", Dispersion(4, 6), {"n_agents": 4, "n_food": 6}),
    "dispersion, shared": (
        "dispersion",
        Dispersion(3, 3, share_reward=True, penalise_by_time=True),
        {"n_agents": 3, "share_reward": True, "penalise_by_time": True},
    ),
    "dispersion, continuous": ("dispersion", Dispersion(4, continuous=True), {}),
    "navigation": ("navigation", Navigation(4), {}),
    "navigation, continuous": (
        "navigation",
        Navigation(5, continuous=True, share_reward=False, observe_all_goals=True),
        {"n_agents": 5, "shared_rew": False, "observe_all_goals": True},
    ),
    "navigation, one goal": (
        "navigation",
        Navigation(4, collisions=False, agents_with_same_goal=2, split_goals=True),
        {"collisions": False, "agents_with_same_goal": 2, "split_goals": True},
    ),
}


@pytest.mark.nightly
@pytest.mark.parametrize("name", PARITY)
def test_each_step_equals_vmas(name):
    # Would break: any difference in physics, reward, observation or end; needs VMAS, `pip install vmas`.
    pytest.importorskip("vmas")
    torch = pytest.importorskip("torch")
    scenario, env, settings = PARITY[name]
    n = 64
    theirs = original(scenario, n, bool(env.spec.bounds), **settings)
    agents = theirs.world.agents
    rng = np.random.default_rng(0)
    step_ours = jax.jit(env.step)
    bumps = 0.0
    unsure = 0
    bodies = scenario == "navigation" and env.collisions
    for t in range(60):
        if t % 10 == 5:
            crowd(theirs, scenario, rng)
        clock = jnp.zeros(n, int)
        if scenario == "dispersion":
            food = theirs.world.landmarks
            eaten = jnp.stack([jnp.asarray(x.eaten.numpy()) for x in food])
            state = DispersionState(
                positions(agents), positions(agents, "vel"), positions(food), eaten, clock
            )
        else:
            goals = positions([agent.goal for agent in agents])
            state = NavigationState(positions(agents), positions(agents, "vel"), goals, clock)
        shape = (n, *env.spec.action_shape)
        action = rng.uniform(-1, 1, shape) if env.spec.bounds else rng.integers(0, 9, shape)
        action = action.astype(np.float32 if env.spec.bounds else np.int64)
        after, step = step_ours(state, jnp.asarray(action.astype(env.spec.action_type)), KEY)
        rows = [torch.tensor(action[:, i]).reshape(n, -1) for i in range(len(agents))]
        seen, reward, over, _ = theirs.step(rows)
        close = lambda x, y: np.testing.assert_allclose(x, y, atol=2e-5)
        close(after.pos, positions(agents))
        close(after.vel, positions(agents, "vel"))
        close(step.obs.agents, np.stack([x.numpy() for x in seen], axis=1))
        paid = np.stack([x.numpy() for x in reward], axis=1)
        sure = np.abs(np.asarray(step.reward) - paid).max(1) < 1e-4
        unsure += (~sure & ~(almost_touching(after.pos) & bodies)).sum()
        bumps += float(jnp.sum(step.counts["collisions"])) if scenario == "navigation" else 0
        if scenario == "dispersion":
            now_eaten = np.stack([x.eaten.numpy() for x in food])
            np.testing.assert_array_equal(after.eaten[:, sure], now_eaten[:, sure])
        np.testing.assert_array_equal(np.asarray(step.terminated)[sure], over.numpy()[sure])
    assert unsure < 0.005 * 60 * n  # distances within rounding of a threshold
    assert bumps > 0 or not bodies
