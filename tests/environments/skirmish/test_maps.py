"""SMAC's maps: sizes as papers and logs give them, sides, terrains; what is refused."""

import numpy as np
import pytest
from battles import flipped
from sizes import SIZES

from covey.config.catalogue import ENVIRONMENTS
from covey.environments.skirmish.maps import find_map, find_terrain, map_names
from covey.environments.skirmish.placing import place_units
from covey.environments.skirmish.rewards import max_reward
from covey.environments.skirmish.scenario import fixed_scenario
from covey.environments.skirmish.skirmish import Skirmish
from covey.environments.skirmish.units import read_units
from covey.errors import SettingError


def test_every_map_has_its_sizes():
    assert set(map_names()) == set(SIZES)
    listed = {name for name, entry in ENVIRONMENTS.items() if entry.fixed.get("map") in SIZES}
    assert listed == {f"skirmish/{name}" for name in SIZES}


@pytest.mark.parametrize("name", SIZES)
def test_sizes(name):
    # Would break: a unit more or less, a type that observations tell, a shield bit, a limit, a unit's health.
    env = Skirmish(name)
    roster = env.field.roster
    most = max_reward(env.view.ranks, roster.stats(roster.kinds[:, None]), 1)
    spec = env.spec
    found = (
        len(spec.names),
        roster.enemies,
        spec.horizon,
        spec.features,
        spec.state,
        spec.actions,
        float(most[0]),
    )
    assert found == SIZES[name]


def rows(terrain):
    """Return the first and the last walkable cell of each row."""
    return {
        y: (int(np.flatnonzero(row)[0]), int(np.flatnonzero(row)[-1]))
        for y, row in enumerate(terrain.walkable.T)
        if row.any()
    }


def test_terrains():
    # Would break: a row of cells that differs from SMAC's archives.
    assert rows(find_map("8m").terrain) == dict.fromkeys(range(8, 24), (0, 31))
    assert rows(find_map("3s_vs_5z").terrain) == dict.fromkeys(range(32), (0, 31))
    room = rows(find_map("6h_vs_8z").terrain)
    assert room == dict.fromkeys((8, 9, 18, 19), (10, 19)) | dict.fromkeys(range(10, 18), (8, 21))
    octagon = rows(find_map("bane_vs_bane").terrain)
    assert octagon[6] == octagon[25] == (10, 21)
    assert octagon[9] == octagon[22] == (8, 23)
    assert octagon[10] == octagon[21] == (6, 25)
    band = rows(find_map("so_many_baneling").terrain)
    assert [band[y] for y in (2, 7, 11, 15, 17, 21, 23, 27, 29)] == [
        (2, 7),
        (2, 11),
        (4, 15),
        (8, 19),
        (10, 19),
        (14, 25),
        (16, 29),
        (20, 29),
        (22, 29),
    ]
    cliff = find_map("2c_vs_64zg").terrain
    assert cliff.walkable[:4, 12:14].all()
    assert cliff.walkable[28:, 12:14].all()
    assert not cliff.walkable[4:28, 12:14].any()
    assert cliff.cliffs[4:28, 12:14].all()
    choke = find_map("corridor").terrain.walkable
    assert choke[12:14, 12:14].all()
    assert choke[:, 12:14].sum() <= 6  # no other way than the 2 × 2 block and its corners
    assert choke[2:12, 2:12].all()


@pytest.mark.parametrize("name", SIZES)
def test_units_stand_on_the_ground_and_apart(name):
    # Would break: a start in a wall, or inside another unit; allies out of SMAC's order by type, x, y.
    env = Skirmish(name)
    scenario = env.scenario
    roster = scenario.roster
    cell = np.floor(scenario.places).astype(int)
    flies = roster.fixed("flies")
    assert (env.field.terrain.walkable[cell[:, 0], cell[:, 1]] | flies).all()
    apart = np.linalg.norm(scenario.places[:, None] - scenario.places[None], axis=-1)
    size = roster.fixed("separation")
    touch = size[:, None] + size[None]
    alike = (flies[:, None] == flies[None]) & ~np.eye(len(size), dtype=bool)
    assert (apart >= touch - 1e-4)[alike].all()
    allies = scenario.places[: roster.allies]
    order = {kind: i for i, kind in enumerate(find_map(name).ally_types)}
    key = [
        (order.get(roster.types[k].name, 0), *place) for k, place in zip(roster.kinds, allies, strict=False)
    ]
    assert key == sorted(key)


def test_enemies_are_in_the_order_of_their_creation():
    # Would break: enemies sorted as allies are.
    names = fixed_scenario(find_map("MMM2"), read_units("lotv"), 0.0).names
    assert names[10:] == (
        *(f"enemy_marine_{i}" for i in range(8)),
        *(f"enemy_marauder_{i}" for i in range(8, 11)),
        "enemy_medivac_11",
    )
    assert Skirmish("1c3s5z").spec.names[:2] == ("colossus_0", "stalker_1")


def test_two_mirrors_are_none():
    # Would break: a part of a map that is not mirrored, or not back.
    for name in ("corridor", "2m_vs_1z", "2c_vs_64zg"):
        battle_map = find_map(name)
        once = flipped(battle_map)
        twice = flipped(once)
        for part in ("walkable", "cliffs", "height"):
            np.testing.assert_array_equal(getattr(twice.terrain, part), getattr(battle_map.terrain, part))
        if battle_map.terrain.gate:
            np.testing.assert_allclose(twice.terrain.gate.passages, battle_map.terrain.gate.passages)
            assert twice.terrain.gate[:2] == battle_map.terrain.gate[:2]
        np.testing.assert_allclose(twice.enemies[0].point, battle_map.enemies[0].point)
        if battle_map.order != "units":
            np.testing.assert_allclose(twice.order, battle_map.order)
        assert once.allies[0].point == (32 - battle_map.allies[0].point[0], battle_map.allies[0].point[1])


def test_refusals_name_their_setting():
    # Would break: a stack trace, or a sentence without the setting and the remedy.
    with pytest.raises(SettingError, match=r"^map=4m is no map: set one of 3m, 8m, "):
        Skirmish("4m")
    with pytest.raises(SettingError, match=r"^terrain=moon is no terrain: set one of field, square, "):
        find_terrain("moon")


def test_flying_units_stand_over_others():
    # Would break: a medivac that takes a place on the ground.
    scenario = fixed_scenario(find_map("MMM"), read_units("lotv"), 0.0)
    medivac = scenario.places[9]
    np.testing.assert_allclose(medivac, [9, 16])
    assert place_units((), [], find_map("MMM").terrain).shape == (0, 2)
