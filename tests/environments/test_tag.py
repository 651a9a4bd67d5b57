"""Tag beside the original, mpe2's simple_tag_v3, from the original's own state at each step."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from mpe2 import simple_tag_v3
from originals import assert_even, assert_same_steps, beginnings, by_team, chase, distances, record

from covey.environments.particles.chase import ChaseState, boundary_cost
from covey.environments.particles.tag import Tag

FIELDS = [1, 0.2, 0.4, 1.3, 2.5] * 3  # as they begin, crowds, at the edge, beyond it


def original(adversaries, prey, obstacles, **options):
    counts = {"num_adversaries": adversaries, "num_good": prey, "num_obstacles": obstacles}
    return simple_tag_v3.parallel_env(**counts, **options)


def assert_eventful(told, adversaries, obstacles, faster):
    """Everything that can happen does: contacts, obstacles in the way, top speed, each part of `bound`."""
    pos, prey = told.before["pos"], told.after["pos"][adversaries:]
    apart = distances(pos, pos)
    assert (distances(told.after["pos"][:adversaries], prey) < 0.125).any((0, 1)).sum() > 20
    assert ((apart < 0.1) & (apart > 0)).any((0, 1)).sum() > 20  # whoever they are, they push
    assert not obstacles or (distances(pos, told.before["obstacles"]) < 0.25).any((0, 1)).sum() > 20
    speed = np.linalg.norm(told.after["vel"], axis=1)
    for fast, top in ((speed[:adversaries], 1.0), (speed[adversaries:], 1.3)):
        assert fast.max() < top + 1e-9
        assert (fast > top - 1e-9).sum() > faster
    for low, high in ((0.9, 1.0), (1.0, 2.15), (2.16, np.inf)):  # from 2.15 on nothing costs more
        assert ((np.abs(prey) > low) & (np.abs(prey) < high)).sum() > 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("counts", "continuous"),
    [((3, 1, 2), False), ((3, 1, 2), True), ((2, 3, 1), False), ((2, 3, 1), True), ((4, 2, 0), False)],
)
def test_each_step_equals_the_original(counts, continuous):
    # Would break: any difference in physics, reward or observation; prey that pays for another's contacts.
    told = record(original(*counts, continuous_actions=continuous), chase, FIELDS)
    hunters, prey = np.split(told.after["pos"], [counts[0]])
    sure = (np.abs(distances(hunters, prey) - 0.125) > 1e-5).all((0, 1))
    env = Tag(*counts, continuous=continuous)
    assert env.spec.names == tuple(original(*counts).possible_agents)
    assert_same_steps(env, ChaseState, told, by_team(told.reward, counts[0]), sure)
    assert_eventful(told, counts[0], counts[2], faster=5)


def test_what_prey_pays_at_the_edge():
    # Would break: another slope, or a jump where one part of `bound` meets the next.
    x = jnp.array([0.0, 0.89, 0.95, 1.0, 1.5, 3.0])
    np.testing.assert_allclose(boundary_cost(x), [0, 0, 0.5, 1, np.e, 10], atol=1e-6)


def test_what_is_seen_is_in_the_original_s_order():
    # Would break: another order or sign, whatever the physics; prey that sees its own speed twice.
    pos = np.array([[0.0, 0.0], [0.5, 0.5], [-0.5, 0.5]])
    vel, obstacle = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]), np.array([[0.9, -0.9]])
    env = Tag(adversaries=1, prey=2, obstacles=1)
    state = ChaseState(
        *(jnp.asarray(x, jnp.float32)[..., None] for x in (pos, vel, obstacle)), jnp.zeros(1, int)
    )
    _, step = jax.jit(env.step)(state, jnp.zeros((1, 3), jnp.int8), jr.key(0))
    pos, vel = pos + 0.1 * vel, 0.75 * vel
    fast = [[*vel[1], *vel[2]], [*vel[2], 0, 0], [*vel[1], 0, 0]]
    for i in range(3):
        others = np.delete(pos, i, axis=0) - pos[i]
        seen = [*vel[i], *pos[i], *(obstacle[0] - pos[i]), *others.ravel(), *fast[i]]
        np.testing.assert_allclose(step.obs.agents[0, i], seen, atol=1e-5)


def test_captures_count_contacts():
    # Would break: a count of adversaries, or of prey, instead of pairs.
    pos = jnp.array([[0.0, 0.0], [0.1, 0.0], [0.05, 0.05], [0.9, 0.9]])[..., None]
    state = ChaseState(pos, jnp.zeros_like(pos), jnp.zeros((0, 2, 1)), jnp.zeros(1, int))
    _, step = jax.jit(Tag(2, 2, 0).step)(state, jnp.zeros((1, 4), jnp.int8), jr.key(0))
    assert step.counts["captures"].item() == 2
    np.testing.assert_allclose(step.reward[0], [20, 20, -20, 0], atol=1e-5)


def test_episodes_start_as_in_the_original():
    # Would break: obstacles that begin anywhere, as agents do; copies that begin alike.
    state, obs = Tag(1, 1, 2).reset(jr.key(0), 20_000)
    for begun in (vars(state), beginnings(original(1, 1, 2), chase, 2_000)):
        assert_even(begun["pos"])
        assert_even(begun["obstacles"], 0.9)
        assert not begun["vel"].any()
    assert obs.first.all()
