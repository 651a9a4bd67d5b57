"""Battles of one's own: teams, places, ground and orders."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from covey.config.making import make_environment
from covey.environments.skirmish.maps import find_terrain
from covey.environments.skirmish.skirmish import Skirmish
from covey.errors import UserError


def world(name="custom", **options):
    env, _ = make_environment(f"skirmish/{name}", options)
    assert isinstance(env, Skirmish)
    return env


def names(env):
    roster = env.field.roster
    return [roster.types[kind].name for kind in roster.kinds]


def places(env):
    return np.array(env.reset(jax.random.key(0), 1)[0].forces.pos[..., 0])


def test_custom_is_three_marines_against_three_until_told_otherwise():
    # Breaks where the battle without settings is another one than 3m, on a longer clock.
    env = world()
    plain = world("3m")
    assert (env.spec.features, env.spec.state, env.spec.actions) == (30, 48, 9)
    assert (places(env) == places(plain)).all()


def test_teams_with_several_types_tell_them_in_the_order_of_first_appearance():
    # Breaks where bits are counted for one side only, or a type has another bit on the other side.
    env = world(allies={"medivac": 1, "marine": 2}, enemies={"zealot": 2, "marine": 1})
    assert names(env) == ["medivac", "marine", "marine", "zealot", "zealot", "marine"]
    # 4 moves, 3 foes with shields, 2 friends without, itself
    assert env.spec.features == 4 + 3 * (4 + 2 + 3) + 2 * (4 + 1 + 3) + (1 + 3)
    _, obs = env.reset(jax.random.key(0), 1)
    own = obs.agents[0, :, -3:]
    np.testing.assert_array_equal(own, [[1, 0, 0], [0, 1, 0], [0, 1, 0]])
    foes = np.array(obs.state[0, 3 * 7 :][: 3 * 7]).reshape(3, 7)
    np.testing.assert_array_equal(foes[:, 4:], [[0, 0, 1], [0, 0, 1], [0, 1, 0]])
    assert world(allies={"marine": 2}, enemies={"zealot": 2}).spec.features == 4 + 2 * 6 + 5 + 1  # no bits


def test_groups_stand_where_they_are_put():
    # Breaks where x and y are exchanged, or a group goes to the map's own point.
    env = world(enemies=[["zealot", 1, 5, 20], ["zealot", 2, 28, 10]])
    np.testing.assert_allclose(places(env)[3], [5, 20], atol=0.1)
    assert (abs(places(env)[4:] - [28, 10]) < 1.1).all()
    assert (abs(places(world(allies={"stalker": 2}))[:2] - [9, 16]) < 1.5).all()


def test_a_part_of_any_map_can_be_replaced():
    # Breaks where a map forgets the rest of itself once a part is replaced.
    env = world("corridor", allies={"zealot": 9})
    assert env.horizon == 400
    assert env.field.terrain.gate is not None
    assert names(env).count("zealot") == 9
    drawn = world("terran_5_vs_5", allies={"marine": 4}, enemies={"marine": 4})
    assert drawn.field.roster.kinds is not None
    assert drawn.spec.agents == 4


def test_ground_by_name_rows_or_a_file_of_signs(tmp_path):
    # Breaks where the first row of a file is the lowest, or x and y are exchanged.
    assert world(terrain="octagon").field.terrain.rectangle is None
    rows = world(terrain=[[10, 20, 2, 30]]).field.terrain
    assert rows.rectangle == (2, 31, 10, 21)
    signs = ["#" * 32] * 8 + ["." * 20 + "+" * 12] + ["=" + "." * 31] * 15 + ["#" * 32] * 8
    (tmp_path / "ground.yaml").write_text("rows:\n" + "".join(f"  - '{row}'\n" for row in signs))
    ground = world(terrain=str(tmp_path / "ground.yaml")).field.terrain
    assert ground.walkable[5, 23]
    assert not ground.walkable[5, 24]
    assert ground.height[25, 23] == 1.0
    assert ground.height[5, 23] == 0.5
    assert ground.cliffs[0, 10]
    assert not ground.walkable[0, 10]
    assert (find_terrain("field").walkable[1:] == ground.walkable[1:]).all()


@pytest.mark.slow
def test_orders_of_ones_own():
    # Breaks where enemies keep the map's own order.
    env = world(order=[23, 20], allies={"marine": 1})
    state, _ = env.reset(jax.random.key(0), 1)
    state, _ = jax.jit(env.step)(state, jnp.ones((1, 1), int), jax.random.key(0))
    moved = np.array(state.forces.pos[1:, :, 0]) - places(env)[1:]
    assert (moved[:, 1] > 0.8).all()
    still = world(order="stand")
    state, _ = jax.jit(still.step)(
        still.reset(jax.random.key(0), 1)[0], jnp.ones((1, 3), int), jax.random.key(0)
    )
    np.testing.assert_allclose(state.forces.pos[3:, :, 0], places(still)[3:], atol=1e-3)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"allies": {"marin": 5}}, "env.allies names no unit of the table: 'marin'"),
        ({"allies": {"marine": 0}}, "env.allies asks for 0 of marine"),
        ({"allies": []}, "env.allies names no unit"),
        ({"enemies": [["marine", 3]]}, "unit, count, x, y"),
        ({"enemies": [["marine", 3, 40, 3]]}, "between 0 and 32"),
        ({"terrain": "fild"}, "env.terrain=fild is no terrain: set one of field"),
        ({"terrain": [[0, 40, 3, 4]]}, "numbers from 0 to 31"),
        ({"terrain": ["..."]}, "write 32 rows of 32 signs"),
        ({"terrain": [[0, 3, 0, 3]]}, "has no room for a marine near"),
        ({"order": "sit"}, "units or stand"),
        ({"order": [3]}, "env.order has the place"),
    ],
)
def test_mistakes_are_told_in_one_sentence(options, sentence):
    # Breaks where a mistake gives a traceback, or does not name the setting.
    with pytest.raises(UserError) as error:
        world(**options)
    assert sentence in str(error.value)


def test_a_drawn_side_needs_both():
    # Breaks where one side of SMACv2's scenarios is replaced and the other goes on being drawn, unsaid.
    with pytest.raises(UserError, match="terran_5_vs_5 draws it anew"):
        world("terran_5_vs_5", allies={"marine": 1})
