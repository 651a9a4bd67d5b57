"""Movement: steps in the game's units, walking into range, ground, crowds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from battles import ends, make_field, make_forces, make_orders, play, play_pairs, points, reach

from covey.environments.skirmish.maps import find_map
from covey.environments.skirmish.skirmish import Skirmish

DIRECTIONS = {"north": (0, 1), "south": (0, -1), "east": (1, 0), "west": (-1, 0)}


def test_a_step_in_each_direction():
    # Would break: the clock (8 loops of 1/16 s), a speed, a direction.
    walkers = ["marine", "stalker", "baneling", "zealot"]
    field = make_field(walkers, ["marine"])
    lengths = np.array([1.125, 2.953 / 2, 1.25, 1.125])
    places = np.array([[4, 16], [10, 16], [16, 16], [22, 16], [16, 28]])
    for way in DIRECTIONS.values():
        told = play(field, make_forces(field, places), make_orders(field, None, [way] * 4 + [(0, 0)]), 8)
        moved = ends(told) - places
        np.testing.assert_allclose(moved[:4], lengths[:, None] * np.array(way), atol=1e-5)
        np.testing.assert_allclose(moved[4], 0, atol=1e-6)


def test_where_a_weapon_begins_to_hit():
    # Would break: ranges from edge to edge; an attack at 6.0 that is not walked to; an order beyond 6 that is
    # refused by the battle (the rules of legal actions are elsewhere).
    cases = [
        ("marine", "marine", 5.75, True),
        ("marine", "marine", 5.75 + 0.01, False),
        ("stalker", "zealot", 7.125, True),
        ("stalker", "zealot", 7.125 + 0.01, False),
        ("zealot", "zealot", 1.1, True),
        ("zealot", "zealot", 1.1 + 0.01, False),
        ("zealot", "zergling", 0.975, True),
        ("zealot", "zergling", 0.975 + 0.01, False),
        ("colossus", "zergling", 8.375, True),
        ("colossus", "zergling", 8.375 + 0.01, False),
    ]
    pairs = [(a, b) for a, b, _, _ in cases]
    told = play_pairs(pairs, [distance - 1e-4 for _, _, distance, _ in cases], 12)
    stood = told.pos[1, 0, 0] == told.pos[0, 0, 0]
    np.testing.assert_array_equal(stood, [hits for *_, hits in cases])
    assert (points(told)[-1, 1] < points(told)[0, 1]).all()
    for a, b, distance, hits in cases:
        assert reach(a, b) == pytest.approx(distance - 0.01 * (not hits))


def test_a_marine_that_is_ordered_at_six_walks_two_loops():
    # Would break: one who shoots from 6.0, or walks further than into range.
    told = play_pairs([("marine", "marine")], [6.0], 12)
    walked = told.pos[:, 0, 0, 0] - 8.0
    np.testing.assert_allclose(walked[:5], np.array([0, 1, 2, 2, 2]) * 2.25 / 16, atol=1e-5)
    lost = points(told)[:, 1, 0]
    assert int(np.argmax(lost < 45)) == 1 + 2 + 1  # two loops of walking, one of wind-up, after index 0


GROUND = ["3m", "6h_vs_8z", "corridor", "so_many_baneling", "2c_vs_64zg"]


@pytest.mark.slow
@pytest.mark.parametrize("name", GROUND)
def test_nobody_leaves_the_ground(name):
    # Would break: units that are pushed, or walk, into other cells.
    env = Skirmish(name)
    told = random_play(env, 12)
    terrain = find_map(name).terrain
    cell = np.floor(told.pos).astype(int)
    assert np.isfinite(told.pos).all()
    assert (cell >= 0).all()
    assert (cell < 32).all()
    above = env.field.roster.fixed("above")
    for cells, who in ((terrain.walkable, ~above), (terrain.walkable | terrain.cliffs, above)):
        assert cells[cell[:, who, 0], cell[:, who, 1]].all()


def random_play(env, steps, copies=2):
    """Return the forces after each step of random legal play."""
    state, obs = env.reset(jax.random.key(0), copies)

    def tick(carry, key):
        state, legal = carry
        chosen = jax.random.gumbel(key, legal.shape) + jnp.where(legal, 0.0, -jnp.inf)
        state, step = env.step(state, jnp.argmax(chosen, axis=-1), key)
        return (state, step.obs.legal), state.forces

    keys = jax.random.split(jax.random.key(1), steps)
    _, told = jax.jit(lambda: jax.lax.scan(tick, (state, obs.legal), keys))()
    return jax.tree.map(np.asarray, told)


def test_units_at_one_place_part():
    # Would break: a division by the distance of two units at one place.
    field = make_field(["marine", "zealot"], ["marine", "colossus", "medivac"], reacting=True)
    forces = make_forces(field, [[16, 16]] * 5)
    told = play(field, forces, make_orders(field), 16)
    assert np.isfinite(told.x).all()
    assert np.isfinite(told.health).all()
    ground = ends(told)[[0, 1, 2]]
    apart = np.linalg.norm(ground[:, None] - ground[None], axis=-1)[np.triu_indices(3, 1)]
    assert (apart > 0.7).all()
