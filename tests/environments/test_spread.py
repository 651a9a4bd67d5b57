"""Spread beside the original, mpe2's simple_spread_v3, from the original's own state at each step."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from mpe2 import simple_spread_v3

from covey.environments.particles.spread import Spread, State
from covey.errors import UserError

STEPS = 25


def state_of(original):
    """The original's state as ours."""
    entity = lambda things, what: np.array([getattr(x.state, what) for x in things])[..., None]
    world = original.world
    pos, vel = entity(world.agents, "p_pos"), entity(world.agents, "p_vel")
    return pos, vel, entity(world.landmarks, "p_pos"), np.array([original.steps])


def record(agents, continuous, episodes):
    """Every step of the original: its state, what was done, what it then shows and pays."""
    parallel = simple_spread_v3.parallel_env(N=agents, continuous_actions=continuous, max_cycles=STEPS)
    original, rng, rows, ends = parallel.unwrapped, np.random.default_rng(0), [], []
    for episode in range(episodes):
        parallel.reset(seed=episode)
        if episode % 2:  # crowded: contact in every step
            for agent in original.world.agents:
                agent.state.p_pos *= 0.2
        for _ in range(STEPS):
            before = state_of(original)
            size = (agents, 5) if continuous else agents
            parts = np.float32(rng.integers(0, 257, size) / 256)  # so that float32 subtracts them exactly
            action = parts if continuous else rng.integers(0, 5, size)
            names = original.possible_agents
            _, reward, ended, cut, _ = parallel.step(dict(zip(names, action, strict=True)))
            seen = [original.scenario.observation(agent, original.world) for agent in original.world.agents]
            rows.append((before, action, np.array(seen), np.array([reward[name] for name in names])))
            ends.append((any(ended.values()), all(cut.values())))
    before, action, seen, reward = zip(*rows, strict=True)
    before = tuple(np.concatenate(parts, axis=-1) for parts in zip(*before, strict=True))
    return before, np.array(action), np.array(seen), np.array(reward), np.array(ends)


def near_threshold(seen, agents):
    """Rows in which some pair is within 1e-5 of touching, where a bump is a matter of rounding."""
    pos = seen[..., 2:4]
    apart = np.linalg.norm(pos[:, :, None] - pos[:, None], axis=-1)
    return (np.abs(apart - 0.3) < 1e-5).any((1, 2))


@pytest.mark.parametrize(("agents", "episodes"), [(3, 20), (2, 4), (5, 4)])
@pytest.mark.parametrize("continuous", [False, True], ids=["discrete", "continuous"])
def test_each_step_is_the_original_s(agents, episodes, continuous):
    # Would break: any departure in physics, reward or what is seen; a constant in single precision.
    before, action, seen, reward, ends = record(agents, continuous, episodes)
    env = Spread(agents, continuous=continuous)
    for precision, tolerance in ((jnp.float64, 1e-9), (jnp.float32, 1e-5)):
        with jax.enable_x64(precision == jnp.float64):
            state = State(*(jnp.asarray(x, precision) for x in before[:3]), jnp.asarray(before[3], int))
            action_ = jnp.asarray(action, precision) if continuous else jnp.asarray(action, jnp.int8)
            step = jax.jit(env.step)(state, action_, jr.key(0))[1]
            assert step.obs.agents.dtype == step.reward.dtype == precision
            np.testing.assert_allclose(step.obs.agents, seen, rtol=tolerance, atol=tolerance)
            sure = ~near_threshold(seen, agents) if precision == jnp.float32 else np.ones(len(seen), bool)
            np.testing.assert_allclose(step.reward[sure], reward[sure], rtol=tolerance, atol=tolerance)
            np.testing.assert_allclose(
                step.team_reward[sure, 0], reward[sure].mean(1), rtol=tolerance, atol=tolerance
            )
    assert (reward % 1 != 0).any()
    np.testing.assert_array_equal(step.terminated, ends[:, 0])
    np.testing.assert_array_equal(step.truncated, ends[:, 1])
    np.testing.assert_array_equal(np.flatnonzero(step.truncated) % STEPS, STEPS - 1)
    assert not step.terminated.any()


def test_what_an_agent_sees_is_in_the_original_s_order():
    # Would break: another order or sign, whatever the physics; said without the original.
    pos, vel = np.array([[0.1, 0.2], [0.3, -0.4]]), np.array([[1.0, 2.0], [3.0, 4.0]])
    goal = np.array([[0.5, 0.5], [-0.5, 0.0], [0.0, 1.0]])
    env = Spread(agents=2, landmarks=3)
    state = State(*(jnp.asarray(x, jnp.float32)[..., None] for x in (pos, vel, goal)), jnp.zeros(1, int))
    _, step = env.step(state, jnp.zeros((1, 2), jnp.int8), jr.key(0))
    pos, vel = pos + 0.1 * vel, 0.75 * vel
    for i in range(2):
        parts = [vel[i], pos[i], (goal - pos[i]).ravel(), pos[1 - i] - pos[i], [0, 0]]
        np.testing.assert_allclose(step.obs.agents[0, i], np.concatenate(parts), atol=1e-6)
    assert env.spec.features == 14
    assert env.spec.world == 28


def test_episodes_begin_uniformly_and_at_rest():
    # Would break: another range, copies that begin alike, agents that begin where landmarks do.
    n = 20_000
    state, obs = Spread(agents=2, landmarks=1).reset(jr.key(0), n)
    assert not state.vel.any()
    assert obs.first.all()
    places = np.concatenate([state.pos.reshape(-1, n), state.goal.reshape(-1, n)])
    even = np.linspace(-1, 1, n)
    for row in places:  # Kolmogorov-Smirnov, at odds of one in a thousand
        assert np.abs(np.sort(row) - even).max() / 2 < 1.95 / np.sqrt(n)
    correlation = np.corrcoef(places)
    assert np.abs(correlation - np.eye(len(places))).max() < 0.03


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"agents": 0}, r"env\.agents=0 .* 1 or more"),
        ({"landmarks": 0}, r"env\.landmarks=0 .* 1 or more"),
        ({"horizon": 0}, r"env\.horizon=0 .* 1 or more"),
        ({"local_ratio": 1.5}, r"env\.local_ratio=1\.5 .* 0 to 1"),
    ],
)
def test_settings_out_of_range_are_refused(settings, sentence):
    # Would break: an error from inside JAX, or a reward with the sign turned round.
    with pytest.raises(UserError, match=sentence):
        Spread(**settings)
